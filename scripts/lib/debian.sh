# Packages of any release and architecture of Debian, without touching this machine's apt. Sourced after common.sh.
# shellcheck shell=bash
# shellcheck disable=SC2154 # developer_* come from common.sh
#
#   private_apt DIRECTORY ARCHITECTURE SUITE   gives apt a state of its own in DIRECTORY, and sets apt_options
#   download_packages DIRECTORY PACKAGE...     puts their .deb files there; after private_apt
#   debian_elf_machine ARCHITECTURE            what readelf calls its machine
#   elf_machine FILE                           the same for a program
#
# $USB9PFS_MIRROR names another mirror than the one that this machine's apt uses.

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

# private_apt DIRECTORY ARCHITECTURE SUITE: this machine's apt knows no other architectures, and stays as it is. Dies if there are no lists.
private_apt() {
    local directory=$1 architecture=$2 suite=$3 mirror=${USB9PFS_MIRROR:-}
    debian_elf_machine "$architecture" >/dev/null || exit
    need_packages apt gpgv debian-archive-keyring binutils
    [ -n "$mirror" ] || mirror=$(debian_mirror "$suite") || die "this machine's apt takes nothing from a mirror of Debian: name one"
    mkdir -p "$directory"/{lists/partial,archives/partial}
    : >"$directory/status"
    echo "deb [arch=$architecture signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $mirror $suite main" >"$directory/sources.list"
    apt_options=(-qq -o "Dir::State=$directory" -o "Dir::State::Lists=$directory/lists" -o "Dir::State::status=$directory/status"
        -o "Dir::Cache=$directory" -o "Dir::Cache::archives=$directory/archives" -o "Dir::Etc::sourcelist=$directory/sources.list"
        -o Dir::Etc::sourceparts=/nonexistent -o Dir::Etc::preferencesparts=/nonexistent -o Debug::NoLocking=true
        -o "APT::Architecture=$architecture" -o "APT::Architectures::=$architecture" -o Acquire::Languages=none)
    chown -R "$developer_uid:$developer_gid" "$directory"
    as_developer apt-get "${apt_options[@]}" update >"$directory/log" 2>&1 || {
        tail -n 10 "$directory/log" >&2
        die "no lists of packages for $architecture from $mirror $suite. Is the mirror in reach, and does the release have that architecture?"
    }
}

# apt-get checks the signature of the release, and by that each package's hash; without them it downloads nothing.
download_packages() {
    (cd "$1" && as_developer apt-get "${apt_options[@]}" download "${@:2}") >"$1/log" 2>&1 || {
        tail -n 10 "$1/log" >&2
        die "could not be downloaded: ${*:2}. Is the mirror in reach?"
    }
}
