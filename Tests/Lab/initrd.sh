# Process 1 of a lab kernel that runs a board's initramfs (`run --initrd`): starts the host side in namespaces of its own
# on this machine's files, takes itself away, and becomes the board's /init. `run` puts the first lines before this, with LAB_DIR.
# shellcheck shell=sh
# shellcheck disable=SC2154 # LAB_DIR, see above
busybox=/.lab/busybox

# The whole in braces, so that it has been read before it is removed.
{
    if [ -d /.lab/modules ]; then # QEMU, by qemu.sh
        for module in /.lab/modules/*; do $busybox insmod "$module"; done
        $busybox mount -t 9p -o trans=virtio,version=9p2000.L,access=any,msize=512000,cache=loose,ro machine /.lab/host
        $busybox mount -t 9p -o trans=virtio,version=9p2000.L,access=any,msize=512000 lab "/.lab/host$LAB_DIR"
    else
        $busybox mount -t hostfs none /.lab/host
    fi
    $busybox mkfifo /.lab/power
    exec 3<>/.lab/power
    # The shell wants it for what it starts in the background.
    [ -c /dev/null ] || { $busybox mknod /dev/null c 1 3 && made=/dev/null; }
    # No process namespace: the scenario looks at the board's processes from outside. Network, mounts and host name are
    # the host's own. Its root is moved over this one, since removing a mount point takes a mount there away, in every
    # namespace. The board is switched on when the scenario says so (board_power_on).
    # shellcheck disable=SC2016 # expanded by the inner shell
    $busybox unshare -m -n -u -i $busybox sh -c 'cd /.lab/host && $0 mount --move . / &&
        exec $0 chroot . "$1/init" </dev/null >/dev/null 2>&1' $busybox "$LAB_DIR" &
    read -r _ <&3
    exec 3>&-
    $busybox umount /.lab/host && $busybox rm -rf /.lab "${made:-/.lab}"
    unset busybox made LAB_DIR
    exec /init "$@"
}
