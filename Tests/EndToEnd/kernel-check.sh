#!/usr/bin/env bash
# scripts/boot/check-kernel on configurations that Linux's own Kconfig made, on Debian's, and inside images; on device trees.
set -euo pipefail
. "$(dirname "$0")/lib/test.sh"
. "$(dirname "$0")/lib/arm64.sh"
need_packages python3 xz-utils zstd lz4 bzip2 device-tree-compiler
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
kernel=$(page_text docs/kernel.md "The options" 2; page_text docs/kernel.md "The options" 3)
# lacking CONFIGURATION: of the options in the text on standard input
lacking() { grep -oE '\bCONFIG_[A-Z0-9_]+=[ym]' | sort -u | grep -vxFf "$1" | paste -s -d ' ' || true; }
check_equal "documented options" "" "$(lacking "$sources/documented" <<<"$kernel")"
fixtures=$usb9pfs_root/Fixtures/kernel-configs
check_equal "documented options of p9gadget: Debian's" "" "$(page_text docs/kernel.md "The options" 1 | lacking "$fixtures/debian-13-arm64")"
# And what they say to type.
typed() { check "${*:2}" "$@"; }
mkdir checkout
(
    like_a_checkout checkout
    ln -s "$usb9pfs_root/Sources" "$usb9pfs_root/.build" .
    mkdir -p arch/arm64/boot
    cp "$(echo "$debian"/boot/vmlinuz-*)" arch/arm64/boot/Image
    cp "$sources/documented" .config
    cp "$(echo "$debian"/boot/config-*)" config-6.12.0-arm64
    version=$(basename "$(echo "$debian"/boot/config-*)" | sed 's/^config-//')
    typed as_written docs/first-board.md "2. The kernel and the initramfs" 1 "rootfs=$debian" "6.12.0-arm64=$version"
    typed as_written docs/first-board.md "2. The kernel and the initramfs" 2.1
    typed as_written docs/initramfs-distributions.md "Installing" 1.1
    typed as_written docs/first-board.md "2. The kernel and the initramfs" 2.2 "rootfs=$debian" "6.12.0-arm64=$version"
    check_equal "... which has p9gadget and 9P over sockets" 2 \
        "$(zcat board.cpio.gz | cpio -it --quiet | grep -cE '^\./(usr/sbin/p9gadget|lib/modules/.*/9pnet_fd\.ko)$')"
    typed as_written docs/kernel.md "Does this kernel do?" 1.1 /boot/config-6.12.0-arm64=config-6.12.0-arm64
    typed as_written docs/kernel.md "Does this kernel do?" 1.2
    typed as_written docs/kernel.md "Does this kernel do?" 1.3 /boot/config-6.12.0-arm64=config-6.12.0-arm64
)
for board in rpi4 rpi5 zero2w; do
    for driver in auto kernel; do
        run 0 "a good kernel, $board, driver $driver" --for $board --driver $driver --no-modules --function usb9pfs --function ecm \
            --function ncm --overlay "$sources/good"
    done
done
run 3 "arm64's defconfig" --for rpi4 --driver kernel "$sources/defconfig"
said_like '^fail  NET_9P_USBG=n: .*Set CONFIG_NET_9P_USBG=y'
said_like '^warn  9P_FS_SECURITY=n'
said "defconfig: does not work: NET_9P_USBG=n (1 failed"
run 0 "... does, by p9gadget" --for rpi4 "$sources/defconfig"
said_like '^skip  NET_9P_USBG=n: '
said "defconfig: works, without access control lists, without file capabilities, by p9gadget ("

