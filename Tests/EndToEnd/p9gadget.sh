#!/usr/bin/env bash
# p9gadget, the board's program: built for each architecture, static, small, the same bytes each time; its command line. What it
# does is in the lab (scenarios/program.sh).
set -euo pipefail
. "$(dirname "$0")/lib/test.sh"
need_packages binutils qemu-user-static
build=$usb9pfs_root/scripts/gadget/build
architectures=(amd64 arm64 armhf riscv64)
cd "$work"

check_code 2 "an architecture that there is not" "$build" --arch s390x
said "amd64, arm64, armhf or riscv64, not 's390x'"
check_code 0 "all architectures" "$build" --output made "${architectures[@]/#/--arch=}"
# From another directory: no path of this machine may be in it.
mkdir elsewhere
cp -r "$usb9pfs_root/Sources" "$usb9pfs_root/scripts" elsewhere/
check_code 0 "again, from another directory" elsewhere/scripts/gadget/build --output again --arch arm64 --arch amd64
for arch in amd64 arm64; do check "$arch: the same bytes" cmp "made/$arch/p9gadget" "again/$arch/p9gadget"; done
for arch in "${architectures[@]}"; do
    program=made/$arch/p9gadget
    case $arch in amd64) run=() ;; arm64) run=(qemu-aarch64-static) ;; armhf) run=(qemu-arm-static) ;; *) run=(qemu-riscv64-static) ;; esac
    check "$arch: at most 1 MiB" test "$(stat -c %s "$program")" -le 1048576
    check_equal "$arch: static" "" "$(readelf -lW "$program" | grep -E 'INTERP|DYNAMIC')"
    check_code 0 "$arch: it runs" ${run[@]+"${run[@]}"} "$program" --version
    said "0.2.0"
done

program=$PWD/made/amd64/p9gadget
check_code 0 "--help" "$program" --help
said "Exit codes"
# wrong NAME WORDS [ARG...]
wrong() {
    check_code 2 "$1" "$program" "${@:3}"
    said "$2"
}
wrong "nothing" "Usage"
wrong "another verb" "no mode" listen
wrong "serve without a socket" "name the directory of FunctionFS and the socket" serve /run/ffs
wrong "an option that there is not" "unknown option --fast" serve --fast
wrong "an option without its value" "--msize needs a value" serve --msize
for msize in 4095 1048577 x 99999999999999999999 ""; do wrong "an msize of '$msize'" "--msize is 4096 to 1048576" serve --msize "$msize" a b; done
for messages in 0 65 -1; do wrong "$messages messages" "--messages is 1 to 64" serve --messages "$messages" a b; done
wrong "too many words" "too many arguments: c" serve a b c
wrong "mount without a directory" "name the socket and the directory" mount a
check_code 3 "a directory without FunctionFS" user "$program" serve "$work" "$work/socket"
said "can't open ep0 in $work"
