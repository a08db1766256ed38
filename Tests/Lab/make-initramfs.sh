#!/usr/bin/env bash
# Run in the lab by Tests/Lab/build-initramfs: makes the initramfs of a Debian root file system in that system itself.
# lab: timeout=900
# shellcheck source=lib.sh
. "$LAB/lib.sh"
# shellcheck source=../as-written.sh
. "$LAB/../as-written.sh"
mkdir /run/checkout
like_a_checkout /run/checkout
kind=$1

image_mount /run/image || fail "image"
root=/run/image
version=$(uname -r)
[ -z "${LAB_STOCK_KERNEL:-}" ] || version=$(cat "$LAB_STOCK_KERNEL/version")
for directory in dev proc sys; do mount --rbind "/$directory" "$root/$directory" || fail "mount $directory"; done
# Not on the image: writing there is what takes longest.
for directory in tmp var/tmp run boot; do mount -t tmpfs tmpfs "$root/$directory" || fail "mount $directory"; done
mkdir -p "$root/lib/modules/$version"
if [ -n "${LAB_STOCK_KERNEL:-}" ]; then
    mount --bind "$LAB_STOCK_KERNEL/lib/modules/$version" "$root/lib/modules/$version" || fail "mount the kernel's modules"
    cp "$LAB_STOCK_KERNEL/boot/config-$version" "$root/boot/"
    # The board's controller is none that a device tree could name.
    if [ -d "$root/etc/initramfs-tools" ]; then
        echo dummy_hcd >>"$root/etc/initramfs-tools/modules"
        # What the hooks ask for and no more: to copy the thousand others takes ten minutes here.
        echo MODULES=list >"$root/etc/initramfs-tools/conf.d/lab"
    fi
    [ ! -d "$root/etc/dracut.conf.d" ] || echo 'force_drivers+=" dummy_hcd "' >"$root/etc/dracut.conf.d/dummy.conf"
else
    # Where Debian has them. This kernel has no modules, as a directory with empty lists says.
    touch "$root/lib/modules/$version"/modules.{order,builtin,builtin.modinfo}
    zcat /proc/config.gz >"$root/boot/config-$version"
fi
on_board() { chroot "$root" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8 "$@" </dev/null; }

# As docs/initramfs-distributions.md says.
if [ -n "${LAB_STOCK_KERNEL:-}" ]; then
    check "install-hooks" as_written docs/initramfs-distributions.md "Installing" 1.2 "arm64=$LAB_STOCK_ARCHITECTURE" "/mnt/board=$root"
else
    check "install-hooks" as_written docs/initramfs-distributions.md "Installing" 1.2 "--arch arm64 =" "/mnt/board=$root"
fi
# shellcheck disable=SC2034 # as_written's
written_by=(on_board)

# What Debian's own kernels have, for which no image can be made while p9gadget is not there.
without_program() {
    mkdir -p "$root/lib/modules/stock" "$root/tmp/with/usr/sbin"
    touch "$root/lib/modules/stock"/modules.{order,builtin,builtin.modinfo}
    sed -e 's/^CONFIG_NET_9P=y/CONFIG_NET_9P=m/' -e '/^CONFIG_NET_9P_USBG=/d' "$root/boot/config-$version" >"$root/boot/config-stock"
    grep -v CONFIG_NET_9P_FD "$root/boot/config-stock" >"$root/boot/config-poor"
    case $kind in
        initramfs-tools)
            # Only the hook: the other hooks say nothing about this.
            on_board env version=stock DESTDIR=/tmp/stock BUSYBOXDIR=/bin /usr/share/initramfs-tools/hooks/usb9pfs >/run/lab/stock 2>&1
            check_equal "a kernel without the driver: the image is made all the same" 0 $?
            check "... and what is documented is said" grep -qF \
                "$(page_text docs/initramfs-distributions.md "What it needs" 1 config-6.12.1=config-stock | paste -s -d ' ')" /run/lab/stock
            ;;
        dracut*)
            on_board dracut --no-hostonly --modules usb9pfs --kver stock /tmp/stock >/run/lab/stock 2>&1
            check_equal "a kernel without the driver: dracut --modules usb9pfs is refused" 1 $?
            ;;
    esac
    check "the reason says what to do" grep -q 'p9gadget: it is not installed.*install-hooks --program' /run/lab/stock
    cp /bin/true "$root/tmp/with/usr/sbin/p9gadget"
    check_equal "with p9gadget nothing is wrong with that kernel" "" "$(lacks /boot/config-stock /tmp/with)"
    check_equal "with neither driver both are named" "NET_9P_FD=n NET_9P_USBG=n NET_9P=m" "$(lacks /boot/config-poor /tmp/with)"
    check "nothing of this is in the image for it" test ! -e "$root/tmp/stock"
}

# shellcheck disable=SC2016 # for the inner shell
lacks() { on_board sh -c '. /usr/lib/usb9pfs-boot/image.sh && kernel_lacks "$@"' sh "$@" | sed 's/:.*//' | paste -s -d ' '; }

start=$SECONDS
case $kind in
    initramfs-tools)
        check "update-initramfs" as_written docs/initramfs-distributions.md "Installing" 2.1 "VERSION=$version"
        on_board lsinitramfs "/boot/initrd.img-$version" >/run/lab/list
        ;;
    dracut*)
        printf '%s\n' 'hostonly=no' 'compress=gzip' >"$root/etc/dracut.conf.d/lab.conf"
        [ "$kind" != dracut ] ||
            echo 'omit_dracutmodules+=" systemd systemd-initrd dracut-systemd "' >>"$root/etc/dracut.conf.d/lab.conf"
        check "dracut" as_written docs/initramfs-distributions.md "Installing" 2.2 "VERSION=$version"
        # shellcheck disable=SC2016 # for the inner shell
        on_board sh -c 'gzip -dc "$0" | cpio -it --quiet' "/boot/initrd.img-$version" >/run/lab/list
        ;;
esac
echo "# $kind took $((SECONDS - start)) s"
if [ -n "${LAB_STOCK_KERNEL:-}" ]; then
    for name in 9p 9pnet_fd libcomposite usb_f_fs usb_f_ncm overlay dummy_hcd; do
        check "the module $name is in the image" grep -qE "/$name\.ko(\.[a-z]*)?$" /run/lab/list
    done
    check "p9gadget is in the image" grep -q '^usr/sbin/p9gadget$' /run/lab/list
else
    without_program
fi
check "usb9pfs-root is in the image" grep -q '^usr/lib/usb9pfs-boot/usb9pfs-root' /run/lab/list
check "the gadget's functions are in the image" grep -q '^usr/lib/usb9pfs-gadget/gadget.sh' /run/lab/list
cp "$root/boot/initrd.img-$version" "$LAB_DIR/out/initramfs" || fail "no image"
