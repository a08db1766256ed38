#!/usr/bin/env bash
# boots by the initramfs of Debian's dracut without systemd, with this project's hooks: three forms of the command line, and mistakes
# soak: an initramfs made by dracut in a Debian of its own, which is downloaded
# lab: timeout=900
# lab: initrd=Tests/Lab/build-initramfs dracut
# lab: boot=rsinit --image busybox -- usb9pfs.udc=dummy_udc.0 rootfstype=9p rootflags=trans=usbg,cache=loose
# lab: boot=barebox --image busybox -- usb9pfs.udc=dummy_udc.0 root=board-7 rootfstype=9p rootflags=trans=usbg,msize=65536,cache=loose rw
# lab: boot=kernel --image busybox -- usb9pfs.udc=dummy_udc.0 root=usb rootfstype=9p rootflags=trans=usbg,cache=loose,uname=root,access=0,dfltuid=0,dfltgid=0,aname=/run/image usb9pfs.overlay=tmpfs
# lab: boot=timeout --image busybox -- usb9pfs.udc=dummy_udc.0 root=usb rootfstype=9p rootflags=trans=usbg rd.timeout=3
# lab: boot=wrong-tag --image busybox -- usb9pfs.udc=dummy_udc.0 root=/dev/mmcblk0p2 rootfstype=9p rootflags=trans=usbg
# shellcheck source=../lib.sh
. "$LAB/lib.sh"
# shellcheck source=../initramfs-boots.sh
. "$LAB/initramfs-boots.sh"

case $1 in
    rsinit) boot_rsinit ;;
    barebox) boot_barebox ;;
    kernel) boot_kernel ;;
    timeout)
        host_unplug
        board_power_on
        board_says "rd.timeout is kept" 'no root within 3 s'
        board_says "a shell" 'Dropping to debug shell'
        # The try goes on behind it, and leaving the shell waits for that one.
        host_plug
        usb_permissions
        host_serve 0 $tree || fail "serve"
        console_type exit
        board_starts "the root's init runs"
        ;;
    wrong-tag) boot_wrong_tag 'Dropping to debug shell' ;;
esac
dmesg_clean
