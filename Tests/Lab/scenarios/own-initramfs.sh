#!/usr/bin/env bash
# boots by an initramfs of one's own, whose /init does what docs/first-board.md says
# lab: timeout=600
# lab: initrd=Tests/Lab/own-initramfs
# lab: boot=own -- quiet
# shellcheck source=../lib.sh
. "$LAB/lib.sh"
host_program "$P9FWD"

tree=$(export_directory root)
as_user mkdir "$tree"/{bin,sbin,dev,proc,sys,run}
as_user cp /bin/busybox "$tree/bin/"
as_user tee "$tree/sbin/init" >/dev/null <<'INIT'
#!/bin/busybox sh
busybox mount -t proc proc /proc
busybox cp /proc/uptime /run/lab-reached
while :; do busybox sleep 3600; done
INIT
as_user chmod 755 "$tree/sbin/init"
"${as_user[@]}" "$P9FWD" serve "$tree" </dev/null >/run/lab/host.log 2>&1 &
board_power_on
check "the root's init runs" wait_for 120 test -s "$tree/run/lab-reached"
check "from the host's directory, with the documented options" grep -q '^usb9pfs / 9p rw,.*cache=0x5' /proc/1/mounts
grep ' / 9p ' /proc/1/mounts | sed 's/^/# /'
check_equal "nothing of the initramfs is left" "" "$(find /proc/1/root/newroot 2>/dev/null)"
check "no panic" eval '! console_says "Kernel panic|Oops|BUG:"'
