# What the scenarios with raw_board.py share: `. "$LAB/raw-board.sh"` in place of lib.sh. They play a board on /dev/raw-gadget
# against p9fwd.
# shellcheck shell=bash
# shellcheck source=lib.sh
. "$LAB/lib.sh"

host_program "$P9FWD"
tree=$(export_directory root)
head -c 5000 /dev/urandom >"$tree/file"
port=$(basename /sys/devices/platform/dummy_hcd.0/usb*/ | sed 's/usb\(.*\)/\1-1/')
# The board itself sees a reset too, and ends with a message.
resets() { dmesg | grep -c "usb $port: reset"; }

# board NAME [OPTION=VALUE...] WORD...: plays a board in the background, its output in /run/lab/board-NAME.{out,log}
board() {
    local name=$1
    shift
    timeout 300 python3 "$LAB/scenarios/raw_board.py" dummy_udc.0 "$@" </dev/null >"/run/lab/board-$name.out" 2>"/run/lab/board-$name.log" &
    board=$!
}
# played NAME WANT: waits for the board's end, and compares what it printed
played() {
    wait "$board" || not_ok "$1: what the host did" "$(cat "/run/lab/board-$1.log")"
    check_equal "$1" "$2" "$(cat "/run/lab/board-$1.out")"
    wait_for 60 board_gone 0
}
unplug() {
    kill "$board" 2>/dev/null
    wait "$board" 2>/dev/null
    wait_for 60 board_gone 0
}
# serve NAME [OPTION...]: in the background, its output in /run/lab/NAME.log; served NAME CODE waits for its end
serve() {
    "${as_user[@]}" "$P9FWD" serve "$tree" --path "$port" "${@:2}" </dev/null >"/run/lab/$1.log" 2>&1 &
    p9fwd=$!
    wait_for 60 test -s "/run/lab/$1.log"
}
ended() { ! kill -0 "$1" 2>/dev/null; }
served() {
    wait_for 60 ended "$p9fwd" || { not_ok "$1: ends" "$(cat "/run/lab/$1.log")" && kill -KILL "$p9fwd"; }
    wait "$p9fwd"
    check_equal "$1: exit code" "$2" $?
}
log_says() { check "$1: says '$2'" wait_for 60 grep -qF -- "$2" "/run/lab/$1.log"; }
