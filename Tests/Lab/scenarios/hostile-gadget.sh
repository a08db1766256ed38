#!/usr/bin/env bash
# p9fwd against gadgets that lie: descriptors, strings, frames, stalls, silence; one reply to each request, and no reset
# lab: timeout=1100
# shellcheck source=../raw-board.sh
. "$LAB/raw-board.sh"

list() { as_user "$P9FWD" list "$@" 2>/run/lab/list.log; }
listed() { list | grep -q " $port "; }

# Frames. One p9fwd for all of it; "session" is what a board does after it was plugged in. EPROTO is 71, EMSGSIZE 90.
serve frames
board frames session stat frame:100:20 stat frame:11:20 frame:4:20 frame:0:7 frame:4294967295:20 stat frame:40000:40000 \
    frame:100000:17000 stat glued stat two empty empty stat split:512 frame:512:512 frame:16384:16384 stat \
    read:file:501 read:file:1013 read:file:4000 type:255 type:0 type:101 stat
played frames "session 16384
stat 153
frame:100:20 Rlerror 71
stat 153
frame:11:20 Rlerror 71
frame:4:20 Rlerror 71
frame:0:7 Rlerror 71
frame:4294967295:20 Rlerror 71
stat 153
frame:40000:40000 Rlerror 90
frame:100000:17000 Rlerror 90
stat 153
glued Rlerror 71
stat 153
two 2
empty
empty
stat 153
split:512 Rlerror 22
frame:512:512 Rlerror 22
frame:16384:16384 Rlerror 22
stat 153
read:file:501 501
read:file:1013 1013
read:file:4000 4000
type:255 Rlerror 95
type:0 Rlerror 95
type:101 Rlerror 95
stat 153"
for msize in 0 1 11 100 4294967295; do
    board "msize $msize" version:$msize session stat
    reply="Rlerror 90"
    [ $msize -lt 4096 ] || reply="type 101"
    played "msize $msize" "version:$msize $reply
session 16384
stat 153"
done
kill $p9fwd
served frames 0

# What has no tag can't be answered: the link is opened anew, and the board goes on if it likes.
serve junk
board junk session stat junk:00 / session junk:07000000 / session stat
played junk "session 16384
stat 153
junk:00
session 16384
junk:07000000
session 16384
stat 153"
log_says junk "sent something that is not a 9P message"
kill $p9fwd
served junk 0

# Endpoints that are halted, and then a board that is well.
serve halted
board halted session halt linger
log_says halted "the USB transfers of the board at port $port fail"
unplug
board halted-again session stat
played halted-again "session 16384
stat 153"
kill $p9fwd
served halted 0

# Ctrl-C at any moment: during a message without its end, a reply that is not taken or only by half, endless bytes, or silence.
stop_at() {
    local name="stop at $1"
    serve "$name"
    # shellcheck disable=SC2086 # words
    board "$name" ${2:-} linger
    log_says "$name" "serving the board"
    [ -z "${3:-}" ] || wait_for 60 grep -qs "$3" "/run/lab/board-$name.out"
    kill -INT $p9fwd
    served "$name" 0
    [ -z "${4:-}" ] || log_says "$name" "$4"
    unplug
}
stop_at begin "session begin" begin "not a 9P message"
stop_at ask "session ask" ask "did not take a reply"
stop_at sip "session sip" sip "did not take a reply"
stop_at endless endless endless "not a 9P message"
stop_at nothing

# Descriptors that are odd, and those that lie, with the packet sizes as the kernel corrects them.
has_configuration() { grep -qs . "/sys/bus/usb/devices/$port/bConfigurationValue"; } # as a file of sysfs it is never empty
summary() { list --json | python3 -c 'import json, sys; print(*((g["interface"], g["max_packet_size"]) for g in json.load(sys.stdin)["gadgets"]))'; }
serve shapes
for shape in no-bulk one-way no-packet more-claimed; do
    board "$shape" shape=$shape linger
    check "$shape: is there" wait_for 60 has_configuration
    check_equal "$shape: is not a gadget" "" "$(summary)"
    unplug
done
for shape in "huge-packet (0, 512)" "alternate (0, 512)" "two-pairs (0, 512)" "second (1, 512)"; do
    name=${shape%% *}
    board "$name" shape="$name" session stat split:512 read:file:501 linger
    check "$name: is served" wait_for 60 grep -qs "read:file:501 501" "/run/lab/board-$name.out"
    check_equal "$name: list" "${shape#* }" "$(summary)"
    unplug
    check_equal "$name: what the host did" "" "$(cat "/run/lab/board-$name.log")"
done
check "shapes: still the same process" kill -0 $p9fwd
kill $p9fwd
served shapes 0
serve high-number --once
board high-number shape=high-number linger
served high-number 1
log_says high-number "can't open the board at port $port"
unplug

# Strings: escape sequences, 8-bit ones too, what turns the text round, halves of characters, line ends.
board strings 'product=\x1b[2J\x9b31m\u202etxt\u2028\ud800z\udc00\r\n|' 'serial=a\r' linger
check "strings: listed" wait_for 60 listed
check_equal "strings: no command reaches the terminal, no line is broken" 3 \
    "$(list | LC_ALL=C.UTF-8 grep -cv '[[:cntrl:]]\|'$'\u202e''\|'$'\u2028')"
check_equal "strings: list" '\x1b[2J\u{009b}31m\u{202e}txt\u{2028}z\x0d\x0a|' "$(list | sed -n '3s/.*| \(.*|\) *| 1d6b.*/\1/p')"
check_equal "strings: list --json" "True 'a\\r'" "$(list --json | python3 -c '
import json, sys
text = sys.stdin.read()
gadget = json.loads(text)["gadgets"][0]
print(not any(ord(c) < 32 and c != "\n" or 126 < ord(c) < 160 for c in text), ascii(gadget["serial"]))')"
unplug
check_equal "no reset" 0 "$(resets)"
