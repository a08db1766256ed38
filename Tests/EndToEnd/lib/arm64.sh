# Real arm64 kernels' configurations, device trees and packages, for the tests of scripts/boot; kept in the cache.
# Call both as $(...), without || behind it: they clean up by a trap of their own, and the first command that fails ends them,
# or else half of it would be kept for ever.
# shellcheck shell=bash disable=SC2154 # from common.sh, as does page_text from as-written.sh

# Prints a directory with what Linux's own build makes of 6.12 without compiling it: configurations, each by name, and the
# Raspberry Pi's device trees. The configuration `documented` and the device trees in `documented-dts` are made by the commands
# of docs/raspberry-pi.md.
arm64_sources() {
    set -e # which $(...) forgets
    local package=linux-source-6.12 version folder tree name
    need_packages gcc make flex bison bc xz-utils gcc-aarch64-linux-gnu "$package" >&2
    version=$(dpkg-query -W -f '${Version}' "$package")
    folder=$usb9pfs_cache/arm64/$({ echo "$version"; cat "${BASH_SOURCE[0]}"; page_text docs/raspberry-pi.md "A kernel of your own" 1; } | sha256sum | cut -c1-16)
    if [ ! -d "$folder" ]; then
        say "configuring $package $version for arm64" >&2
        mkdir -p "$usb9pfs_cache/arm64"
        work=$(mktemp -d "$usb9pfs_cache/arm64/new.XXXXXX")
        trap 'rm -rf "$work"' EXIT
        # What configuring and the device trees need; no code is compiled.
        tar -C "$work" --wildcards -xf "/usr/src/$package.tar.xz" "$package/Makefile" "$package/Kbuild" "$package/scripts/*" '*/Kconfig*' \
            "$package/arch/arm64/Makefile" "$package/arch/arm64/configs/*" "$package/arch/arm64/boot/dts/Makefile" \
            "$package/arch/arm64/boot/dts/broadcom/*" "$package/arch/arm/boot/dts/broadcom/*" "$package/include/dt-bindings/*"
        tree=$work/$package
        mkdir "$work/build" "$work/result"
        chown -R "$developer_uid:$developer_gid" "$work"
        configure() { # NAME [ARGUMENT of scripts/config...]: over `good`, or the defconfig
            name=$1
            shift
            as_developer cp "$work/result/base" "$work/build/.config"
            [ $# = 0 ] || as_developer "$tree/scripts/config" --file "$work/build/.config" "$@"
            as_developer make -s -C "$tree" ARCH=arm64 "O=$work/build" olddefconfig >"$work/log" 2>&1 || { cat "$work/log" >&2 && return 1; }
            as_developer cp "$work/build/.config" "$work/result/$name"
        }
        as_developer make -s -C "$tree" ARCH=arm64 "O=$work/build" defconfig >"$work/log" 2>&1 || { cat "$work/log" >&2 && return 1; }
        as_developer cp "$work/build/.config" "$work/result/defconfig"
        as_developer cp "$work/build/.config" "$work/result/base"
        configure good -e NET_9P_USBG -e 9P_FS_POSIX_ACL -e 9P_FS_SECURITY -e USB_CONFIGFS -e USB_CONFIGFS_ECM -e USB_CONFIGFS_NCM \
            -e OVERLAY_FS -e TMPFS_XATTR
        as_developer cp "$work/result/good" "$work/result/base"
        configure 9p-module -m NET_9P
        configure gadget-module -m USB_GADGET
        configure dwc2-host -d USB_DWC2_DUAL_ROLE -e USB_DWC2_HOST
        configure dwc2-module -m USB_DWC2
        configure no-dwc2 -d USB_DWC2
        configure 16k -e ARM64_16K_PAGES
        configure no-initramfs -d BLK_DEV_INITRD
        configure no-gzip -d RD_GZIP
        configure no-functions -d USB_CONFIGFS_ECM -d USB_CONFIGFS_ECM_SUBSET -d USB_CONFIGFS_NCM -d USB_CONFIGFS_RNDIS -d USB_CONFIGFS_EEM
        rm "$work/result/base"
        mkdir "$work/result/dtbs"
        for name in bcm2711-rpi-4-b bcm2711-rpi-400 bcm2711-rpi-cm4-io bcm2712-rpi-5-b bcm2837-rpi-zero-2-w bcm2837-rpi-3-a-plus \
            bcm2837-rpi-cm3-io3; do
            as_developer make -s -C "$tree" ARCH=arm64 "O=$work/build" "broadcom/$name.dtb" >"$work/log" 2>&1 || { cat "$work/log" >&2 && return 1; }
            cp "$work/build/arch/arm64/boot/dts/broadcom/$name.dtb" "$work/result/dtbs/"
        done
        # Linux's own tree has no bcm2711_defconfig. To compile the kernel would take hours: of what is built one device tree.
        mv "$tree" "$work/linux"
        (
            cd "$work"
            # shellcheck disable=SC2034 # as_written runs the commands by it
            written_by=(as_developer)
            as_written docs/raspberry-pi.md "A kernel of your own" 1 bcm2711_defconfig=defconfig \
                "Image dtbs=broadcom/bcm2711-rpi-4-b.dtb"
        ) >"$work/log" 2>&1 || { tail -n 20 "$work/log" >&2 && return 1; }
        cp "$work/linux/.config" "$work/result/documented"
        mkdir -p "$work/result/documented-dts/broadcom"
        cp "$work/linux/arch/arm64/boot/dts/broadcom/bcm2711-rpi-4-b.dtb" "$work/result/documented-dts/broadcom/"
        chmod -R a+rX "$work/result"
        mv -T "$work/result" "$folder" 2>/dev/null || true # another run may have been faster
    fi
    echo "$folder"
}

# Prints a directory into which Debian's arm64 kernel of 6.12 (boot/vmlinuz-*, boot/config-*, its device trees in
# usr/lib/linux-image-*, lib/modules) and the firmware of the Raspberry Pi (usr/lib/raspi-firmware) are unpacked.
arm64_packages() {
    set -e # which $(...) forgets
    local folder image options
    need_packages apt ca-certificates gpgv debian-archive-keyring >&2
    folder=$usb9pfs_cache/arm64/packages-$(sha256sum "${BASH_SOURCE[0]}" | cut -c1-16)
    if [ ! -d "$folder" ]; then
        say "downloading Debian's arm64 kernel and the Raspberry Pi's firmware" >&2
        mkdir -p "$usb9pfs_cache/arm64"
        work=$(mktemp -d "$usb9pfs_cache/arm64/new.XXXXXX")
        trap 'rm -rf "$work"' EXIT
        mkdir -p "$work"/{lists/partial,archives/partial,result}
        : >"$work/status"
        printf 'deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] %s\n' \
            "$(debian_mirror bookworm) bookworm main non-free-firmware" \
            "$(debian_mirror bookworm-security) bookworm-security main" >"$work/sources.list"
        chown -R "$developer_uid:$developer_gid" "$work"
        options=(-q -o "Dir::State=$work" -o "Dir::State::Lists=$work/lists" -o "Dir::State::status=$work/status" -o "Dir::Cache=$work"
            -o "Dir::Cache::archives=$work/archives" -o "Dir::Etc::sourcelist=$work/sources.list" -o Dir::Etc::sourceparts=/nonexistent
            -o Debug::NoLocking=true -o APT::Architecture=arm64 -o APT::Architectures=arm64)
        (
            cd "$work/archives"
            as_developer apt-get "${options[@]}" update
            image=$(as_developer apt-cache "${options[@]}" --names-only search '^linux-image-6\.12\..*deb12-arm64-unsigned$' | sort -V | tail -n 1)
            as_developer apt-get "${options[@]}" download "${image%% *}" raspi-firmware
        ) >"$work/log" 2>&1 || { tail -n 15 "$work/log" >&2 && die "no arm64 packages: is a Debian mirror in reach?"; }
        for package in "$work"/archives/*.deb; do
            dpkg-deb --fsys-tarfile "$package" | as_developer tar -C "$work/result" -xf -
        done
        mv -T "$work/result" "$folder" 2>/dev/null || true
    fi
    echo "$folder"
}
