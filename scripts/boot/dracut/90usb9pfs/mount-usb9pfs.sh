#!/bin/sh
# dracut's mount hook, sourced, possibly several times, and only where dracut's own init is process 1.
# shellcheck disable=SC2154 # root is dracut's
if [ "$root" = usb9pfs ] && ! ismounted "$NEWROOT"; then
    # A program of its own, so that no name there is a name of dracut's.
    /usr/lib/usb9pfs-boot/usb9pfs-root mount "$NEWROOT" || emergency_shell "usb9pfs: root is not mounted, see above"
fi
