#!/usr/bin/env bash
# an initramfs that scripts/boot/mkinitramfs has compressed by xz
# lab: timeout=600
# lab: initrd=scripts/boot/mkinitramfs --compress xz --output
# lab: boot=xz --image busybox -- root=dummy_udc.0 rootfstype=9p rootflags=trans=usbg rw
# shellcheck source=../lib.sh
. "$LAB/lib.sh"
[ "$LAB_HOST" = p9fwd ] || fail "this scenario is about p9fwd"
host_program "$P9FWD"

# As xz(1) and zstd(1) begin their files.
case $1 in
    xz) magic=fd377a585a00 ;;
    zstd) magic=28b52ffd ;;
esac
check_equal "it is compressed by $1" "$magic" "$(head -c $((${#magic} / 2)) "$LAB_INITRD" | od -A n -t x1 | tr -d ' \n')"
image_mount /run/image
board_power_on
wait_for 60 board_device 0 >/dev/null || fail "no board" "$(console)"
usb_permissions
host_serve 0 /run/image || fail "serve"
reached() { [ -s /proc/1/root/run/lab-reached ]; }
check "the board boots" wait_for 120 reached
check "from the host" grep -q '^dummy_udc.0 / 9p rw,' /proc/1/mounts
check "no panic" eval '! console_says "Kernel panic|Oops|BUG:"'
