#!/usr/bin/env bash
# p9fwd rpiboot: boards of each family loaded byte by byte, hostile ones, pulled ones, two at once; and on to the root
# lab: timeout=1200
# lab: boards=2
# lab: packages=xxd
# shellcheck source=../lib.sh
. "$LAB/lib.sh"
# shellcheck source=../../as-written.sh
. "$LAB/../as-written.sh"

host_program "$P9FWD"
program=$LAB/scenarios/rpiboot.py

# The boards' side, one stage each: stage BOARD STAGE PRODUCT NAME [ARGUMENT...]; what came is in /run/lab/NAME.
# stage_begin does not wait; stage_over waits for what it began, stage_end unplugs that.
stage_begin() {
    local board=$1 stage=$2 product=$3 name=$4
    shift 4
    python3 "$program" "$stage" "dummy_udc.$board" "$product" "/run/lab/$name" "$@" </dev/null >"/run/lab/$name.log" 2>&1 &
    stager=$!
}
stage() { stage_begin "$@" && stage_over "$4"; }
stage_over() { # NAME. Not by check, whose subshell can't wait for what its parent began
    wait_for 300 eval "! kill -0 $stager 2>/dev/null" || kill -KILL $stager
    wait $stager || { cat "/run/lab/$1.log" && false; }
}
stage_end() {
    kill -KILL $stager 2>/dev/null
    wait $stager 2>/dev/null
    wait_for 60 board_gone "$1"
}
# load NAME CODE ARGUMENT...: starts p9fwd in the background, its output in /run/lab/NAME.{out,log}; loaded NAME CODE waits.
load() {
    local name=$1
    shift
    rm -f "/run/lab/$name.out" "/run/lab/$name.log" # of one before, in which it waits already
    "${as_user[@]}" "$P9FWD" "$@" </dev/null >"/run/lab/$name.out" 2>"/run/lab/$name.log" &
    loader=$!
}
loaded() {
    local name=$1 want=$2 code
    wait_for 120 eval "! kill -0 $loader 2>/dev/null" || kill -KILL "$loader"
    wait "$loader"
    code=$?
    if [ "$code" = "$want" ]; then ok "$name: exit code $want"; else
        not_ok "$name: exit code $want" "it is $code: $(cat "/run/lab/$name.log")"
    fi
}
log_says() { check "$1: says '$2'" grep -qF -- "$2" "/run/lab/$1.log"; }
is_waiting() { grep -qs waiting "/run/lab/$1.log"; }
same() { check_equal "$1" "$(sha256sum <"$2")" "$(sha256sum <"$3")"; }
bus_path() { basename /sys/devices/platform/dummy_hcd."$1"/usb*/ | sed 's/usb\(.*\)/\1-1/'; }

boot=$(export_directory boot)
for size in 0 1 24 511 512 513 16383 16384 16385 16896 32768; do
    head -c $size /dev/urandom >"$boot/file-$size"
done
head -c 20971520 /dev/urandom >"$boot/boot.img"
head -c 81920 /dev/urandom >"$boot/bootcode4.bin"
head -c 52000 /dev/urandom >"$boot/bootcode.bin"
head -c 3000000 /dev/urandom >"$boot/small.img"
echo boot_ramdisk=1 >"$boot/config.txt"
mkdir "$boot/overlays" "$boot/2711"
echo overlay >"$boot/overlays/dwc2.dtbo"
echo "of BCM2711" >"$boot/2711/cmdline.txt"
echo "of all" >"$boot/cmdline.txt"
echo secret >/run/export/secret
ln -s ../secret "$boot/out"
chown -R "$LAB_UID:$LAB_GID" "$boot"

# What docs/rpiboot.md and docs/raspberry-pi.md say to type is typed here, with these directories.
mkdir /run/checkout
like_a_checkout /run/checkout
# shellcheck disable=SC2034 # as_written's
written_by=("${as_user[@]}")
ln -s "$boot" boot
ln -s "$boot" boot-rpi4
ln -s /run/export/root rootfs

# Arguments that can't do.
mkdir /run/export/empty
for arguments in "3 nowhere /run/export/nowhere" "3 nothing-to-load /run/export/empty" "64 no-directory $boot/config.txt" \
    "6 nobody-came $boot --timeout 1" "64 bad-timeout $boot --timeout x"; do
    # shellcheck disable=SC2086 # words
    set -- $arguments
    load "$2" rpiboot "${@:3}"
    loaded "$2" "$1"
