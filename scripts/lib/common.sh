# Shared by the bash scripts here: messages, packages, the uid that plays the developer.
# shellcheck shell=bash

# shellcheck disable=SC2034 # used by the scripts that source this file
usb9pfs_root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
# The uid that plays the developer runs what is kept here, and can't enter root's own ~/.cache.
if [ "$(id -u)" = 0 ]; then usb9pfs_cache=/var/cache; else usb9pfs_cache=${XDG_CACHE_HOME:-${HOME:-/var/tmp}/.cache}; fi
usb9pfs_cache=${USB9PFS_CACHE:-$usb9pfs_cache/usb9pfs}

# mke2fs and others are there, which an ordinary Debian user does not have in PATH.
PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin

say() { printf '== %s\n' "$*" >&2; }
die() {
    printf '%s: error: %s\n' "${0##*/}" "$*" >&2
    exit 1
}

bad_arguments() {
    printf "%s: error: %s; try '%s --help'\n" "${0##*/}" "$*" "${0##*/}" >&2
    exit 2
}

# Runs a command as root: directly, or through sudo.
as_root() {
    if [ "$(id -u)" = 0 ]; then
        "$@"
    elif command -v sudo >/dev/null 2>&1; then
        sudo "$@"
    else
        die "this needs root once: $* (become root, or install sudo)"
    fi
}

# need_root "$@": runs the script that calls it anew as root, with the same arguments; for a test that mounts something.
need_root() {
    [ "$(id -u)" != 0 ] || return 0
    if ! command -v sudo >/dev/null 2>&1; then
        echo "skipped $(basename "$0" .sh): it needs root, and there is no sudo"
        exit 0
    fi
    exec sudo env PATH="$PATH" ${USB9PFS_TEST_DIR:+USB9PFS_TEST_DIR="$USB9PFS_TEST_DIR"} \
        ${P9SERVE:+P9SERVE="$P9SERVE"} ${P9FWD:+P9FWD="$P9FWD"} "$0" "$@"
}

# Installs the Debian packages that are missing; says which, and does nothing when there are none. Elsewhere it says what to
# install, if something is missing.
need_packages() {
    local missing=() package
    if ! has_apt; then
        need_foreign_packages "$@"
        return
    fi
    for package in "$@"; do
        [ "$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null || true)" = installed ] || missing+=("$package")
    done
    [ ${#missing[@]} -gt 0 ] || return 0
    if [ "$(id -u)" != 0 ] && ! command -v sudo >/dev/null 2>&1; then
        die "Debian packages are missing, and there is no sudo. As root: apt-get install ${missing[*]}"
    fi
    mkdir -p "$usb9pfs_cache"
    (
        flock 8 # one at a time: several scripts may run
        install_packages "${missing[@]}" 8>&-
    ) 8>"$usb9pfs_cache/packages.lock" || exit
}

has_apt() { command -v apt-get >/dev/null 2>&1 && command -v dpkg-query >/dev/null 2>&1; }

# need_foreign_packages DEBIAN-PACKAGE...: for systems without apt, whose names are in scripts/lib/packages.
need_foreign_packages() {
    local debian fedora arch sign package missing=() names=() install='' system
    # shellcheck disable=SC1090 # a test has its own
    system=$(. "${USB9PFS_OS_RELEASE:-/etc/os-release}" 2>/dev/null && echo "${ID:-} ${ID_LIKE:-}") || system=''
    case " $system " in
        *" fedora "* | *" rhel "*) install='dnf install' ;;
        *" arch "*) install='pacman -S --needed' ;;
    esac
    for package in "$@"; do
        debian='' fedora=$package arch=$package sign=$package
        while read -r debian fedora arch sign; do
            [ "$debian" != "$package" ] || break
        done < <(grep -v '^#' "$usb9pfs_root/scripts/lib/packages")
        [ "$debian" = "$package" ] || { fedora=$package arch=$package sign=$package; }
        case $sign in
            :*) ! pkg-config --exists "${sign#:}" 2>/dev/null || continue ;;
            *) ! command -v "$sign" >/dev/null 2>&1 || continue ;;
        esac
        missing+=("$package")
        case $install in
            dnf*) names+=("$fedora") ;;
            pacman*) names+=("$arch") ;;
        esac
    done
    [ ${#missing[@]} -gt 0 ] || return 0
    [ -n "$install" ] || die "what these Debian packages have is missing, and there is no apt-get: ${missing[*]}"
    mapfile -t names < <(printf '%s\n' "${names[@]}" | sort -u)
    printf '%s: error: something is missing. Install it:\n    sudo %s %s\n' "${0##*/}" "$install" "${names[*]}" >&2
    exit 1
}

install_packages() {
    local missing=("$@")
    # Others install too: another user's run, the updates of a machine that was just booted.
    local install=(env DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends -o DPkg::Lock::Timeout=600)
    say "installing ${missing[*]}"
    if ! as_root "${install[@]}" "${missing[@]}" >/dev/null 2>&1; then
        as_root apt-get update -qq >/dev/null || true # one unreachable source must not spoil the others
        as_root "${install[@]}" "${missing[@]}" >/dev/null || die "could not install them; as root: apt-get install ${missing[*]}"
    fi
}

# debian_mirror RELEASE: the mirror from which this machine's apt takes that release of Debian, else one from which it takes
# another (each mirror has all releases; the security archive is separate). Exit code 1 if apt has no mirror.
debian_mirror() {
    local release label uri other=''
    # shellcheck disable=SC2016 # apt's notation
    while read -r release label uri; do
        if [ "$release" = "$1" ]; then
            echo "${uri%/}"
            return
        fi
        case $label:$1 in
            *:*-security) ;;
            Debian:*) other=$uri ;;
        esac
    done < <(apt-get indextargets --format '$(RELEASE) $(LABEL) $(REPO_URI)' 'Created-By: Packages' 2>/dev/null)
    [ -n "$other" ] && echo "${other%/}"
}

