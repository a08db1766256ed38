#!/usr/bin/env bash
# p9gadget's processes killed and crashed, each and both at once; a container's kill -9 -1, and what kills all of it
# lab: timeout=400
# lab: drivers=program
# shellcheck source=../lib.sh
. "$LAB/lib.sh"
[ "$LAB_HOST" = p9fwd ] || fail "this scenario is about p9fwd"
tree=$(export_directory root)
head -c 2M /dev/urandom >"$tree/large"
echo content >"$tree/file"
chown -R "$LAB_UID:$LAB_GID" "$tree"

keeper() { cat /run/usb9pfs-gadget/board-0.pid; }
processes() { pgrep -f -- '--pid /run/usb9pfs-gadget/board-0.pid' | LC_ALL=C sort -n; }
# The process that carries messages has three threads.
carrier() {
    local process
    for process in $(processes); do
        [ "$(find "/proc/$process/task" -mindepth 1 -maxdepth 1 | wc -l)" != 3 ] || echo "$process"
    done
}
successor() { processes | grep -vx -e "$(keeper)" -e "$(carrier)"; }
three() { [ "$(processes | wc -l)" = 3 ] && [ -n "$(carrier)" ] && [ -n "$(successor)" ]; }
logged() { dmesg | grep -c "p9gadget: $1"; }
# Uncached: from the host.
reads() { timeout 60 cmp "$tree/large" /run/board/large; }
port() { echo "$1" | tee /sys/devices/platform/dummy_hcd.0/usb*/*-0:1.0/usb*-port1/disable >/dev/null; }
none() { [ -z "$(processes)" ]; }
goes_on="another one goes on"

check "gadget up" board_up 0
host_serve 0 "$tree" || fail "serve"
check "mount" board_mount 0 /run/board
check "three processes" wait_for 20 three

# strike NAME SIGNAL PROCESS...
strike() {
    local name=$1 before
    before=$(logged ".*$goes_on")
    kill "-$2" "${@:3}"
    check "$name: reads" reads
    check "$name: three processes again" wait_for 20 three
    check "$name: the log says so" test "$(logged ".*$goes_on")" -gt "$before"
    check_equal "$name: the file with its number" 0 "$(grep -cvx "$(keeper)" /run/usb9pfs-gadget/board-0.pid)"
}
strike "the carrier killed" KILL "$(carrier)"
strike "the carrier crashed" SEGV "$(carrier)"
strike "the keeper killed" KILL "$(keeper)"
strike "the keeper crashed" SEGV "$(keeper)"
strike "the carrier killed, whose keeper is another's" KILL "$(carrier)"
strike "the keeper killed once more" KILL "$(keeper)"
kill -KILL "$(successor)"
check "the one that waits killed: three processes again" wait_for 20 three
strike "keeper and carrier killed at once" KILL "$(keeper)" "$(carrier)"

kill -KILL "$(keeper)"
port 1
check "the cable is out, just after the keeper was killed" wait_for 60 board_gone 0
timeout 60 cat /run/board/file >/run/lab/late 2>&1 &
late=$!
sleep 1
check "a read waits" kill -0 $late
port 0
wait $late
check_equal "the new keeper hears of the cable" "0 content" "$? $(cat /run/lab/late)"
check "unmount" umount /run/board
run_twice() { board_mount 0 /run/board && umount /run/board; }
check "mounted again" run_twice
check "gadget down, with another keeper than it began with" board_down 0
check_equal "nothing is left" "" "$(processes; ls /run/usb9pfs-gadget)"

check "gadget up" board_up 0
check "mount" board_mount 0 /run/board
# unshare's child is its namespace's process 1; that one's child sends the signal.
before=$(processes)
unshare --pid --fork --mount-proc sh -c 'sleep 1000 & sh -c "kill -9 -1; :"; exit 5'
check_equal "a container's root has killed all it sees" "$before" "$(processes)"
check "and the board reads" reads

# What kills everything of the board kills this too: Linux knows no process but 1 that such a signal spares. Here it goes to the
# program's process group, at one moment as that would, since the host side would go as well.
kill -KILL -- "-$(ps -o pgid= -p "$(keeper)" | tr -d ' ')"
check "all of it is gone" wait_for 20 none
check "the mount ends" wait_for 20 not ls /run/board
check "by an I/O error" grep 'Input/output error' <(cat /run/board/file 2>&1)
check "the host sees the gadget's function go" wait_for 60 board_gone 0
check "unmount" umount /run/board
check "gadget down" board_down 0
check "gadget up again" board_up 0
check "mounted again" board_mount 0 /run/board
check "reads" reads
check "unmount" umount /run/board
check "gadget down" board_down 0
host_stop 0
dmesg_clean
