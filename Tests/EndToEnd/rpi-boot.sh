#!/usr/bin/env bash
# scripts/boot/rpi: the boot directory of each model, read back from its image; and what it refuses. With Debian's arm64
# kernel, Linux 6.12's device trees, and Debian's copy of the firmware.
set -euo pipefail
. "$(dirname "$0")/lib/test.sh"
. "$(dirname "$0")/lib/arm64.sh"
need_packages mtools dosfstools python3 gzip device-tree-compiler bc cpio libarchive-tools binutils
sources=$(arm64_sources)
debian=$(arm64_packages)
cd "$work"

rpi() { as_developer "$usb9pfs_root/scripts/boot/rpi" "$@" >out; }
run() { check_code "$1" "$2" rpi "${@:3}"; } # CODE NAME [ARGUMENT...]

image=$(echo "$debian"/boot/vmlinuz-*)
gzip -nc "$image" >Image.gz
head -c 3000000 /dev/urandom >initramfs
# Stand-ins for files that are not here: raspberrypi/usbboot's boot code, and the overlay of raspberrypi/firmware.
mkdir -p usbboot/firmware usbboot/recovery overlays code/2711 code/2712
echo "stand-in for bootcode4.bin" >code/2711/bootcode4.bin
echo "stand-in for bootcode5.bin" >code/2712/bootcode5.bin
tar -C code -cf usbboot/firmware/bootfiles.bin 2711/bootcode4.bin 2712/bootcode5.bin
dtc -q -@ -I dts -O dtb -o overlays/dwc2.dtbo - <<'DTS'
/dts-v1/;
/plugin/;
/ {
    compatible = "brcm,bcm2835";
    fragment@0 {
        target = <&usb>;
        __overlay__ { compatible = "brcm,bcm2835-usb"; dr_mode = "peripheral"; status = "okay"; };
    };
};
DTS
# Stand-in for the Raspberry Pi 5's device tree of Raspberry Pi's kernel: Linux's own with the controller it lacks.
mkdir own
cp "$sources/dtbs/bcm2712-rpi-5-b.dtb" own/
fdtput -p -t s own/bcm2712-rpi-5-b.dtb /axi/usb@480000 compatible brcm,bcm2835-usb
fdtput -t x own/bcm2712-rpi-5-b.dtb /axi/usb@480000 phandle fff
fdtput -p -t s own/bcm2712-rpi-5-b.dtb /__symbols__ usb /axi/usb@480000
firmware=(--firmware usbboot --firmware "$debian/usr/lib/raspi-firmware")
usual=(--kernel Image.gz --kernel-config "$sources/good" "${firmware[@]}" --initramfs initramfs --overlays overlays)

