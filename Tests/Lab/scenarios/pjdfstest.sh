#!/usr/bin/env bash
# pjdfstest over the kernel's driver and over the program: the program fails nothing that the kernel's driver passes; [DIRECTORY...]
# soak: the whole of pjdfstest twice, with a checkout that $PJDFSTEST names
# lab: timeout=5400
# lab: boards=2
# lab: mem=2G
#
# The checkout must be built: autoreconf -ifs && ./configure && make pjdfstest. With arguments, only these directories of its tests.
# shellcheck source=../lib.sh
. "$LAB/lib.sh"
[ "$LAB_HOST" = p9fwd ] || fail "this scenario is about p9fwd"
[ -n "${PJDFSTEST:-}" ] || skip "PJDFSTEST does not name a checkout of github.com/pjd/pjdfstest"
[ -x "$PJDFSTEST/pjdfstest" ] || fail "there is no program in $PJDFSTEST" "build it: autoreconf -ifs && ./configure && make pjdfstest"
mkdir -p /run/path && ln -sf "$P9GADGET" /run/path/p9gadget
PATH=$PATH:/run/path

# run_tests BOARD DIRECTORY...: what its tests say, with their files' names, in /run/lab/BOARD.said
run_tests() {
    local board=$1 test
    mkdir "/run/board-$board/tests" && cd "/run/board-$board/tests" || return
    (cd "$PJDFSTEST/tests" && find "${@:2}" -name '*.t' | LC_ALL=C sort) | while read -r test; do
        # The number alone: what was tried has random names in it.
        timeout 300 sh "$PJDFSTEST/tests/$test" 2>&1 </dev/null | sed -n "s,^\(ok\|not ok\) \([0-9]*\).*,$test \2 \1,p"
    done >"/run/lab/$board.said"
    cd /
}

[ $# -gt 0 ] || set -- .
for driver in kernel program; do
    board=0
    [ $driver = kernel ] || board=1
    export_directory "$driver" >/dev/null
    board_up $board --driver $driver || fail "$driver: gadget up"
    host_serve $board "/run/export/$driver" || fail "$driver: serve"
    board_mount $board /run/board-$board || fail "$driver: mount"
    since=$SECONDS
    run_tests $board "$@"
    echo "# $driver: $(grep -c ' ok$' /run/lab/$board.said) passed, $(grep -c ' not ok$' /run/lab/$board.said) failed, $((SECONDS - since)) s"
    sed -n 's/ not ok$//p' /run/lab/$board.said | LC_ALL=C sort >/run/lab/$board.failed
    sed 's/ not ok$//;s/ ok$//' /run/lab/$board.said | LC_ALL=C sort >/run/lab/$board.ran
done
cp /run/lab/?.said "$LAB_DIR/out/"
check "tests were run" test "$(wc -l </run/lab/0.ran)" -gt 100
check_equal "the program runs what the kernel's driver runs" "" "$(diff /run/lab/0.ran /run/lab/1.ran)"
check_equal "the program fails nothing that the kernel's driver passes" "" "$(comm -13 /run/lab/0.failed /run/lab/1.failed)"
for board in 0 1; do
    check "board $board: unmount" umount /run/board-$board
    check "board $board: gadget down" board_down $board
    host_stop $board
done
dmesg_clean
