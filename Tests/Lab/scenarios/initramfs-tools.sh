#!/usr/bin/env bash
# boots by the initramfs of Debian's initramfs-tools with this project's hooks: three forms of the command line, and mistakes
# lab: timeout=900
# lab: initrd=Tests/Lab/build-initramfs initramfs-tools
# lab: boot=rsinit --image busybox -- usb9pfs.udc=dummy_udc.0 rootfstype=9p rootflags=trans=usbg,cache=loose
# lab: boot=barebox --image rootfs --timeout 900 -- usb9pfs.udc=dummy_udc.0 root=board-7 rootfstype=9p rootflags=trans=usbg,msize=65536,cache=loose rw
# lab: boot=kernel --image busybox -- usb9pfs.udc=dummy_udc.0 root=usb rootfstype=9p rootflags=trans=usbg,cache=loose,uname=root,access=0,dfltuid=0,dfltgid=0,aname=/run/image usb9pfs.overlay=tmpfs
# lab: boot=wrong-root --image busybox -- usb9pfs.udc=dummy_udc.0 root=usb rootfstype=9p rootflags=trans=usbg,aname=/nowhere usb9pfs.shell panic=
# lab: boot=wrong-tag --image busybox -- usb9pfs.udc=dummy_udc.0 root=/dev/mmcblk0p2 rootfstype=9p rootflags=trans=usbg panic=
# shellcheck source=../lib.sh
. "$LAB/lib.sh"
# shellcheck source=../initramfs-boots.sh
. "$LAB/initramfs-boots.sh"

tries() { console | grep -c 'what aname= in rootflags names'; }
tried_again() { [ "$(tries)" -ge 2 ]; }

case $1 in
    rsinit) boot_rsinit ;;
    barebox) boot_barebox ;;
    kernel) boot_kernel ;;
    wrong-root)
        boot_wrong_root '\(initramfs\)'
        # shellcheck disable=SC2016 # for the board's shell
        console_type 'echo reason: $REASON'
        board_says "it is initramfs-tools' own" 'reason: usb9pfs: root is not mounted'
        console_type exit
        check "leaving it tries again" wait_for 60 tried_again
        ;;
    wrong-tag) boot_wrong_tag '\(initramfs\)' ;;
esac
dmesg_clean
