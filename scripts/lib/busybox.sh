# Debian's static busybox for an architecture of Debian's, downloaded as an ordinary user. Sourced after common.sh.
# shellcheck shell=bash
# shellcheck disable=SC2154 # usb9pfs_cache and developer_* come from common.sh
#
#   busybox=$(fetch_busybox ARCHITECTURE)    prints the program's path in the cache; beside it lie `version` (Debian's)
#                                            and `copyright`, which whoever passes busybox on must pass on too
#   check_busybox FILE ARCHITECTURE          dies unless FILE is a static program for that architecture
#
# $USB9PFS_MIRROR and $USB9PFS_SUITE choose another mirror (default: the one this machine's apt uses) or release (bookworm).

# debian_elf_machine ARCHITECTURE: what readelf calls its machine, and the class, for the architectures that Debian 12 or 13 has.
debian_elf_machine() {
    case $1 in
        amd64) echo 'ELF64 Advanced Micro Devices X86-64' ;;
        arm64) echo 'ELF64 AArch64' ;;
        armel | armhf) echo 'ELF32 ARM' ;;
        i386) echo 'ELF32 Intel 80386' ;;
        mips64el) echo 'ELF64 MIPS R3000' ;;
        mipsel) echo 'ELF32 MIPS R3000' ;;
        ppc64el) echo 'ELF64 PowerPC64' ;;
        riscv64) echo 'ELF64 RISC-V' ;;
        s390x) echo 'ELF64 IBM S/390' ;;
        *) die "Debian has no architecture '$1'; it has amd64 arm64 armel armhf i386 mips64el mipsel ppc64el riscv64 s390x" ;;
    esac
}

# elf_machine FILE: the same for a program; nothing for other files.
elf_machine() { { LC_ALL=C readelf -h "$1" 2>/dev/null || true; } | sed -n 's/^ *\(Class\|Machine\): *//p' | paste -s -d ' '; }

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
    local architecture=$1 suite=${USB9PFS_SUITE:-bookworm} mirror=${USB9PFS_MIRROR:-}
    local keyring=/usr/share/keyrings/debian-archive-keyring.gpg folder work package options
    debian_elf_machine "$architecture" >/dev/null || exit
    folder=$usb9pfs_cache/busybox/$suite-$architecture
    if [ ! -x "$folder/busybox" ]; then
        need_packages apt gpgv debian-archive-keyring binutils
        [ -n "$mirror" ] || mirror=$(debian_mirror "$suite") || die "this machine's apt takes nothing from a mirror of Debian: name one, or a busybox of your own"
        say "downloading busybox-static for $architecture"
        mkdir -p "$usb9pfs_cache/busybox"
        work=$(mktemp -d "$usb9pfs_cache/busybox/new.XXXXXX")
        mkdir -p "$work"/{lists/partial,archives/partial,result}
        : >"$work/status"
        echo "deb [arch=$architecture signed-by=$keyring] $mirror $suite main" >"$work/sources.list"
        # apt gets a state directory of its own: the machine's apt has no other architectures, and stays as it is.
        options=(-qq -o "Dir::State=$work" -o "Dir::State::Lists=$work/lists" -o "Dir::State::status=$work/status"
            -o "Dir::Cache=$work" -o "Dir::Cache::archives=$work/archives" -o "Dir::Etc::sourcelist=$work/sources.list"
            -o Dir::Etc::sourceparts=/nonexistent -o Dir::Etc::preferencesparts=/nonexistent -o Debug::NoLocking=true
            -o "APT::Architecture=$architecture" -o "APT::Architectures::=$architecture" -o Acquire::Languages=none)
        chown -R "$developer_uid:$developer_gid" "$work"
        # apt-get checks the signature of the release and by it the package's hash; without them it downloads nothing.
        if ! { (cd "$work" && as_developer apt-get "${options[@]}" update &&
            as_developer apt-get "${options[@]}" download "busybox-static:$architecture") >"$work/log" 2>&1 &&
            package=$(find "$work" -maxdepth 1 -name 'busybox-static_*.deb') && [ -n "$package" ]; }; then
            tail -n 10 "$work/log" >&2
            rm -rf "$work"
            die "busybox-static for $architecture could not be downloaded from $mirror $suite. Is the mirror in reach, and" \
                "does the release have that architecture? Or name a busybox of your own"
        fi
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