# What `swift build` needs of Debian besides the toolchain itself.
# shellcheck disable=SC2034 # used by the scripts that source this file
build_packages=(gcc g++ binutils libc6-dev pkg-config git libusb-1.0-0-dev libarchive-dev nettle-dev zlib1g-dev
    liblzma-dev libext2fs-dev comerr-dev libsqlite3-dev)

# What the tests need besides.
# shellcheck disable=SC2034 # used by the scripts that source this file
test_packages=("${build_packages[@]}" shellcheck python3 libarchive-tools cpio zstd squashfs-tools squashfs-tools-ng skopeo
    umoci acl attr libcap2-bin sqlite3 e2fsprogs fdisk fakeroot genext2fs pseudo rsync bzip2 xz-utils lz4)

need_swift() {
    command -v swift >/dev/null 2>&1 || die "no swift in PATH: install a Swift 6.2 or later toolchain from https://www.swift.org/install/linux/"
}

# The uid that plays the developer: the caller's own; for root the user who called sudo, or else 1000. Only the installation of
# packages, and tests that mount something, run as root.
# shellcheck disable=SC2034 # used by the scripts that source this file
if [ "$(id -u)" = 0 ]; then
    developer_uid=${SUDO_UID:-1000} developer_gid=${SUDO_GID:-1000}
    [ "$developer_uid" != 0 ] || developer_uid=1000 developer_gid=1000
    umask 022 # what root makes here that uid must be able to read and run
else
    developer_uid=$(id -u) developer_gid=$(id -g)
fi

as_developer() {
    if [ "$(id -u)" = "$developer_uid" ]; then
        "$@"
    else
        # Where that user keeps what is downloaded.
        [ -d "$usb9pfs_cache/home" ] || install -d -o "$developer_uid" -g "$developer_gid" "$usb9pfs_cache/home"
        setpriv --reuid "$developer_uid" --regid "$developer_gid" --clear-groups --no-new-privs \
            env HOME="$usb9pfs_cache/home" "$@"
    fi
}
