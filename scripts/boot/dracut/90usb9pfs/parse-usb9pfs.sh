#!/bin/sh
# dracut's cmdline hook, sourced: says that this root= will be dealt with.

# Includes what is in /etc/cmdline.d, and rd.timeout if no timeout of ours is set.
mkdir -p /run/usb9pfs
usb9pfs_timeout=$(getarg rd.timeout)
case $usb9pfs_timeout in
    "" | 0 | *[!0-9]*) getcmdline ;;
    *) echo "usb9pfs.timeout=$usb9pfs_timeout $(getcmdline)" ;;
esac >/run/usb9pfs/cmdline
unset usb9pfs_timeout

if /usr/lib/usb9pfs-boot/usb9pfs-root wanted; then
    # Where systemd is process 1 it reads root= by itself; what is set here is for dracut.
    # shellcheck disable=SC2034
    root=usb9pfs rootok=1
fi
