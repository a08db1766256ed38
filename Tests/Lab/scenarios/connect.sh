#!/usr/bin/env bash
# a board mounts through the forwarder from diod, and from p9serve (not with --host baseline)
# lab: timeout=600
# lab: unpacked=diod
# shellcheck source=../lib.sh
. "$LAB/lib.sh"

tree=$(export_directory root)
echo "over a socket" >"$tree/file"
chown "$LAB_UID" "$tree/file"

# through SERVER PORT [ANAME]
through() {
    host_connect 0 "$2" "${3:-}" || fail "$1: connect"
    board_mount 0 /run/board || fail "$1: mount"
    check_equal "$1: read" "over a socket" "$(cat /run/board/file)"
    check "$1: write" sh -c "echo $1 >/run/board/$1"
    check_equal "$1: the host has it" "$1" "$(cat "$tree/$1")"
    head -c 1000000 /dev/urandom >/run/lab/random
    check "$1: a megabyte" sh -c "cp /run/lab/random /run/board/random && cmp /run/lab/random $tree/random"
    check "$1: unmount" umount /run/board
    check "$1: gadget down" board_down 0
    host_stop 0
}

board_up 0 || fail "gadget up"
diod=$(diod_start 5640 "$tree") || fail "diod"
through diod 5640 "$tree"
kill "$diod"

if [ "$LAB_HOST" = p9fwd ]; then
    host_program "$P9SERVE"
    rm -f "$tree/random"
    "${as_user[@]}" "$P9SERVE" serve "$tree" --listen tcp://127.0.0.1:5641 </dev/null >/run/lab/p9serve.log 2>&1 &
    wait_for 60 grep -q 'listening on' /run/lab/p9serve.log || fail "p9serve"
    wait_for 60 board_gone 0
    board_up 0 || fail "gadget up again"
    through p9serve 5641
fi
dmesg_clean
