#!/usr/bin/env bash
# scripts/boot/check-kernel on configurations that Linux's own Kconfig made, on Debian's, and inside images; on device trees.
set -euo pipefail
. "$(dirname "$0")/lib/test.sh"
. "$(dirname "$0")/lib/arm64.sh"
need_packages python3 xz-utils zstd lz4 bzip2
sources=$(arm64_sources)
debian=$(arm64_packages)
lab=$("$usb9pfs_root/Tests/Lab/build-kernel" | tail -n 1)
cd "$work"

# run CODE NAME [ARGUMENT...]
run() {
    check_code "$1" "$2" as_developer "$usb9pfs_root/scripts/boot/check-kernel" "${@:3}"
}

# The options that the documents name: the configuration that the commands of docs/raspberry-pi.md make has them all, as
# Linux's own Kconfig spells them.
first_board=$(page_text docs/first-board.md "1. The board's kernel" 1)
kernel=$(page_text docs/kernel.md "The options" 1)
for options in "$first_board" "$kernel"; do
    lacking=$(grep -oE '\bCONFIG_[A-Z0-9_]+=[ym]' <<<"$options" | sort -u | grep -vxFf "$sources/documented" | paste -s -d ' ') || true
    check_equal "documented options" "" "$lacking"
done
# And what they say to type.
typed() { check "${*:2}" "$@"; }
mkdir checkout
(
    like_a_checkout checkout
    mkdir -p arch/arm64/boot
    cp "$(echo "$debian"/boot/vmlinuz-*)" arch/arm64/boot/Image
    cp "$sources/documented" .config
    cp "$(echo "$debian"/boot/config-*)" config-6.12.0-arm64
    typed as_written docs/kernel.md "Does this kernel do?" 1.1
    typed as_written docs/kernel.md "Does this kernel do?" 1.2 /boot/config-6.12.0-arm64=config-6.12.0-arm64
)
for board in rpi4 rpi5 zero2w; do
    run 0 "a good kernel, $board" --for $board --function usb9pfs --function ecm --function ncm --overlay "$sources/good"
done
run 3 "arm64's defconfig" --for rpi4 "$sources/defconfig"
said_like '^fail  NET_9P_USBG=n: .*Set CONFIG_NET_9P_USBG=y'
said_like '^warn  9P_FS_SECURITY=n'
run 3 "NET_9P=m" "$sources/9p-module"
# What makes this trap: Kconfig keeps the option.
check "Kconfig keeps NET_9P_USBG=y with NET_9P=m" grep -x CONFIG_NET_9P_USBG=y "$sources/9p-module"
said_like '^fail  NET_9P=m: .*Set CONFIG_NET_9P=y'
said_like '^fail  NET_9P_USBG=y: .*left out of the build'
run 3 "... --modules does not help" --modules "$sources/9p-module"
run 3 "USB_GADGET=m" "$sources/gadget-module"
said_like '^fail  NET_9P_USBG=n: .*CONFIG_USB_GADGET=m'
run 3 "dwc2 in host mode" --for rpi4 "$sources/dwc2-host"
said_like '^fail  device controller: USB_DWC2=y does host mode only: set one of USB_DWC2_DUAL_ROLE USB_DWC2_PERIPHERAL'
run 3 "dwc2 as a module" --for rpi5 "$sources/dwc2-module"
said_like '^fail  device controller: drivers as modules only'
run 0 "... in the initramfs" --modules --for rpi5 "$sources/dwc2-module"
run 3 "no dwc2 on a Raspberry Pi" --for zero2w "$sources/no-dwc2"
said_like '^fail  device controller: CONFIG_USB_DWC2 is not set'
run 0 "... other boards have others" "$sources/no-dwc2"
said_like '^ok    device controller: drivers in the kernel: .*USB_DWC3'
run 0 "pages of 16 KiB" --for rpi5 "$sources/16k"
said_like '^warn  page size: 16 KiB\. Readahead is .* buflen of 262144 or more'
run 3 "no initramfs" "$sources/no-initramfs"
said_like '^fail  BLK_DEV_INITRD=n'
run 0 "no gzip" "$sources/no-gzip"
said_like '^warn  initramfs compression: .*RD_ZSTD.*Set CONFIG_RD_GZIP=y'
run 0 "no network function" "$sources/no-functions"
said_like '^warn  Ethernet'
run 3 "... asked for" --function ncm "$sources/no-functions"
said_like '^fail  USB_CONFIGFS_NCM=n: .*Set CONFIG_USB_CONFIGFS_NCM=y'
run 3 "... or all there is to be" --network "$sources/no-functions"
said_like '^fail  Ethernet'

