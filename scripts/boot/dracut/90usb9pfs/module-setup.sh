#!/bin/bash
# dracut module: puts into an image what it needs to mount root over USB (docs/initramfs-distributions.md).
# shellcheck disable=SC2154 # moddir, kernel, hostonly and others are dracut's

# shellcheck source=../../image.sh
. "${dracutsysrootdir-}/usr/lib/usb9pfs-boot/image.sh"

# If the kernel can't do it, the module says why and the image is built without it: other kernels of the machine may be there
# for other ways to boot. With --add usb9pfs dracut ends with an error instead.
check() {
    local configuration lack lacks=0
    configuration=$(kernel_configuration "${dracutsysrootdir-}" "$kernel")
    if [[ $configuration ]]; then
        while read -r lack; do
            dwarning "usb9pfs: this image can't mount root over USB: $configuration: $lack"
            lacks=1
        done < <(kernel_lacks "$configuration" "${dracutsysrootdir-}")
    else
        dwarning "usb9pfs: there is no /boot/config-$kernel, so nobody has checked whether this kernel can do it"
    fi
    return $lacks
}

depends() {
    echo base
}

installkernel() {
    local directory
    # All of them, not only this machine's: the device tree tells which controller a board has.
    # shellcheck disable=SC2086 # several words
    hostonly='' instmods $image_modules
    for directory in $image_module_directories; do
        hostonly='' instmods "=$directory"
    done
}

install() {
    local file
    # shellcheck disable=SC2086 # several words
    inst_multiple $image_programs
    # shellcheck disable=SC2086 # several words
    inst_multiple -o $image_programs_if_there
    for file in $(image_files "${dracutsysrootdir-}"); do
        inst_simple "$file"
    done
    inst_hook cmdline 90 "$moddir/parse-usb9pfs.sh"
    if dracut_module_included systemd; then
        inst_simple "$moddir/usb9pfs-root.service" "$systemdsystemunitdir/usb9pfs-root.service"
        inst_simple "$moddir/sysroot.conf" "$systemdsystemunitdir/sysroot.mount.d/usb9pfs.conf"
        $SYSTEMCTL -q --root "$initdir" add-requires initrd-root-fs.target usb9pfs-root.service
    else
        inst_hook mount 90 "$moddir/mount-usb9pfs.sh"
    fi
}
