#!/usr/bin/env bash
# scripts/gadget/install: what it puts into a board's root file system; p9gadget for that board's processor and for no other.
set -euo pipefail
. "$(dirname "$0")/lib/test.sh"
need_packages binutils
program=$usb9pfs_root/scripts/gadget/install
cd "$work"

# Programs that only say what they are for: the head of an ELF file.
elf() { printf '%b' "\\0177ELF\\0$1\\01\\01\\0\\0\\0\\0\\0\\0\\0\\0\\0\\02\\0\\0$2\\0more than the head"; }
mkdir program
elf 2 76 >program/amd64
elf 2 267 >program/arm64
elf 1 50 >program/armhf
elf 2 363 >program/riscv64

# board ARCHITECTURE: a root file system with its programs, in ./board. /bin leads to this machine's own if it is followed as it stands.
board() {
    rm -rf board
    mkdir -p board/usr/bin
    cp "program/$1" board/usr/bin/dash
    ln -s /usr/bin board/bin
    ln -s dash board/usr/bin/sh
}

for shell in dash "busybox sh" bash; do
    # shellcheck disable=SC2086 # two words
    run() { check_code "$1" "$shell: $2" $shell "$program" "${@:3}"; }
    for arch in amd64 arm64 armhf riscv64; do
        board $arch
        run 0 "for $arch" --program "program/$arch" board
        check "$shell: ... it is there" cmp "program/$arch" board/usr/sbin/p9gadget
        check_equal "$shell: ... and can be run" 755 "$(stat -c %a board/usr/sbin/p9gadget)"
        [ $arch != arm64 ] || continue
        run 2 "another's" --program=program/arm64 board
        said "'program/arm64' is for arm64, but the programs in 'board' are for $arch"
    done
    check "$shell: ... leaves what was there" cmp program/riscv64 board/usr/sbin/p9gadget
    board armhf
    run 0 "without a program" board
    check_equal "$shell: ... there is none" "usb9pfs-gadget" "$(ls board/usr/sbin)"
    rm -r board && mkdir board
    run 0 "a directory without programs" --systemd --program program/arm64 board
    check_equal "$shell: ... has it, and the units" "sbin/p9gadget sbin/usb9pfs-gadget lib/systemd/system/usb9pfs-gadget.service lib/systemd/system/usb9pfs-mount@.service" \
        "$(cd board/usr && echo sbin/* lib/systemd/system/*)"
    run 2 "no program" --program "$program" board
    said "is not a program"
    run 2 "a program that is not there" --program nothing board
    said "there is no 'nothing'"
    run 2 "no value" board --program
    said "'--program' needs a value"
    run 2 "both" --program program/arm64 --arch arm64 board
    run 2 "an architecture that was not built" --arch vax board
    said "scripts/gadget/build --arch vax"
done

# What the page says to type, with p9gadget as it is built.
board arm64
mkdir checkout
(
    like_a_checkout "$work/checkout"
    ln -s "$usb9pfs_root"/{.build,Sources} .
    check "board-units.md" as_written docs/board-units.md "Install" 1 /path/to/rootfs="$work/board"
)
check_equal "p9gadget is arm64's" AArch64 "$(readelf -h board/usr/sbin/p9gadget | sed -n 's/^ *Machine: *//p')"
