#!/usr/bin/env bash
# boots by the initramfs of Debian's dracut with systemd in it, with this project's hooks: three forms of the command line, and a mistake
# soak: as dracut, once more with systemd in it
# lab: timeout=900
# lab: initrd=Tests/Lab/build-initramfs dracut-systemd
# lab: boot=rsinit --image busybox -- usb9pfs.udc=dummy_udc.0 rootfstype=9p rootflags=trans=usbg,cache=loose
# lab: boot=barebox --image rootfs --timeout 900 -- usb9pfs.udc=dummy_udc.0 root=board-7 rootfstype=9p rootflags=trans=usbg,msize=65536,cache=loose rw
# lab: boot=kernel --image busybox -- usb9pfs.udc=dummy_udc.0 root=usb rootfstype=9p rootflags=trans=usbg,cache=loose,uname=root,access=0,dfltuid=0,dfltgid=0,aname=/run/image usb9pfs.overlay=tmpfs
# lab: boot=wrong-root --image busybox -- usb9pfs.udc=dummy_udc.0 root=usb rootfstype=9p rootflags=trans=usbg,aname=/nowhere usb9pfs.shell
# shellcheck source=../lib.sh
. "$LAB/lib.sh"
# shellcheck source=../initramfs-boots.sh
. "$LAB/initramfs-boots.sh"

# When systemd leaves the initramfs it ends every process but root's whose name begins with @. In the lab the host's
# are among them.
# shellcheck disable=SC2016,SC2034 # for the inner shell; lib.sh's
as_user=(bash -c 'exec -a "@${1##*/}" "$@"' bash)
# It switches to nothing else.
[ -e $tree/etc/os-release ] || echo ID=busybox >$tree/etc/os-release

case $1 in
    rsinit) boot_rsinit ;;
    barebox) boot_barebox ;;
    kernel) boot_kernel ;;
    wrong-root)
        boot_wrong_root 'Entering emergency mode'
        # The initramfs has no env, so not in_board.
        unit() { nsenter -t 1 --mount --root --wd systemctl show -P "$1" sysroot.mount; }
        check_equal "systemd has a mount of its own for root=" "9p" "$(unit Type)"
        check "which waits for the service" grep -qw usb9pfs-root.service <(unit Requires)
        check_equal "and was not tried" "inactive success" "$(unit ActiveState) $(unit Result)"
        ;;
esac
dmesg_clean
