#!/usr/bin/env bash
# the cable is pulled while p9fwd serve or connect is at anything: it says so, gives all back, waits, and serves again
# lab: timeout=1100
# shellcheck source=../lib.sh
. "$LAB/lib.sh"

host_program "$P9FWD"
host_program "$P9SERVE"
tree=$(export_directory root)
head -c 5000 /dev/urandom >"$tree/file"
hub=$(echo /sys/devices/platform/dummy_hcd.0/usb*/)
port=$(basename "$hub" | sed 's/usb\(.*\)/\1-1/')
cable() { echo "$1" | tee "$hub"/*-0:1.0/usb*-port1/disable >/dev/null; } # 1 pulls it

start() {
    "${as_user[@]}" "$P9FWD" "${@:2}" --path "$port" </dev/null >"/run/lab/$1.log" 2>&1 &
    p9fwd=$!
    wait_for 60 test -s "/run/lab/$1.log"
}
ended() { ! kill -0 "$1" 2>/dev/null; }
stop() {
    kill -INT "$p9fwd"
    wait_for 60 ended "$p9fwd" || { not_ok "$1: ends at Ctrl-C" "$(cat "/run/lab/$1.log")" && kill -KILL "$p9fwd"; }
    wait "$p9fwd"
    check_equal "$1: exit code" 0 $?
}
# times NAME COUNT TEXT: as often it has said that
times() { [ "$(grep -cF -- "$3" "/run/lab/$1.log")" -ge "$2" ]; }
waits() { tail -n 1 "/run/lab/$1.log" | grep -qF ": waiting for a board at port $port to appear"; }
# What a process has: descriptors, threads. It looks at the ports twice a second, and for that has others for a moment; so it is what
# is seen most often.
holds() {
    for _ in {1..15}; do
        echo "$(find "/proc/$p9fwd/fd" -type l | wc -l) $(find "/proc/$p9fwd/task" -mindepth 1 -maxdepth 1 | wc -l)"
    done | sort | uniq -c | sort -n | awk 'END { print $2, $3 }'
}
holds_again() { [ "$(holds)" = "$1" ]; }
kilobytes() { awk '/^VmRSS:/ { print $2 }' "/proc/$p9fwd/status"; }
play() { timeout 300 python3 "$LAB/scenarios/raw_board.py" dummy_udc.0 "$@" </dev/null >>"/run/lab/$name.out" 2>"/run/lab/$name-board.log"; }
# pulls COUNT WORD...: a board that is pulled at the end of the words, so often
pulls() {
    local count=$1 words
    shift
    words="$*"
    while [ $((count -= 1)) -gt 0 ]; do words+=" / $*"; done
    # shellcheck disable=SC2086 # words
    play $words
}

"${as_user[@]}" "$P9SERVE" serve "$tree" --listen tcp://127.0.0.1:5640 </dev/null >/run/lab/p9serve.log 2>&1 &
wait_for 60 grep -q 'listening on' /run/lab/p9serve.log || fail "p9serve"

# A board that leaves while idle, with a request unanswered, in the middle of a reply, and in that of a request.
for name in serve connect; do
    case $name in
        serve) start serve serve "$tree" ;;
        connect) start connect connect -p 5640 ;;
    esac
    check "$name: a board" pulls 2 session stat
    wait_for 60 waits $name
    before=$(holds) memory=$(kilobytes)
    for way in "session stat" "session ask" "session sip" "session begin"; do
        # shellcheck disable=SC2086 # words
        check "$name: pulled five times after $way" pulls 5 $way
    done
    wait_for 60 waits $name || not_ok "$name: waits" "$(tail -n 5 /run/lab/$name.log)"
    check "$name: says that the board is gone" times $name 7 "the board at port $port is gone"
    check "$name: says that it was in the middle of a request" times $name 15 "is gone in the middle of a request"
    check "$name: gives back descriptors and threads: $before" wait_for 60 holds_again "$before"
    check "$name: takes no more memory" test $(($(kilobytes) - memory)) -lt 4096
    check "$name: serves the board when it is back" play session stat
    wait_for 60 waits $name
    stop $name
done

# A server that never answers: the board's going ends the wait for it.
python3 -c '
import socket
listener = socket.create_server(("127.0.0.1", 5641))
open("/run/lab/mute", "w").close()
kept = []
while True:
    kept.append(listener.accept())' &
mute=$!
wait_for 60 test -e /run/lab/mute
name=mute
start mute connect -p 5641
timeout 300 python3 "$LAB/scenarios/raw_board.py" dummy_udc.0 version:16384 </dev/null >/dev/null 2>&1 &
board=$!
log_says() { grep -qF -- "$2" "/run/lab/$1.log"; }
check "mute: p9fwd waits for the server" wait_for 60 log_says mute "has not answered Tversion"
kill $board
check "mute: the board's going ends that" wait_for 60 waits mute
stop mute
kill $mute

# The kernel's own client. Idle: by the port, by "authorized", and it goes on each time.
name=kernel
board_up 0 || fail "gadget up"
usb_permissions
start kernel serve "$tree"
board_mount 0 /run/board || fail "mount"
same() { timeout 60 cmp -s "$tree/file" /run/board/file; }
check "kernel: reads" same
cable 1
check "kernel: the port: noticed" wait_for 60 waits kernel
cable 0
check "kernel: the port: serves again" wait_for 60 times kernel 2 "serving the board"
check "kernel: the port: the board goes on" same
echo 0 >"/sys/bus/usb/devices/$port/authorized"
check "kernel: authorized: noticed" wait_for 60 waits kernel
echo 1 >"/sys/bus/usb/devices/$port/authorized"
check "kernel: authorized: serves again" wait_for 60 times kernel 3 "serving the board"
check "kernel: authorized: the board goes on" same

# In the middle of requests. That board never recovers (its driver waits for ever), so this is the end; p9fwd does.
(while dd if=/run/board/file of=/dev/null bs=4096 2>/dev/null; do echo read; done >/run/lab/load.out) &
load=$!
under_load() { [ "$(wc -l </run/lab/load.out)" -ge 20 ]; }
check "kernel: load" wait_for 60 under_load
cable 1
check "kernel: pulled under load: noticed" wait_for 60 waits kernel
cable 0
check "kernel: pulled under load: the port is served again" wait_for 60 times kernel 4 "serving the board"
stop kernel
kill $load 2>/dev/null
