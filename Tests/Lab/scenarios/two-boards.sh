#!/usr/bin/env bash
# two boards from two directories, one p9fwd each, one chosen by path and one by serial number; used at the same time
# lab: timeout=600
# lab: drivers=kernel program
# lab: boards=2
# shellcheck source=../lib.sh
. "$LAB/lib.sh"

for board in 0 1; do
    tree=$(export_directory "root-$board")
    echo "board $board" >"$tree/name"
    check "board $board: gadget up" board_up $board
done
check "board 0: serve by path" host_serve 0 /run/export/root-0 path
if [ "$LAB_HOST" = baseline ]; then
    check "board 1: serve by path" host_serve 1 /run/export/root-1 path # p9_fwd.py knows no serial numbers
else
    check "board 1: serve by serial number" host_serve 1 /run/export/root-1 serial
fi
for board in 0 1; do
    board_mount $board /run/board-$board || fail "board $board: mount"
    check_equal "board $board: its own directory" "board $board" "$(cat /run/board-$board/name)"
done
head -c 4000000 /dev/urandom >/run/lab/random
copy() {
    for round in 1 2 3; do
        cp /run/lab/random "/run/board-$1/random-$round" && cmp /run/lab/random "/run/board-$1/random-$round" || return
    done
}
copy 0 &
first=$!
copy 1 &
second=$!
# Not by check: a subshell can't wait for its parent's children.
if wait $first; then ok "board 0: while the other is busy"; else not_ok "board 0: while the other is busy"; fi
if wait $second; then ok "board 1: while the other is busy"; else not_ok "board 1: while the other is busy"; fi
for board in 0 1; do
    check "board $board: unmount" umount /run/board-$board
    check "board $board: gadget down" board_down $board
    host_stop $board
done
dmesg_clean
