#!/usr/bin/env bash
# an initramfs with p9gadget: a board that boots by it, to busybox and to systemd, and powers off
# lab: timeout=900
# lab: initrd=scripts/boot/mkinitramfs --program .build/p9gadget/amd64/p9gadget --output
# lab: boot=busybox --image busybox -- root=dummy_udc.0 rootfstype=9p rootflags=trans=usbg rw
# lab: boot=systemd --image rootfs -- usb9pfs.udc=dummy_udc.0 root=board rootfstype=9p rootflags=trans=usbg,cache=loose rw quiet
# shellcheck source=../lib.sh
. "$LAB/lib.sh"
[ "$LAB_HOST" = p9fwd ] || fail "this scenario is about p9fwd"
host_program "$P9FWD"

image_mount /run/image
[ "$1" = busybox ] || tell_multi_user /run/image/etc/systemd/system
board_power_on
wait_for 120 board_device 0 >/dev/null || fail "no board" "$(console)"
usb_permissions
host_serve 0 /run/image || fail "serve"
reached() { [ -s /proc/1/root/run/lab-reached ]; }
check "the board boots" wait_for 600 reached
check "its root is the program's" grep -q '^/run/usb9pfs-gadget/[a-z_.0-9]*.9p / 9p rw,.*trans=unix' /proc/1/mounts
keeper=$(cat /proc/1/root/run/usb9pfs-gadget/*.pid)
check_equal "the program lives on" "@" "$(head -c 1 "/proc/$keeper/cmdline")"
check_equal "two carriers, one of which waits" 2 "$(pgrep -P "$keeper" | wc -l)"
if [ "$1" = systemd ]; then
    check_equal "no unit has failed" "" "$(nsenter -t 1 --mount --root --wd systemctl --failed --no-legend)"
    check "rescue mode" nsenter -t 1 --mount --root --wd systemctl --no-block isolate rescue.target
    sleep 5
    check "the program lives on there" kill -0 "$keeper"
    check "and the root is read" ls -R /proc/1/root/etc >/dev/null
fi
check "no panic" eval '! console_says "Kernel panic|Oops|BUG:"'