done
log_says nothing-to-load "bootcode4.bin"
log_says nobody-came "power button"

# BCM2711: a ROM whose descriptors change while they are read; sizes round packets and pieces; 20 MiB; hostile names.
load pi4 rpiboot "$boot" --once -v
wait_for 60 is_waiting pi4
check "pi4: ROM" stage 0 rom 2711 pi4-rom
questions=()
for size in 0 1 24 511 512 513 16383 16384 16385 16896 32768; do questions+=("both:file-$size"); done
check "pi4: files" stage 0 files 2711 pi4-files "${questions[@]}" both:boot.img both:cmdline.txt both:overlays/dwc2.dtbo \
    "size:*BOARD*c03112" both:recovery.elf both:../secret both:/run/export/secret both:out both:overlays 'both:a\x1b[2J' \
    stall both:config.txt end
loaded pi4 0
same "pi4: boot code" "$boot/bootcode4.bin" /run/lab/pi4-rom/bootcode
check_equal "pi4: header" "0040010000000000000000000000000000000000000000" \
    "$(xxd -p -c 30 /run/lab/pi4-rom/header | cut -c 1-46)"
number=0
for name in file-1 file-24 file-511 file-512 file-513 file-16383 file-16384 file-16385 file-16896 file-32768 boot.img \
    2711/cmdline.txt overlays/dwc2.dtbo config.txt; do
    number=$((number + 1))
    same "pi4: $name" "$boot/$name" "/run/lab/pi4-files/$(printf %04d $number)"
