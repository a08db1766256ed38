#!/usr/bin/env bash
# p9fwd is stopped under load ([ROUNDS], default 8) and killed while idle, under a mounted board; the board never hangs
# lab: timeout=700
#
# The board's files are stale afterwards, but it gets an answer to everything and can mount again; both processes say so once.
# shellcheck source=../lib.sh
. "$LAB/lib.sh"
rounds=${1:-8}
load=

tree=$(export_directory root)
head -c 100000 /dev/urandom >/run/lab/random
board_up 0 || fail "gadget up"

# Reads and writes of mixed sizes until the first error.
load() {
    local size
    while true; do
        for size in 1 489 512 4096 70000 100000; do
            dd if=/run/lab/random of=/run/board/load bs=$size count=1 status=none || return
            dd if=/run/board/load of=/dev/null bs=$size status=none || return
        done
    done
}

# In the place of host_serve: its process id is that of p9fwd itself, not of a shell around it.
start() {
    host_program "$P9FWD"
    setpriv --reuid "$LAB_UID" --regid "$LAB_GID" --clear-groups "$P9FWD" serve "$tree" --path "$(board_path 0)" \
        </dev/null >>/run/lab/host-0.log 2>&1 &
    p9fwd=$!
    wait_for 60 grep -q '^Name:.*p9fwd' /proc/$p9fwd/status
}

# again NAME: a new process answers the mounted board, which then can mount anew. One request at a time: after a second
# mount this kernel's client can't do with more (p9_usbg_create counts up the completion that p9_usbg_request waits for).
again() {
    start || fail "$1: serve again"
    if [ -n "$load" ]; then
        check "$1: the board gets an answer" wait_for 60 ended "$load"
        load=
    else
        check "$1: the board gets an answer" sh -c 'timeout 60 stat /run/board/kept 2>&1 | grep -q "Stale file handle"'
    fi
    check "$1: unmount" timeout 60 umount /run/board
    board_mount 0 /run/board &
    wait_for 180 ended $! || fail "$1: mount again"
    check_equal "$1: read" "$(cat "$tree/kept")" "$(timeout 60 cat /run/board/kept)"
}

ended() { ! kill -0 "$1" 2>/dev/null; }

# A board that came just before p9fwd: udev, which the lab has not, gives permissions three seconds late. By mode 666, as
# this p9fwd is not in the group.
node=/dev/$(sed -n 's/^DEVNAME=//p' "$(board_device 0)/uevent")
setpriv --reuid "$LAB_UID" --regid 65534 --clear-groups "$P9FWD" serve "$tree" --path "$(board_path 0)" \
    </dev/null >/run/lab/late.log 2>&1 &
late=$!
sleep 3
permitted() { chmod 666 "$node" && grep -q 'serving the board' /run/lab/late.log; }
check "permissions that come late are waited for" wait_for 60 permitted
kill $late
wait $late
start || fail "serve"
board_mount 0 /run/board || fail "mount"
date >"$tree/kept"
for round in $(seq "$rounds"); do
    load 2>/dev/null &
    load=$!
    sleep "0.$((RANDOM % 9 + 1))"
    kill "$p9fwd"
    if wait "$p9fwd"; then ok "round $round: stopped"; else not_ok "round $round: stopped" "exit code $?"; fi
    again "stop under load, round $round"
done
for round in 1 2 3; do
    kill -9 "$p9fwd"
    wait "$p9fwd" 2>/dev/null
    again "kill while idle, round $round"
done
# Each that was told to end, and each that came after one, has said it once. What the host's log says is all of them together.
check_equal "at its end p9fwd says that the board is mounted from here" "$rounds" \
    "$(grep -c "the board at port $(board_path 0) has files mounted from here" /run/lab/host-0.log)"
check_equal "p9fwd says that the board was mounted before" $((rounds + 3)) \
    "$(grep -c 'the board was mounted before this process began' /run/lab/host-0.log)"
check "unmount" umount /run/board
kill "$p9fwd"
wait "$p9fwd"
check_equal "of a board that has unmounted nothing is said" "$rounds" "$(grep -c 'mounted from here' /run/lab/host-0.log)"
dmesg_clean