# Debian's own kernel: the configuration beside it, and what it lacks.
image=$(echo "$debian"/boot/vmlinuz-*)
run 3 "Debian's arm64 kernel" --for rpi4 "$image"
said_like "/config-6\.12"
said_like '^fail  NET_9P=m'
run 0 "... has all for a network" --network --function ecm --for rpi4 "$image"
cp "$image" ./Image
run 5 "... without a configuration beside it" Image
said_like 'CONFIG_IKCONFIG'
run 3 "... with one named" --kernel-config "$(echo "$debian"/boot/config-*)" Image

# Images that carry it: the lab's kernel, as it is and inside what boot loaders get.
run 0 "an ELF executable" "$lab"
gzip -c "$lab" >linux.gz
run 0 "... in gzip" linux.gz
for packer in "xz -0" "zstd -1" "lz4 -l -1" "bzip2 -9"; do
    # As zImage and bzImage: a loader, the stream, something after it.
    { head -c 4096 /dev/urandom && $packer -c "$lab" 2>/dev/null && head -c 512 /dev/zero; } >linux.image
    run 0 "... after a loader, by ${packer%% *}" linux.image
done
gzip -c "$sources/good" >config.gz
run 0 "a configuration in gzip" --for rpi4 config.gz
head -c 20000 config.gz >cut.gz
run 5 "... cut off" --for rpi4 cut.gz
run 5 "neither" /bin/true
run 2 "no such file" nothing
run 2 "no file" --for rpi4
run 2 "unknown board" --for rpi9 "$sources/good"
run 2 "unknown function" --function telephone "$sources/good"
run 2 "unknown option" --nonsense
run 0 "--help" --help

run 3 "--json" --json --for rpi4 "$sources/9p-module"
check "... each fault says what to do" python3 -c 'import json, sys
report = json.load(open(sys.argv[1]))
results = {check["check"]: check["result"] for check in report["checks"]}
assert report["version"] == 1 and report["ok"] is False, report
assert results["NET_9P=m"] == results["NET_9P_USBG=y"] == "fail" and results["CONFIGFS_FS=y"] == "ok", results
assert all(check["fix"] for check in report["checks"] if check["result"] in ("warn", "fail")), report' "$said"

# Linux 6.12's own device trees: each of these four is different.
run 0 "device tree: Raspberry Pi 4" --dtb "$sources/dtbs/bcm2711-rpi-4-b.dtb"
said_like '/soc/usb@7e980000 is in device mode'
run 4 "device tree: Compute Module 4" --dtb "$sources/dtbs/bcm2711-rpi-cm4-io.dtb"
said_like 'is in host mode.*dtoverlay=dwc2,dr_mode=peripheral'
run 0 "device tree: Zero 2 W" --dtb "$sources/dtbs/bcm2837-rpi-zero-2-w.dtb"
said_like 'dr_mode otg'
run 4 "device tree: Raspberry Pi 5" --dtb "$sources/dtbs/bcm2712-rpi-5-b.dtb"
said_like 'no node for the USB-C controller'
run 4 "device tree and kernel" --for rpi5 --dtb "$sources/dtbs/bcm2712-rpi-5-b.dtb" "$sources/good"
run 2 "no device tree" --dtb "$sources/good"
