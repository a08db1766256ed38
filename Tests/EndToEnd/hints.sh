#!/usr/bin/env bash
# What messages say to type is safe to paste, whatever a directory is called; exit codes are those of docs/exit-codes.md; what
# scripts/build says of libraries and of other distributions' packages.
set -euo pipefail
. "$(dirname "$0")/lib/test.sh"
need_packages python3 attr binutils pkg-config
need_programs
cd "$work"
user python3 "$programs/hints.py" "$p9serve" "$p9fwd" "$usb9pfs_root"

# The libraries that the programs are linked with, but the C library, Swift's and what every system has.
help=$("$usb9pfs_root/scripts/build" --help)
unnamed=''
for library in $(readelf -d "$p9serve" "$p9fwd" |
    sed -n 's/.*NEEDED.*\[\(lib[a-zA-Z0-9_]*\(-1\.0\)\{0,1\}\)\..*/\1/p' | sort -u); do
    case $library in libc | libm | libgcc_s | libstdc* | libswift* | libFoundation* | lib_*) continue ;; esac
    grep -qw -- "$library" <<<"$help" || unnamed+=" $library"
done
check_equal "scripts/build --help names the libraries that the programs need" "" "$unnamed"

# foreign ID: what the build says on such a system, which has nothing yet.
mkdir empty
for tool in bash dirname grep sed sort id mkdir cat; do ln -s "$(command -v $tool)" empty/; done
touch empty/swift && chmod 755 empty/swift
foreign() {
    echo "ID=$1" >os-release
    # Without the directories that common.sh adds: they have this machine's programs.
    mkdir -p tree-of-scripts
    cp -r "$usb9pfs_root/scripts/build" "$usb9pfs_root/scripts/lib" tree-of-scripts/
    mkdir -p scripts && cp -r tree-of-scripts/* scripts/
    sed -i '/^PATH=/d' scripts/lib/common.sh
    PATH=$work/empty USB9PFS_OS_RELEASE=$work/os-release bash scripts/build 2>&1 | tail -n 1
}
check_equal "what to install on Fedora" "    sudo dnf install binutils e2fsprogs-devel gcc gcc-c++ git glibc-devel libarchive-devel libcom_err-devel libusb1-devel nettle-devel pkgconf-pkg-config sqlite-devel xz-devel zlib-devel" \
    "$(foreign fedora)"
check_equal "what to install on Arch" "    sudo pacman -S --needed binutils e2fsprogs gcc git glibc libarchive libusb nettle pkgconf sqlite xz zlib" \
    "$(foreign arch)"
check_equal "what is missing elsewhere" 1 "$(foreign gentoo | grep -c 'there is no apt-get: gcc g++ .*libsqlite3-dev')"
for script in build demo test; do
    code=0
    "$usb9pfs_root/scripts/$script" --nonsense >out 2>&1 || code=$?
    check_equal "scripts/$script: wrong arguments" 2 "$code"
done
# The codes that a script's help names are in the page's table.
for script in boot/check-kernel boot/install-hooks host/usb-net; do
    row=$(grep -F "| \`scripts/$script\` |" "$usb9pfs_root/docs/exit-codes.md" | cut -d'|' -f3) || row=''
    unnamed=''
    for code in $("$usb9pfs_root/scripts/$script" --help | tr '\n' ' ' | sed 's/.*Exit codes://; s/Examples:.*//' |
        grep -oE '(, |  )[0-9]+ ' | tr -dc '0-9\n'); do
        case $code in 0 | 1 | 2 | 130) ;; *) grep -qw "$code" <<<"$row" || unnamed+=" $code" ;; esac
    done
    check_equal "docs/exit-codes.md has the codes of scripts/$script" "" "$unnamed"
done