# What distributions have. The page's table says the same.
check "the page's table of kernels" python3 - "$usb9pfs_root" <<'PYTHON'
import json, os, re, subprocess, sys
root = sys.argv[1]
named = set()
for line in open(root + "/docs/kernel.md", encoding="utf-8"):
    cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
    if len(cells) != 7 or cells[0] == "kernel" or not cells[1].startswith("`"):
        continue
    kernel, name, program, driver, capabilities, overlay, verdict = cells
    name = name.strip("`")
    named.add(name)
    path = f"{root}/Fixtures/kernel-configs/{name}"
    said = subprocess.run([root + "/scripts/boot/check-kernel", "--json", path], stdout=subprocess.PIPE, check=True).stdout
    report, has = json.loads(said), set(open(path, encoding="utf-8").read().split())
    is_so = [kind in report["drivers"] for kind in ("program", "kernel")]
    is_so += ["CONFIG_9P_FS_SECURITY=y" in has, bool({"CONFIG_OVERLAY_FS=m", "CONFIG_OVERLAY_FS=y"} & has) and "CONFIG_TMPFS_XATTR=y" in has]
    assert [program, driver, capabilities, overlay] == ["yes" if so else "no" for so in is_so], (name, is_so, cells)
    assert verdict == report["verdict"], (name, report["verdict"])
there = set(os.listdir(root + "/Fixtures/kernel-configs"))
assert named == there, named ^ there
PYTHON
for kernel in "$fixtures"/*; do
    run 0 "${kernel##*/}: a network and an overlay as well" --function usb9pfs --function ncm --overlay "$kernel"
    run 3 "${kernel##*/}: needs modules" --no-modules "$kernel"
done
# shellcheck disable=SC2016 # marks of the page
sed -n 's/^- `\(.*\)`$/\1/p' "$usb9pfs_root/docs/kernel.md" >verdicts
grep -v NET_9P_FD "$fixtures/debian-12-arm64" >no-fd
for kernel in "$fixtures"/debian-12-arm64 "$fixtures"/raspberry-pi-os-5-arm64 no-fd; do
    as_developer "$usb9pfs_root/scripts/boot/check-kernel" "$kernel" || true
done >said
check_equal "the page's verdicts" "$(cat verdicts)" "$(sed -n 's/^[^ ]*: \(.*\) ([0-9]* failed.*/\1/p' said)"
run 3 "NET_9P_FD=n" no-fd
said "does not work: NET_9P_FD=n, NET_9P_USBG=n ("
said_like '^fail  NET_9P_FD=n: p9gadget: .*Set CONFIG_NET_9P_FD=y'
said_like "^fail  NET_9P_USBG=n: the kernel's driver: .*new in Linux 6\\.12; this is 6\\.1\\.192\\. Take a newer kernel"
grep -v F_FS= "$fixtures/ubuntu-26.04-arm64" >no-ffs
run 3 "no FunctionFS" --driver program no-ffs
said "does not work: USB_CONFIGFS_F_FS=n ("
run 0 "... but a driver in the kernel" no-ffs
said "works as it is, by the kernel's driver ("
# From 6.13 on a module will do, and there is no such trap.
run 0 "NET_9P_USBG=m" --driver kernel "$fixtures/ubuntu-26.04-arm64"
said_like "^ok    NET_9P=m: the kernel's driver: "
run 3 "7.2 without it" --driver kernel "$fixtures/debian-sid-arm64"
said "does not work: NET_9P_USBG=n ("
run 3 "6.12 without it" --driver kernel "$fixtures/debian-13-arm64"
said "does not work: NET_9P_USBG=n, NET_9P=m, USB_GADGET=m ("
said_like '^fail  NET_9P_USBG=n: .*CONFIG_USB_GADGET=m'

# A Raspberry Pi 5.
run 0 "Raspberry Pi OS on a Raspberry Pi 5" --for rpi5 "$fixtures/raspberry-pi-os-5-arm64"
said_like "^ok    device tree: .*Raspberry Pi's bcm2712-rpi-5-b.dtb; .*D0 stepping bcm2712d0-rpi-5-b.dtb"
said_like "^ok    network of the RP1: "
run 0 "Debian 12 there" --for rpi5 "$fixtures/debian-12-arm64"
said_like "^warn  network of the RP1: .*CONFIG_MISC_RP1 .*The cable can be its network"
said_like "^warn  processor: this is Linux 6\\.1\\.192"
said "works, with Raspberry Pi's device tree, by p9gadget ("
run 0 "Linux 7.3 there" --for rpi5 "$fixtures/debian-13-backports-arm64"
said_like "^ok    network of the RP1: .*as modules: MISC_RP1 "
said_like "^warn  device tree: Linux's own .*Give this kernel Raspberry Pi's"

