#!/usr/bin/env bash
# boots the served Debian to multi-user (a busybox system: to its init); [CACHE], default mmap; tells the seconds it took
# lab: timeout=900
# lab: drivers=kernel program
# soak with program: a boot to multi-user once more
# lab: image=rootfs
#
# The last line is for programs: result NAME=VALUE...
# shellcheck source=../lib.sh
. "$LAB/lib.sh"
cache=${1:-mmap}

gadgets_listed() { as_user "$P9FWD" list >"$LAB_DIR/out/gadgets"; }

image_mount /run/image || fail "image"
board_up 0 || fail "gadget up"
if [ "$LAB_HOST" = p9fwd ]; then
    host_program "$P9FWD"
    wait_for 60 gadgets_listed || fail "p9fwd list"
fi
host_serve 0 /run/image || fail "serve"
start=$(uptime_seconds)
board_mount 0 /run/board "cache=$cache" || fail "mount"
mount_line=$(grep ' /run/board 9p ' /proc/mounts)
board_boot 0 /run/board || fail "boot"
reached() { [ -s "/proc/$board_init/root/run/lab-reached" ]; }
if [ -e /run/image/usr/lib/systemd/systemd ]; then goal=multi-user; else goal="busybox's init"; fi
wait_for $((LAB_TIMEOUT - 60)) reached || {
    [ "$goal" != multi-user ] || in_board systemctl list-jobs
    fail "$goal"
}
end=$(cut -d ' ' -f 1 "/proc/$board_init/root/run/lab-reached")
seconds=$(awk "BEGIN { print $end - $start }")
ok "$goal after $seconds s"
if [ "$goal" = multi-user ]; then
    check_equal "systemctl is-system-running" running "$(in_board systemctl is-system-running --wait)"
    check_equal "systemctl --failed" "" "$(in_board systemctl --failed --no-legend --plain)"
fi
if [ "$LAB_HOST" = p9fwd ]; then
    memory=$(awk '/^VmHWM:/ { print $2 }' "/proc/$(cat /run/lab/host-0.pids)/status")
    echo "# memory of p9fwd: $memory KiB at most"
    check "p9fwd takes less than 16 MiB" test "$memory" -lt 16384
fi
root_line=$(in_board grep ' / ' /proc/mounts)
if [ "$goal" = multi-user ]; then
    in_board journalctl --no-pager -p warning -b | sed 's/^/# /'
    in_journal() { [ -n "$(in_board journalctl --no-pager -q -n 1 -u lab-reached.service)" ]; }
    check "the board's journal is written" wait_for 60 in_journal
    in_board systemctl poweroff >/dev/null 2>&1
else
    in_board poweroff
fi
# With what held its namespaces, whose mount is unmounted when that ends.
ended() { ! kill -0 "$board_unshare" 2>/dev/null; }
check "power off" wait_for 120 ended
umount /run/board/run
check "unmount" umount /run/board
host_stop 0
read -r requests bytes < <(host_counters 0)
dmesg_clean
cat >"$LAB_DIR/out/summary" <<END
mount line of /=$root_line
seconds to $goal=$seconds
requests, boot and power off=$requests
bytes moved=$bytes
END
echo "result host=$LAB_HOST cache=$cache seconds=$seconds requests=$requests bytes=$bytes mount=\"$mount_line\""
