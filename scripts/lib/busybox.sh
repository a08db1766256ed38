# Debian's static busybox for an architecture of Debian's, downloaded as an ordinary user. Sourced after common.sh.
# shellcheck shell=bash
# shellcheck disable=SC2154 # usb9pfs_cache and developer_* come from common.sh
#
#   busybox=$(fetch_busybox ARCHITECTURE)    prints the program's path in the cache; beside it lie `version` (Debian's)
#                                            and `copyright`, which whoever passes busybox on must pass on too
#   check_busybox FILE ARCHITECTURE          dies unless FILE is a static program for that architecture
#
# $USB9PFS_MIRROR and $USB9PFS_SUITE choose another mirror (default: the one this machine's apt uses) or release (bookworm).
. "$usb9pfs_root/scripts/lib/debian.sh"

check_busybox() {
    local want have
    want=$(debian_elf_machine "$2") || exit # die's message is out already
    need_packages binutils
    have=$(elf_machine "$1")
    [ -n "$have" ] || die "$1 is not an ELF program: name a busybox for $2"
    [ "$have" = "$want" ] || die "$1 is for '$have', not for $2 ('$want')"
    # A program interpreter is a dynamic linker, which the board's small file system lacks.
    # Not grep -q: it ends early, and with pipefail the broken pipe would be the result.
    ! LC_ALL=C readelf -lW "$1" | grep '^ *INTERP ' >/dev/null ||
        die "$1 is not static: it would need its loader and libraries beside it. Take a static one, such as Debian's busybox-static"
}

fetch_busybox() {
    local architecture=$1 suite=${USB9PFS_SUITE:-bookworm} folder work package
    debian_elf_machine "$architecture" >/dev/null || exit
    folder=$usb9pfs_cache/busybox/$suite-$architecture
    if [ ! -x "$folder/busybox" ]; then
        say "downloading busybox-static for $architecture"
        mkdir -p "$usb9pfs_cache/busybox"
        work=$(mktemp -d "$usb9pfs_cache/busybox/new.XXXXXX")
        mkdir "$work/result"
        # In a subshell, whose end is not this one's: the directory has to go first.
        if ! (private_apt "$work" "$architecture" "$suite" && download_packages "$work" "busybox-static:$architecture"); then
            rm -rf "$work"
            die "without busybox-static for $architecture there is no initramfs: name another mirror, or a busybox of your own"
        fi
        package=$(find "$work" -maxdepth 1 -name 'busybox-static_*.deb')
        # /bin in Debian 12, /usr/bin in 13.
        dpkg-deb --fsys-tarfile "$package" | tar -xO --wildcards '*/bin/busybox' >"$work/result/busybox"
        dpkg-deb --fsys-tarfile "$package" | tar -xO ./usr/share/doc/busybox-static/copyright >"$work/result/copyright"
        dpkg-deb -f "$package" Version >"$work/result/version"
        chmod 755 "$work/result" "$work/result/busybox"
        chmod 644 "$work/result/copyright" "$work/result/version"
        # If two runs download at the same time, the second keeps the first one's file.
        mv -T "$work/result" "$folder" 2>/dev/null || [ -x "$folder/busybox" ] || die "can't write to $folder"
        rm -rf "$work"
    fi
    check_busybox "$folder/busybox" "$architecture"
    echo "$folder/busybox"
}