run 3 "NET_9P=m" --driver kernel "$sources/9p-module"
# What makes this trap: Kconfig keeps the option.
check "Kconfig keeps NET_9P_USBG=y with NET_9P=m" grep -x CONFIG_NET_9P_USBG=y "$sources/9p-module"
said_like '^fail  NET_9P=m: .*Set CONFIG_NET_9P=y'
said_like '^fail  NET_9P_USBG=y: .*left out of the build'
run 3 "... modules do not help" --driver kernel --modules "$sources/9p-module"
run 0 "... p9gadget does" "$sources/9p-module"
said_like '^skip  NET_9P_USBG=y: .*left out of the build'
run 3 "USB_GADGET=m" --driver kernel "$sources/gadget-module"
said_like '^fail  NET_9P_USBG=n: .*CONFIG_USB_GADGET=m'
run 3 "dwc2 in host mode" --for rpi4 "$sources/dwc2-host"
said_like '^fail  device controller: USB_DWC2=y does host mode only: set one of USB_DWC2_DUAL_ROLE USB_DWC2_PERIPHERAL'
run 3 "dwc2 as a module" --no-modules --for rpi5 "$sources/dwc2-module"
said_like '^fail  device controller: drivers as modules only'
for modules in "" --modules; do run 0 "... in the initramfs" $modules --for rpi5 "$sources/dwc2-module"; done
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

# Debian's own kernel: the configuration beside it.
image=$(echo "$debian"/boot/vmlinuz-*)
run 0 "Debian's arm64 kernel" --for rpi4 "$image"
said_like "/config-6\.12.*: works as it is, by p9gadget "
run 3 "... has no driver of its own" --driver kernel --for rpi4 "$image"
said_like '^fail  NET_9P=m'
run 0 "... has all for a network" --network --function ecm --for rpi4 "$image"
cp "$image" ./Image
run 5 "... without a configuration beside it" Image
said_like 'CONFIG_IKCONFIG'
run 0 "... with one named" --kernel-config "$(echo "$debian"/boot/config-*)" Image

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
run 2 "unknown driver" --driver telephone "$sources/good"
said "--driver is auto, program or kernel, not 'telephone'"
run 2 "unknown option" --nonsense
run 0 "--help" --help

run 3 "--json" --json --for rpi4 --driver kernel "$sources/9p-module"
check "... each fault says what to do" python3 -c 'import json, sys
report = json.load(open(sys.argv[1]))
results = {check["check"]: check["result"] for check in report["checks"]}
assert report["version"] == 1 and report["ok"] is False and report["drivers"] == [], report
assert report["verdict"] == "does not work: NET_9P_USBG=y, NET_9P=m", report
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
said "does not work: device tree ("
# In newer Linux it has the RP1's controllers, which are hosts; no overlay changes that.
cp "$sources/dtbs/bcm2712-rpi-5-b.dtb" with-rp1.dtb
fdtput -p -c with-rp1.dtb /axi/usb@40200000
fdtput -t s with-rp1.dtb /axi/usb@40200000 compatible snps,dwc3
fdtput -t s with-rp1.dtb /axi/usb@40200000 dr_mode host
run 4 "device tree: Raspberry Pi 5 with its RP1" --dtb with-rp1.dtb
said_like "no node for the USB-C controller.*use the one of Raspberry Pi's kernel"
said_not "dtoverlay"
run 2 "no device tree" --dtb "$sources/good"
run 0 "--json: drivers" --json "$fixtures/ubuntu-26.04-arm64"
check "... in the order in which 'up' takes them" python3 -c 'import json, sys
report = json.load(open(sys.argv[1]))
assert report["ok"] and report["drivers"] == ["program", "kernel"], report
assert report["verdict"] == "works as it is, by p9gadget or the kernel\x27s driver", report' "$said"
