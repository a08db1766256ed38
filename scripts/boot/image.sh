# What an initramfs needs so that root can be mounted over USB: read when an image is built, by the hooks of initramfs-tools and
# dracut and by mkinitramfs, not by the image.
# shellcheck shell=sh disable=SC2034 # for the hooks

# image_files [ROOT]: the files of this project, and the gadget's configuration if there is one.
image_files() {
    for file in usr/sbin/usb9pfs-gadget usr/sbin/p9gadget etc/usb9pfs-gadget.conf usr/lib/usb9pfs-boot/usb9pfs-root; do
        [ ! -e "${1:-}/$file" ] || echo "/$file"
    done
    for file in console command-line root wait; do echo "/usr/lib/usb9pfs-boot/$file.sh"; done
    (cd "${1:-}/" && printf '/%s\n' usr/lib/usb9pfs-gadget/*.sh)
}

# The programs that they use, besides those that both tools put into every image.
image_programs="awk cat chroot cut dirname grep head id ln ls mkdir mount mv od printf readlink rm rmdir sed setsid sha256sum sleep tail
    tr umount"
# To read /proc/config.gz and the kernel's log, for better messages.
image_programs_if_there="gzip zcat modprobe dmesg"

# By modprobe's names: 9P, over a socket for p9gadget, and the functions of a gadget.
image_modules="9p 9pnet_fd overlay configfs libcomposite usb_f_fs u_ether usb_f_ecm usb_f_ncm usb_f_rndis usb_f_eem usb_f_acm
    usb_f_mass_storage"
# USB device controllers and what they need, as directories of the kernel's modules. A board's device tree tells which driver
# it needs, and udev loads that.
image_module_directories="drivers/usb/dwc2 drivers/usb/dwc3 drivers/usb/musb drivers/usb/chipidea drivers/usb/cdns3
    drivers/usb/mtu3 drivers/usb/renesas_usbhs drivers/usb/isp1760 drivers/usb/gadget/udc drivers/usb/phy drivers/usb/roles
    drivers/usb/common drivers/phy drivers/extcon"

# kernel_configuration ROOT VERSION: the file of a kernel's configuration; nothing if there is none. Debian's kernels since 7.3 have it
# beside their modules.
kernel_configuration() {
    for file in "$1/boot/config-$2" "$1/lib/modules/$2/config" "$1/usr/lib/modules/$2/config"; do
        [ ! -r "$file" ] || { echo "$file" && return; }
    done
}

# kernel_lacks FILE [ROOT]: prints what in the kernel's configuration FILE makes a root over USB impossible, one a line; nothing if
# it is possible. p9gadget counts if it is installed in ROOT. In a subshell, because the names of the check may clash with the
# calling tool's.
kernel_lacks() {
    (
        # shellcheck source=../gadget/lib/check.sh
        . /usr/lib/usb9pfs-gadget/check.sh
        json=no
        check_defaults
        check_begin "$1" || { echo "fail  it is not a kernel configuration" && exit; }
        check_configuration
        [ "$check_can" != " program" ] || [ -x "${2:-}/usr/sbin/p9gadget" ] || check_result fail p9gadget \
            "it is not installed, and this kernel has no driver of its own for usb9pfs" "scripts/boot/install-hooks --program installs it"
    ) | sed -n 's/^fail  //p'
}