# What docs/raspberry-pi.md says to type. Its steps before are stood in for by: the configuration and device tree that they made
# (arm64.sh), another kernel's code, Debian's copy of the firmware.
mkdir -m 777 checkout
(
    like_a_checkout checkout
    mkdir -p linux/arch/arm64/boot firmware/boot
    cp "$image" linux/arch/arm64/boot/Image
    cp "$sources/documented" linux/.config
    cp -r "$sources/documented-dts" linux/arch/arm64/boot/dts
    cp -r ../usbboot .
    cp -r "$debian/usr/lib/raspi-firmware"/* ../overlays firmware/boot/
    # shellcheck disable=SC2034 # as_written's
    written_by=(as_developer)
    check_code 0 "documented: check-kernel finds nothing wrong with the documented configuration" \
        as_written docs/raspberry-pi.md "A kernel of your own" 2
    said linux/.config
    check "documented: the boot directory" as_written docs/raspberry-pi.md "A kernel of your own" 4
    check "... has the boot code" cmp boot-rpi4/bootfiles.bin usbboot/firmware/bootfiles.bin
    mkdir image
    mcopy -s -m -i boot-rpi4/boot.img :: image
    check "... the kernel" sh -c 'gunzip <image/kernel8.img | cmp - linux/arch/arm64/boot/Image'
    check "... its device tree" cmp image/bcm2711-rpi-4-b.dtb linux/arch/arm64/boot/dts/broadcom/bcm2711-rpi-4-b.dtb
    check "... the overlay" cmp image/overlays/dwc2.dtbo firmware/boot/overlays/dwc2.dtbo
    check "... the firmware" cmp image/start4.elf firmware/boot/start4.elf
    check "... an initramfs" sh -c 'gunzip <image/initramfs.img | cpio -t 2>/dev/null | grep -xE "(./)?init"'
    check "... and the network" grep -qw usb9pfs.for=linux image/cmdline.txt
)

run 3 "Debian's kernel is refused" --model rpi4 --kernel "$image" --dtbs "$sources/dtbs" "${firmware[@]}" --initramfs initramfs boot
said_like '^fail  NET_9P=m: .*Set CONFIG_NET_9P=y'
check "... nothing is made" test ! -e boot
run 0 "... with --force" --force --model rpi4 --kernel "$image" --dtbs "$sources/dtbs" "${firmware[@]}" --initramfs initramfs boot-forced
said_like "warning: the kernel 6\.12\."
mtype -i boot-forced/boot.img ::kernel8.img | gunzip >unpacked
check "... its image has the kernel" cmp unpacked "$image"
check "... no overlay: this device tree is in device mode already" sh -c '! mtype -i boot-forced/boot.img ::config.txt | grep dtoverlay'

# read_back MODEL DEVICE-TREE FILE...: what must be in the image, file by file
read_back() {
    local model=$1 tree=$2 directory=boot-$1 name slack
    shift 2
    check "$model: fsck.fat" fsck.fat -n "$directory/boot.img"
    rm -rf image
    mkdir image
    mcopy -s -m -i "$directory/boot.img" :: image
    check "$model: kernel" cmp image/kernel8.img Image.gz
    check "$model: device tree" cmp "image/${tree##*/}" "$tree"
    check "$model: initramfs" cmp image/initramfs.img initramfs
    check "$model: overlay" cmp image/overlays/dwc2.dtbo overlays/dwc2.dtbo
    for name; do check "$model: $name" cmp "image/$name" "$debian/usr/lib/raspi-firmware/$name"; done
    check "$model: nothing else" [ "$(find image -type f | wc -l)" = $((6 + $#)) ]
    check "$model: device mode" grep -qx dtoverlay=dwc2,dr_mode=peripheral image/config.txt
    check "$model: 64 bit" grep -qx arm_64bit=1 image/config.txt
    check "$model: the initramfs is loaded" grep -qx 'initramfs initramfs.img followkernel' image/config.txt
    check "$model: the root" grep -qE '(^| )root=usb9pfs rootfstype=9p rootflags=trans=usbg,cache=mmap rw( |$)' image/cmdline.txt
    check "$model: boot_ramdisk" grep -qx boot_ramdisk=1 "$directory/config.txt"
    # All that is served is in the manifest.
    check "$model: manifest" python3 -c 'import hashlib, json, os, sys
directory = sys.argv[1]
manifest = json.load(open(directory + "/usb9pfs-boot.json"))
for top, files in ((directory, manifest["files"]), ("image", manifest["image"]["files"])):
    found = sorted(os.path.relpath(os.path.join(at, name), top) for at, _, names in os.walk(top) for name in names)
    found = [name for name in found if name != "usb9pfs-boot.json"]
    assert found == [file["path"] for file in files], (found, files)
    for file in files:
        assert hashlib.sha256(open(os.path.join(top, file["path"]), "rb").read()).hexdigest() == file["sha256"], file
' "$directory"
    slack=$(($(stat -c %s "$directory/boot.img") - $(find image -type f -printf '%s\n' | paste -s -d + | bc)))
    check "$model: no larger than it must be ($slack bytes more)" [ "$slack" -lt 400000 ]
}
run 0 "rpi4" --model rpi4 "${usual[@]}" --dtbs "$sources/dtbs" boot-rpi4
read_back rpi4 "$sources/dtbs/bcm2711-rpi-4-b.dtb" start4.elf fixup4.dat
check "rpi4: boot code" cmp boot-rpi4/bootfiles.bin usbboot/firmware/bootfiles.bin
run 0 "cm4" --model cm4 "${usual[@]}" --dtbs "$sources/dtbs" boot-cm4
read_back cm4 "$sources/dtbs/bcm2711-rpi-cm4-io.dtb" start4.elf fixup4.dat
check "cm4: Linux's name of its device tree is said" grep -qx device_tree=bcm2711-rpi-cm4-io.dtb image/config.txt
run 0 "rpi5" --model rpi5 "${usual[@]}" --dtbs own boot-rpi5
read_back rpi5 own/bcm2712-rpi-5-b.dtb
run 0 "zero2w" --model zero2w "${usual[@]}" --dtbs "$sources/dtbs" boot-zero2w
read_back zero2w "$sources/dtbs/bcm2837-rpi-zero-2-w.dtb" start.elf fixup.dat
check "zero2w: boot code" cmp boot-zero2w/bootcode.bin "$debian/usr/lib/raspi-firmware/bootcode.bin"
check "zero2w: the same beside the image, for older boot code" sh -c 'cd image && find . -type f ! -name config.txt -exec cmp {} ../boot-zero2w/{} \;'
# The overlay does apply to the trees that were let through.
for tree in "$sources/dtbs/bcm2711-rpi-cm4-io.dtb" "$sources/dtbs/bcm2837-rpi-zero-2-w.dtb" own/bcm2712-rpi-5-b.dtb; do
    check "the overlay applies to ${tree##*/}" fdtoverlay -i "$tree" -o applied.dtb overlays/dwc2.dtbo
    check "... which is in device mode then" "$usb9pfs_root/scripts/boot/check-kernel" --dtb applied.dtb
done

run 4 "rpi5: Linux 6.12's own device tree has no USB controller" --model rpi5 "${usual[@]}" --dtbs "$sources/dtbs" boot
said_like "no USB controller labelled 'usb'.*"
run 4 "cm4 without the overlay" --model cm4 --kernel Image.gz --kernel-config "$sources/good" "${firmware[@]}" --initramfs initramfs --dtbs "$sources/dtbs" boot
said_like 'there is no dwc2.dtbo'

# The same bytes at any time and place, in any time zone, with any umask.
(umask 077 && TZ=Asia/Tokyo && export TZ && run 0 "once more" --model rpi4 "${usual[@]}" --dtbs "$sources/dtbs" elsewhere/again)
check "the same bytes" diff -r boot-rpi4 elsewhere/again
check "readable for others" test "$(stat -c %a elsewhere/again)" = 755
run 0 "over itself" --model rpi4 "${usual[@]}" --dtbs "$sources/dtbs" boot-rpi4
check "... the same bytes" diff -r boot-rpi4 elsewhere/again
check "... nothing is left beside it" test -z "$(find . elsewhere -maxdepth 1 -name '.*' ! -name . ! -name ..)"

run 0 "options" --model rpi4 "${usual[@]}" --dtbs "$sources/dtbs" --tag bench-7 --ro --cache loose --console none --for linux \
    --function acm --overlay --append quiet --json boot-options
check "... on the command line" test "$(mtype -i boot-options/boot.img ::cmdline.txt)" = \
    "root=bench-7 rootfstype=9p rootflags=trans=usbg,cache=loose ro usb9pfs.function=acm usb9pfs.for=linux usb9pfs.overlay=tmpfs quiet"
check "... JSON" python3 -c 'import json
report = json.load(open("out"))
assert report["version"] == 1 and report["model"] == "rpi4" and report["directory"] == "boot-options", report
assert "p9fwd serve ROOTFS --rpiboot boot-options" in report["next"], report["next"]
assert {file["path"] for file in report["files"]} == {"boot.img", "bootfiles.bin", "config.txt"}, report'
run 3 "a function the kernel lacks" --model rpi4 --kernel Image.gz --kernel-config "$sources/no-functions" "${firmware[@]}" \
    --initramfs initramfs --dtbs "$sources/dtbs" --for windows7 boot
said_like '^fail  USB_CONFIGFS_RNDIS=n'
run 5 "a kernel without its configuration" --model rpi4 --kernel Image.gz "${firmware[@]}" --initramfs initramfs --dtbs "$sources/dtbs" boot
said_like 'CONFIG_IKCONFIG'
said_like "can't be checked: --kernel-config names"
run 0 "the initramfs made by mkinitramfs" --model rpi4 --kernel Image.gz --kernel-config "$sources/good" "${firmware[@]}" \
    --dtbs "$sources/dtbs" boot-made
check "... which is one" sh -c 'mtype -i boot-made/boot.img ::initramfs.img | gunzip | cpio -t 2>/dev/null | grep -xE "(./)?init"'

truncate -s 32M middling
run 0 "rpi5: an image above 30 MiB" --model rpi5 --kernel Image.gz --kernel-config "$sources/good" "${firmware[@]}" --initramfs middling \
    --overlays overlays --dtbs own boot-middling
said_like 'warning: boot.img is 4[0-9] MiB.*above 30 MiB'
check "... fsck.fat (FAT32)" fsck.fat -n boot-middling/boot.img
truncate -s 96M huge
run 7 "an image above 96 MiB" --model rpi4 --kernel Image.gz --kernel-config "$sources/good" "${firmware[@]}" --initramfs huge --dtbs "$sources/dtbs" boot
said_like 'boot loader takes 96'

run 6 "no boot code" --model rpi4 --kernel Image.gz --kernel-config "$sources/good" --firmware "$debian/usr/lib/raspi-firmware" \
    --initramfs initramfs --dtbs "$sources/dtbs" boot
said_like 'no bootcode4.bin in --firmware.*raspberrypi/usbboot'
run 6 "no firmware" --model rpi4 --kernel Image.gz --kernel-config "$sources/good" --firmware usbboot --initramfs initramfs --dtbs "$sources/dtbs" boot
said_like 'no start4.elf in --firmware.*raspberrypi/firmware'
run 6 "no device tree" --model rpi400 "${usual[@]}" --dtbs own boot
said_like 'no bcm2711-rpi-400.dtb in own'
run 6 "no such overlay" --model rpi4 "${usual[@]}" --dtbs "$sources/dtbs" --dtoverlay disable-bt boot
said_like 'no disable-bt.dtbo'
run 2 "the EEPROM's flasher for boot code" --model rpi4 --firmware usbboot/recovery "${usual[@]}" --dtbs "$sources/dtbs" boot
said_like 'writes the board.s EEPROM'
mkdir occupied
echo "somebody's" >occupied/file
run 2 "a directory of somebody else's" --model rpi4 "${usual[@]}" --dtbs "$sources/dtbs" occupied
check "... is left alone" grep -q somebody occupied/file
{ printf 'MZ\0\0zimg' && head -c 200 /dev/zero; } >vmlinuz.efi
run 2 "a kernel for UEFI" --model rpi4 --kernel vmlinuz.efi "${firmware[@]}" --initramfs initramfs --dtbs "$sources/dtbs" boot
said_like 'under UEFI only'
run 2 "no kernel for arm64" --model rpi4 --kernel /bin/true "${firmware[@]}" --initramfs initramfs --dtbs "$sources/dtbs" boot
said_like 'not an arm64 Image'
chmod 500 code
run 1 "a directory that can't be made" --model rpi4 "${usual[@]}" --dtbs "$sources/dtbs" code/boot
said_like "can't make 'code/boot': .*Permission denied"
chmod 700 code
run 2 "unknown model" --model rpi9 "${usual[@]}" --dtbs "$sources/dtbs" boot
run 2 "no model" "${usual[@]}" --dtbs "$sources/dtbs" boot
run 2 "unknown option" --nonsense
run 2 "--modules without an initramfs that has them" --modules --model rpi4 --kernel Image.gz --kernel-config "$sources/dwc2-module" \
    "${firmware[@]}" --overlays overlays --dtbs "$sources/dtbs" boot
said_like 'mkinitramfs --arch arm64 --module'
run 3 "dwc2 as a module" --model rpi4 "${usual[@]}" --kernel-config "$sources/dwc2-module" --dtbs "$sources/dtbs" boot
run 0 "... in the initramfs" --modules --model rpi4 "${usual[@]}" --kernel-config "$sources/dwc2-module" --dtbs "$sources/dtbs" "boot modules"
check "... what to type next, with a space in it" grep -F -- '--rpiboot boot\ modules' out
run 2 "unknown function" --function telephone --model rpi4 "${usual[@]}" --dtbs "$sources/dtbs" boot
run 0 "--help" --help
check "nothing was made where something was refused" test ! -e boot