done
check_equal "pi4: nothing else" $number "$(find /run/lab/pi4-files -name '0*' | wc -l)"
check_equal "pi4: what it is not given" "read *BOARD*c03112 0
read ../secret 0
read /run/export/secret 0
read a\\x1b[2J 0
read file-0 0
read out 0
read overlays 0
read recovery.elf 0" "$(grep ' 0$' /run/lab/pi4-files/answers | sed 's/^size /read /' | LC_ALL=C sort -u)"
log_says pi4 "$(bus_path 0): BCM2711 boot ROM: sent bootcode4.bin (81920 bytes)"
log_says pi4 "$(bus_path 0): boot.img: sent 20971520 bytes"
log_says pi4 "$(bus_path 0): BOARD is c03112"
log_says pi4 "asked for, but not in $boot: recovery.elf, ../secret, /run/export/secret, out, overlays, a\\x1b[2J"
log_says pi4 "out leads out of $boot"
check_equal "pi4: no escape sequence reaches the terminal" 0 "$(grep -c $'\033' /run/lab/pi4.log)"

# At one port, and what is said.
as_written --background docs/rpiboot.md "Loading a Raspberry Pi over USB" 2.2 1-1.3=1-1 >/run/lab/said.out 2>/run/lab/said.log
loader=$!
wait_for 60 is_waiting said
check "said: ROM" stage 0 rom 2711 said-rom
check "said: files" stage 0 files 2711 said-files both:config.txt both:boot.img both:recovery.elf both:dt-blob.bin end
loaded said 0
check_equal "said: as documented" "$(page_text docs/rpiboot.md "What it says" 1)" "$(grep -v waiting /run/lab/said.log)"
as_written --background docs/rpiboot.md "Loading a Raspberry Pi over USB" 2.3 >/run/lab/events.out 2>/run/lab/events.log
loader=$!
check "events: ROM" stage 0 rom 2711 events-rom
check "events: files" stage 0 files 2711 events-files both:config.txt end
loaded events 0
check_equal "events: one a line" "found bootcode_sent found file_sent loaded" "$(python3 -c '
import json, sys
print(*(json.loads(line)["event"] for line in sys.stdin))' </run/lab/events.out)"

# BCM2712 from an archive; there before p9fwd is; chosen by serial number; events.
mkdir -p /run/lab/archive/2712 /run/export/boot5
head -c 100000 /dev/urandom >/run/lab/archive/2712/bootcode5.bin
head -c 1000 /dev/urandom >/run/lab/archive/2712/mcb.bin
tar -C /run/lab/archive -cf /run/export/boot5/bootfiles.bin 2712
stage_begin 0 rom 2712 pi5-rom
is_listed() { grep -q "BCM2712 boot ROM: waits to be loaded" <(as_user "$P9FWD" list 2>&1); }
check "list shows it" wait_for 60 is_listed
check "list --json" python3 -c 'import json, sys; assert json.load(sys.stdin)["loadable"][0]["stage"] == "rom"' \
    < <(as_user "$P9FWD" list --json)
load pi5 rpiboot /run/export/boot5 --serial 10000000af04b2da --once --json
stage_over pi5-rom
check_equal "pi5: ROM" 0 $?
check "pi5: files" stage 0 files 2712 pi5-files both:mcb.bin both:config.txt end
loaded pi5 0
same "pi5: boot code" /run/lab/archive/2712/bootcode5.bin /run/lab/pi5-rom/bootcode
same "pi5: a member of the archive" /run/lab/archive/2712/mcb.bin /run/lab/pi5-files/0001
check_equal "pi5: events" "found rom
bootcode_sent bootcode5.bin 100000
found files
file_sent mcb.bin 1000
missing config.txt
loaded 1 1000" "$(python3 -c '
import json, sys
for line in sys.stdin:
    event = json.loads(line)
    keys = "event", "stage", "name", "files", "size", "bytes"
    print(*(event[key] for key in keys if key in event))' </run/lab/pi5.out)"
check_equal "pi5: nothing but JSON" "" "$(cat /run/lab/pi5.log)"
load failure rpiboot /run/export/empty --json
loaded failure 3
check_equal "failure: an event" "error 3" "$(python3 -c '
import json, sys
event = json.loads(sys.stdin.read())
print(event["event"], event["exit_code"])' </run/lab/failure.out)"
check_equal "failure: nothing but JSON" "" "$(cat /run/lab/failure.log)"

# BCM2837: a disk that answers nothing before the interface that counts, no serial number, and a firmware that asks in a stage of its own.
# usb-storage leaves a new disk alone for a second, which is long enough for p9fwd to take it off, but not on a busy lab.
echo 30 >/sys/module/usb_storage/parameters/delay_use
# p9fwd waits five seconds for the firmware's questions, and this machine may be slow to start the program that asks.
stage_begin 0 files 2764 pi3-files-2 after=/run/lab/pi3-firmware both:cmdline.txt both:
firmware=$stager
load pi3 rpiboot "$boot" --once
wait_for 60 is_waiting pi3
check "pi3: ROM" stage 0 rom 2764 pi3-rom
check "pi3: bootcode's files" stage 0 files 2764 pi3-files both:file-513 end
touch /run/lab/pi3-firmware
stager=$firmware
stage_over pi3-files-2
check_equal "pi3: firmware's files" 0 $?
loaded pi3 0
echo 1 >/sys/module/usb_storage/parameters/delay_use
same "pi3: boot code" "$boot/bootcode.bin" /run/lab/pi3-rom/bootcode
same "pi3: first stage" "$boot/file-513" /run/lab/pi3-files/0001
same "pi3: second stage" "$boot/cmdline.txt" /run/lab/pi3-files-2/0001
head -c 20 /dev/urandom >"$boot/bootcode.sig"
load zero rpiboot "$boot" --id 0a5c:2763 --once
wait_for 60 is_waiting zero
check "zero: ROM" stage 0 rom 2763 zero-rom
check "zero: files" stage 0 files 2763 zero-files both:file-16384 end
loaded zero 0
same "zero: boot code" "$boot/bootcode.bin" /run/lab/zero-rom/bootcode
check_equal "zero: header with the signature" "20cb0000$(xxd -p -c 20 "$boot/bootcode.sig")" "$(xxd -p -c 24 /run/lab/zero-rom/header)"
rm "$boot/bootcode.sig"

# What goes wrong with a board.
load refused rpiboot "$boot" --once
wait_for 60 is_waiting refused
check "refused: ROM" stage 0 rom 2711 refused-rom status=7
loaded refused 1
log_says refused "refuses bootcode4.bin: status 0x7"
load other rpiboot "$boot" --once
wait_for 60 is_waiting other
stage_begin 0 rom 2712 other-rom
loaded other 3
log_says other "there is no bootcode5.bin in $boot"
stage_end 0
for question in 3:config.txt size:raw; do
    load bad rpiboot "$boot" --once
    wait_for 60 is_waiting bad
    stage_begin 0 files 2711 bad-files "$question" end
    loaded bad 1
    log_says bad "bootloader has sent"
    stage_end 0
done
stage_begin 0 rom 2711 stranger-rom
wait_for 60 eval '! board_gone 0'
setpriv --reuid 65534 --regid 65534 --clear-groups "$P9FWD" rpiboot "$boot" --once >/run/lab/stranger.log 2>&1
check_equal "stranger: exit code" 4 $?
log_says stranger 'ATTR{idProduct}=="2711|2712|2763|2764"'
stage_end 0

# Pulled in the middle, twice; the next attempt succeeds. Then Ctrl-C.
as_written --background docs/rpiboot.md "Loading a Raspberry Pi over USB" 2.1 >/run/lab/pulled.out 2>/run/lab/pulled.log
loader=$!
wait_for 60 is_waiting pulled
stage 0 rom 2711 pulled-rom pull=40000
check "pulled: says so" wait_for 60 grep -q "boot ROM is gone in the middle of bootcode4.bin" /run/lab/pulled.log
check "pulled: ROM" stage 0 rom 2711 pulled-rom
stage 0 files 2711 pulled-files pull=1000000 both:config.txt both:small.img
check "pulled: says so" wait_for 60 grep -q "bootloader is gone in the middle of small.img" /run/lab/pulled.log
check "pulled: ROM again" stage 0 rom 2711 pulled-rom
check "pulled: files" stage 0 files 2711 pulled-files both:config.txt both:small.img end
same "pulled: all of it" "$boot/small.img" /run/lab/pulled-files/0002
check "pulled: loaded" wait_for 60 grep -q "loaded: 2 files, 3000015 bytes" /run/lab/pulled.log
kill -INT "$loader"
loaded pulled 0
load pulled-once rpiboot "$boot" --once
wait_for 60 is_waiting pulled-once
stage 0 files 2711 pulled-files pull=1000000 both:small.img
loaded pulled-once 7
# Ctrl-C before there is a board: with --once nothing was loaded.
load stopped-once rpiboot "$boot" --once
wait_for 60 is_waiting stopped-once
kill -INT "$loader"
loaded stopped-once 130
log_says stopped-once "stopped before a board was loaded"
# Ctrl-C while a board is silent.
load silent rpiboot "$boot"
wait_for 60 is_waiting silent
stage_begin 0 files 2711 silent-files linger=yes both:config.txt
wait_for 60 grep -q 'asks for files' /run/lab/silent.log
wait_for 60 test -s /run/lab/silent-files/0001
kill -INT "$loader"
loaded silent 0
stage_end 0

# Two boards at once, each with its own process and directory.
load board-0 rpiboot "$boot" --path "$(bus_path 0)" --once
board_0=$loader
load board-1 rpiboot "$boot" --path "$(bus_path 1)" --once
board_1=$loader
wait_for 60 is_waiting board-0 && wait_for 60 is_waiting board-1
both() {
    stage "$1" rom 2711 "both-$1-rom" && stage "$1" files 2711 "both-$1-files" both:small.img "both:file-1638$1" end
}
both 0 &
first=$!
both 1 &
second=$!
wait $first && wait $second
check_equal "two boards: both are done" 0 $?
loader=$board_0
loaded board-0 0
loader=$board_1
loaded board-1 0
for board in 0 1; do
    same "two boards: small.img of board $board" "$boot/small.img" /run/lab/both-$board-files/0001
    check_equal "two boards: none of the other's" "" "$(grep -o "$(bus_path $((1 - board))):" "/run/lab/board-$board.log")"
done

# Two processes that would take any board: one each. Neither touches a board of the other's between its stages; a process that
# names such a board fails. Between two stages there may be half a minute, so those who play the next ones are ready.
stage_begin 1 rom 2711 rival-1-rom after=/run/lab/rivals
board_1=$stager
stage_begin 0 files 2711 rival-0-files after=/run/lab/rivals both:file-513 end
board_0=$stager
load rival-0 rpiboot "$boot"
rival_0=$loader
wait_for 60 is_waiting rival-0
stage_begin 0 rom 2711 rival-0-rom linger=yes
check "rivals: the first has board 0" wait_for 60 grep -q 'boot ROM: sent' /run/lab/rival-0.log
load rival-1 rpiboot "$boot" --once
rival_1=$loader
check "rivals: the second says so" wait_for 60 grep -qF "another process has the board at port $(bus_path 0); looking for the next one" /run/lab/rival-1.log
load rival-2 rpiboot "$boot" --path "$(bus_path 0)"
loaded rival-2 5
log_says rival-2 "another process has the board at port $(bus_path 0)"
stage_end 0
touch /run/lab/rivals
stager=$board_1
stage_over rival-1-rom
check_equal "rivals: board 1: ROM" 0 $?
stager=$board_0
stage_over rival-0-files
check_equal "rivals: board 0: files" 0 $?
check "rivals: board 1: files" stage 1 files 2711 rival-1-files both:file-512 end
loader=$rival_1
loaded rival-1 0
log_says rival-1 "$(bus_path 1): BCM2711 loaded: 1 file, 512 bytes"
check_equal "rivals: the second has nothing of board 0" "" "$(grep -F ": $(bus_path 0): " /run/lab/rival-1.log)"
check "rivals: the first has loaded board 0" wait_for 60 grep -qF "$(bus_path 0): BCM2711 loaded: 1 file, 513 bytes" /run/lab/rival-0.log
kill $rival_0
loader=$rival_0
loaded rival-0 0
# The same of serve: the gadget of a board that another one has loaded is not for it.
for number in 0 1; do
    mkdir -p /run/export/rival-$number
    echo "of server $number" >/run/export/rival-$number/file
    chown -R "$LAB_UID:$LAB_GID" /run/export/rival-$number
done
load server-0 serve /run/export/rival-0 --rpiboot "$boot"
servers=("$loader")
wait_for 60 is_waiting server-0
check "servers: board 0: ROM" stage 0 rom 2711 server-0-rom
load server-1 serve /run/export/rival-1 --rpiboot "$boot"
servers+=("$loader")
wait_for 60 is_waiting server-1
check "servers: board 0: files" stage 0 files 2711 server-0-files both:file-513 end
check "servers: board 0: gadget" board_up 0
check "servers: the second leaves it to the first" wait_for 60 grep -q "another process has the board at port $(bus_path 0)" /run/lab/server-1.log
check "servers: board 0: mount" board_mount 0 /run/board
check_equal "servers: board 0 is the first's" "of server 0" "$(cat /run/board/file)"
check "servers: board 1: ROM" stage 1 rom 2711 server-1-rom
check "servers: board 1: files" stage 1 files 2711 server-1-files both:file-512 end
check "servers: board 1 is the second's" wait_for 60 grep -qF "$(bus_path 1): BCM2711 loaded: 1 file, 512 bytes" /run/lab/server-1.log
check "servers: board 0: unmount" umount /run/board
check "servers: board 0: gadget down" board_down 0
for number in 0 1; do
    loader=${servers[number]}
    kill "$loader"
    loaded server-$number 0
done

# From power-on to the root, twice, by one process; a file of this port's only.
root=$(export_directory root)
echo "from the host" >"$root/file"
mkdir "$boot/$(bus_path 0)"
echo "of this port" >"$boot/$(bus_path 0)/cmdline.txt"
as_written --background docs/rpiboot.md "Loading a Raspberry Pi over USB" 1 >/run/lab/root.out 2>/run/lab/root.log
loader=$!
wait_for 60 is_waiting root
for round in 1 2; do
    check "root $round: ROM" stage 0 rom 2711 root-rom
    check "root $round: files" stage 0 files 2711 root-files both:small.img both:cmdline.txt end
    same "root $round: small.img" "$boot/small.img" /run/lab/root-files/0001
    check_equal "root $round: this port's file" "of this port" "$(cat /run/lab/root-files/0002)"
    check "root $round: gadget" board_up 0
    check "root $round: mount" board_mount 0 /run/board
    check_equal "root $round: the board reads its root" "from the host" "$(cat /run/board/file)"
    check "root $round: the board writes to it" sh -c "echo $round >/run/board/written"
    check_equal "root $round: the host has it" $round "$(cat "$root/written")"
    check "root $round: unmount" umount /run/board
    check "root $round: gadget down" board_down 0
    wait_for 60 board_gone 0
done
check "root: still the same process" kill -0 "$loader"
kill -TERM "$loader"
loaded root 0
as_written --background docs/raspberry-pi.md "3. Serve the root" 1 >/run/lab/rpi4.out 2>/run/lab/rpi4.log
loader=$!
wait_for 60 is_waiting rpi4
check "rpi4: ROM" stage 0 rom 2711 rpi4-rom
check "rpi4: files" stage 0 files 2711 rpi4-files both:boot.img end
check "rpi4: gadget" board_up 0
check "rpi4: mount" board_mount 0 /run/board
check_equal "rpi4: the board reads its root" "from the host" "$(cat /run/board/file)"
check "rpi4: unmount" umount /run/board
check "rpi4: gadget down" board_down 0
kill -TERM "$loader"
loaded rpi4 0
dmesg_clean
