#!/usr/bin/env bash
# scripts/boot/rpi --from: a kernel as its distribution ships it, from an SD card's image laid out like Raspberry Pi OS's, and
# from the tree that boards mount; hostile ones; and p9fwd, which says when the tree has changed, and makes the directory anew.
# With Debian's arm64 kernel and its firmware for Raspberry Pis.
# shellcheck disable=SC2016 # for inner shells
set -euo pipefail
. "$(dirname "$0")/lib/test.sh"
. "$(dirname "$0")/lib/arm64.sh"
need_programs
need_packages mtools dosfstools fdisk e2fsprogs xz-utils python3 gzip cpio kmod libarchive-tools binutils
debian=$(arm64_packages)
"$usb9pfs_root/scripts/gadget/build" --arch arm64 >/dev/null
cd "$work"

image=$(echo "$debian"/boot/vmlinuz-*)
version=${image##*/vmlinuz-}
rpi() { as_developer "$usb9pfs_root/scripts/boot/rpi" "$@"; }
run() { check_code "$1" "$2" rpi "${@:3}"; } # CODE NAME [ARGUMENT...]
# Stand-in for raspberrypi/usbboot's boot code, which is not free to be copied.
mkdir -p usbboot/firmware code/2711 code/2712
echo "stand-in for bootcode4.bin" >code/2711/bootcode4.bin
echo "stand-in for bootcode5.bin" >code/2712/bootcode5.bin
tar -C code -cf usbboot/firmware/bootfiles.bin 2711/bootcode4.bin 2712/bootcode5.bin

# The tree that boards mount: Debian's packages, /lib a link as in Debian. Its name is one that a shell must not read as written.
tree="root's \$(touch pasted) fs"
mkdir "$tree"
cp -a "$debian/boot" "$debian/usr" "$tree/"
ln -s usr/lib "$tree/lib"
# Of thousands of modules those that may be of use, for the time that depmod and images take.
(
    cd "$debian/lib"
    find modules -path '*/kernel/*' -prune -o -type f -print
    find modules/*/kernel/{drivers/usb,drivers/phy,drivers/extcon,net/9p,net/core,fs/9p,fs/netfs,fs/configfs,lib,crypto} -type f 2>/dev/null || true
) | tar -C "$debian/lib" -T - -cf - | tar -C "$tree/usr/lib" -xf -
depmod -b "$tree" "$version"
chown -R "$developer_uid:$developer_gid" .

# read_boot DIRECTORY: unpacks its boot.img into `image`, and the initramfs's list into `initramfs-list`
read_boot() {
    rm -rf image
    mkdir image
    mcopy -s -m -i "$1/boot.img" :: image
    gunzip <image/initramfs.img | cpio -t 2>/dev/null >initramfs-list
}
# has_parts NAME KERNEL TREE START: what read_boot has read has these
has_parts() {
    check "$1: the kernel" sh -c 'gunzip -c image/kernel8.img | cmp - "$1"' sh "$2"
    check "... the device tree" cmp image/bcm2711-rpi-4-b.dtb "$3"
    check "... the firmware" cmp image/start4.elf "$4"
    for part in usr/sbin/p9gadget dwc2.ko usb_f_fs.ko libcomposite.ko usb_f_ncm.ko 9pnet_fd.ko 9p.ko; do
        check "... in the initramfs: ${part##*/}" grep -q "$part\$" initramfs-list
    done
}
manifest() { python3 -c 'import json, sys; manifest = json.load(open(sys.argv[1] + "/usb9pfs-boot.json")); exec(sys.argv[2])' "$@"; }

# What docs/raspberry-pi.md says to type, with the tree as `rootfs`.
mkdir -m 777 checkout
(
    like_a_checkout checkout
    ln -s "../$tree" rootfs
    ln -s ../usbboot usbboot
    mkdir .build
    ln -s "$usb9pfs_root/.build/p9gadget" .build/p9gadget
    # shellcheck disable=SC2034 # as_written's
    written_by=(as_developer)
    check "documented: a boot directory of the tree's kernel" as_written docs/raspberry-pi.md "2. The boot directory" 2
    read_boot boot-rpi4
    has_parts documented "$image" "$debian/usr/lib/linux-image-$version/broadcom/bcm2711-rpi-4-b.dtb" "$debian/usr/lib/raspi-firmware/start4.elf"
    check "... the network" grep -qw usb9pfs.for=linux image/cmdline.txt
)
run 0 "once more, by another name" --model rpi4 --from "$tree" --firmware usbboot --for linux "boot of tree"
check "... the same bytes" diff -r "boot of tree" checkout/boot-rpi4
check "... the manifest: kernel, modules, what was taken, by content" manifest "boot of tree" '
source = manifest["from"]
files = {file["path"]: file for file in source["files"]}
version = manifest["kernel"]
assert source["kind"] == "tree" and source["kernels"] == [f"boot/vmlinuz-{version}"], source
assert files[f"boot/vmlinuz-{version}"]["bytes"] > 1 << 20, files
assert f"usr/lib/linux-image-{version}/broadcom/bcm2711-rpi-4-b.dtb" in files and "usr/lib/raspi-firmware/start4.elf" in files, files
assert f"lib/modules/{version}/modules.dep" in files, files
assert "usr/lib/raspi-firmware/start.elf" not in files, "start.elf is for other boards"
assert source["arguments"][:2] == ["--model", "rpi4"] and "--from" not in source["arguments"], source'
head -c 300000 /dev/urandom >initramfs
run 0 "all boards with a BCM2711" --model bcm2711 --from "$tree" --firmware usbboot --initramfs initramfs boot-2711
said_like 'warning: left out: the device tree .dtbs.bcm2711-rpi-cm4-io.dtb'
said_like 'warning: there is no device tree for: cm4 cm4s'
mdir -b -i boot-2711/boot.img >listed
check "... has several device trees" sh -c 'grep -q rpi-4-b.dtb listed && grep -q rpi-400.dtb listed'
run 4 "a Raspberry Pi 5 with Linux's own device tree" --model rpi5 --from "$tree" --firmware usbboot boot
run 6 "no boot code anywhere" --model rpi4 --from "$tree" boot
said_like "no bootcode4.bin in --firmware or '.*raspberrypi/usbboot"
USB9PFS_FIRMWARE=$work/usbboot run 0 "... which the environment may name" --model rpi4 --from "$tree" --initramfs initramfs boot-environment

# An SD card's image: a FAT partition, which has the kernel under its fixed name, and an ext4 partition with the root.
mkdir -p fat/overlays
cp "$debian"/usr/lib/raspi-firmware/* "$debian/usr/lib/linux-image-$version"/broadcom/*.dtb fat/
gzip -nc "$image" >fat/kernel8.img
make_image() { # FILE LABEL TYPE-OF-FAT TYPE-OF-EXT4
    truncate -s 500M "$1"
    printf 'label: %s\nstart=8192, size=256M, type=%s\nstart=532480, type=%s\n' "$2" "$3" "$4" | sfdisk -q "$1"
    mkfs.fat -F 32 -s 1 --offset 8192 "$1" $((256 * 1024)) >/dev/null 2>&1
    mcopy -s -i "$1@@4M" fat/* ::
    mke2fs -q -t ext4 -E offset=$((532480 * 512)) -d "$tree" "$1" 239M 2>/dev/null
}
user bash -euc "$(declare -f make_image); tree=\$1; make_image sd.img dos c 83" sh "$tree"
run 0 "from an image" --model rpi4 --from sd.img --firmware usbboot --for linux boot-image
read_boot boot-image
has_parts "from an image" "$image" fat/bcm2711-rpi-4-b.dtb fat/start4.elf
check "... the manifest names the image's files" manifest boot-image '
paths = {file["path"] for file in manifest["from"]["files"]}
assert manifest["from"]["kind"] == "image" and "boot/firmware/kernel8.img" in paths and "boot/firmware/start4.elf" in paths, paths
assert "lib/modules/" + manifest["kernel"] + "/modules.dep" in paths, paths'
same_parts() { # DIRECTORY: but for the initramfs its boot.img has what boot-image's has
    mkdir other
    mcopy -s -m -i "$1/boot.img" :: other
    diff -r --exclude initramfs.img image other
}
user xz -0 -T 2 -k sd.img
run 0 "from a compressed image" --model rpi4 --from sd.img.xz --firmware usbboot --for linux --initramfs initramfs boot-xz
check "... the same content" same_parts boot-xz
check "... nothing is left of the unpacked one" sh -c '! ls /var/tmp/usb9pfs-image.* 2>/dev/null'
rm sd.img.xz
user bash -euc "$(declare -f make_image); tree=\$1; make_image gpt.img gpt EBD0A0A2-B9E5-4433-87C0-68B6B72699C7 linux" sh "$tree"
run 0 "from an image with GPT" --model rpi4 --from gpt.img --firmware usbboot --for linux --initramfs initramfs boot-gpt
check "... the same boot.img" cmp boot-gpt/boot.img boot-xz/boot.img
rm gpt.img

# Which kernel: the newest with its modules, and the one that is for the board.
kernel() { # FILE VERSION: the least that is a kernel for arm64
    python3 -c 'import sys; open(sys.argv[1], "wb").write(bytes(0x38) + b"ARM\x64" + b"Linux version " + sys.argv[2].encode() + b" (")' "$@"
}
chosen() { # FAMILY TREE: what would be taken
    rm -rf out
    mkdir out
    python3 "$usb9pfs_root/scripts/boot/lib/stock_kernel.py" "$2" "$1" out 2>&1
}
mkdir -p many/boot/firmware many/lib/modules/{6.9.1,6.10.1,6.12.1-rpi-2712,6.12.1-rpi-v8}/kernel
for name in 6.9.1 6.10.1 6.11.1 6.10.1-cloud-arm64; do kernel "many/boot/vmlinuz-$name" "$name"; done
check_equal "the newest that has its modules" "6.10.1 boot/vmlinuz-6.10.1" "$(chosen 2711 many)"
kernel many/boot/vmlinuz-6.12.1-rpi-2712 6.12.1-rpi-2712
check_equal "... and is for the board" "6.10.1 boot/vmlinuz-6.10.1" "$(chosen 2711 many)"
check_equal "Raspberry Pi OS has one for BCM2712" "6.12.1-rpi-2712 boot/vmlinuz-6.12.1-rpi-2712" "$(chosen 2712 many)"
kernel many/boot/firmware/kernel8.img 6.12.1-rpi-v8
check_equal "what the firmware would start goes before" "6.12.1-rpi-v8 boot/firmware/kernel8.img" "$(chosen 2711 many)"
kernel many/boot/firmware/kernel_2712.img 6.12.1-rpi-2712
check_equal "... for BCM2712, too" "6.12.1-rpi-2712 boot/firmware/kernel_2712.img" "$(chosen 2712 many)"

# A tree of somebody who wants to read the developer's files, or to write into them.
echo "the developer's secret" >secret
mkdir -p hostile/boot hostile/etc "hostile/lib/modules/6.12/kernel/net/9p" "hostile/usr/lib/linux-image-6.12"
kernel hostile/etc/real 6.12
ln -s "$work/secret" hostile/boot/vmlinuz-9
ln -s ../../../../../../../../../../../../../../../../../../etc/real hostile/boot/vmlinuz-6.12
ln -s "$work/secret" hostile/boot/config-6.12
ln -s "$work" hostile/boot/firmware
ln -s "$work" "hostile/usr/lib/linux-image-6.12/broadcom"
mkfifo hostile/boot/vmlinuz-8
ln -s "$work/secret" "hostile/lib/modules/6.12/kernel/net/9p/9pnet.ko"
ln -s / "hostile/lib/modules/6.12/kernel/net/9p/loop"
cp secret start4.elf
cp secret bcm2711-rpi-4-b.dtb
check_equal "links are no kernels" "it has no kernel for arm64" "$(chosen 2711 hostile | cut -d : -f 1)"
kernel hostile/boot/vmlinuz-6.12.real 6.12
rm hostile/boot/vmlinuz-6.12
check_equal "a kernel among links" "6.12 boot/vmlinuz-6.12.real" "$(chosen 2711 hostile)"
check "... nothing outside of the tree is read" not grep -r "the developer's secret" out
rm start4.elf bcm2711-rpi-4-b.dtb
run 5 "such a tree, by the script: its configuration is not one" --model rpi4 --from hostile --firmware usbboot boot
said "boot/vmlinuz-6.12.real of hostile"
check "a link that stays within is followed" sh -c 'mkdir -p hostile/real && mv hostile/lib hostile/real/ && ln -s /real/lib hostile/lib'
check_equal "... with what is beneath" "6.12 boot/vmlinuz-6.12.real" "$(chosen 2711 hostile)"
check "... the modules" test -d out/modules/lib/modules/6.12/kernel/net/9p

# Such an image: names that lead out of the directory where they are put, patched into it.
mkdir -p outside/boot "outside/lib/modules/$version/kernel"
echo module >"outside/lib/modules/$version/kernel/XXevilX.ko"
cp "$image" "outside/boot/"
mkdir small
kernel small/kernel8.img "$version"
echo tree >small/bcm27xx.dtb
truncate -s 200M evil.img
printf 'label: dos\nstart=8192, size=40M, type=c\nstart=90112, type=83\n' | sfdisk -q evil.img
mkfs.fat -F 16 --offset 8192 evil.img $((40 * 1024)) >/dev/null 2>&1
mcopy -i evil.img@@4M small/* ::
mke2fs -q -t ext4 -O ^metadata_csum,^dir_index -E offset=$((90112 * 512)) -d outside evil.img 150M 2>/dev/null
python3 - <<'PYTHON'
data = bytearray(open("evil.img", "rb").read())
for old, new in ((b"XXevilX.ko", b"../evil.ko"), (b"BCM27XX DTB", b"../EVIL DTB")):
    assert data.count(old) >= 1, old
    data = data.replace(old, new)
open("evil.img", "wb").write(data)
PYTHON
check_equal "a hostile image" "$version boot/firmware/kernel8.img" "$(chosen 2711 evil.img)"
check "... nothing is written outside" sh -c '! find . -iname "evil*" ! -name evil.img | grep .'

# What can't be a source.
run 2 "no such thing" --model rpi4 --from nothing boot
run 2 "no image" --model rpi4 --from usbboot/firmware/bootfiles.bin boot
said "has no partition table"
truncate -s 4M empty.img
echo 'label: dos' | sfdisk -q empty.img
run 2 "an image without a FAT partition" --model rpi4 --from empty.img boot
said "no FAT partition"
mkdir bare
run 6 "a tree without a kernel" --model rpi4 --from bare boot
said "no kernel for arm64"
run 2 "neither --from nor --kernel" --model rpi4 --firmware usbboot boot
said "--from"
check "nothing was made" test ! -e boot

# An upgrade on the board, and p9fwd.
serve() { as_developer "$p9fwd" serve "$tree" --timeout 0.2 "$@"; } # no board comes
run 0 "a directory with options" --model rpi4 --from "$tree" --firmware usbboot --initramfs initramfs --append "it's quiet" "boot pasted"
check_code 6 "p9fwd: the directory fits" serve --rpiboot "boot pasted"
said_not "no longer fits"
check_code 6 "... and one from an image, whose FAT partition is not in the tree" serve --rpiboot boot-image
said_not "no longer fits"
user cp "$tree/boot/vmlinuz-$version" "$tree/boot/vmlinuz-$version.1"
user sh -c 'echo >>"$1"' sh "$tree/lib/modules/$version/modules.dep"
check_code 6 "a new kernel and other modules" serve --rpiboot "boot pasted"
said "new kernel boot/vmlinuz-$version.1; changed lib/modules/$version/modules.dep"
sed -n 's/^To make it anew: //p' "$said" >pasted-command
check_code 6 "... for one from an image" serve --rpiboot boot-image
said "new kernel boot/vmlinuz-$version.1"
check_code 0 "the command can be pasted" as_developer bash -e pasted-command
check "... and is read as one path" test ! -e pasted
check_code 6 "... the directory fits again" serve --rpiboot "boot pasted"
said_not "no longer fits"
check "... with the options that it was made by" sh -c 'mtype -i "boot pasted/boot.img" ::cmdline.txt | grep "it.s quiet"'
(
    cd checkout
    # shellcheck disable=SC2034 # as_written's
    written_by=(as_developer)
    PATH=$PWD/bin:$PATH
    check_code 6 "what docs/rpiboot.md shows" as_developer p9fwd serve rootfs --rpiboot boot-rpi4 --timeout 0.2
    page_text docs/rpiboot.md "Made by itself" 1 "6.12.48=$version.1" "6.12.47=$version" "/srv/usbboot=$work/usbboot" \
        "/srv/usb9pfs=$usb9pfs_root" >shown
    check "... in these words" sh -c 'sed "s/^\(To make.*\) --from .* boot-rpi4/\1 --from TREE boot-rpi4/; s/fits .*: new/fits TREE: new/" "$1" >have
        sed "s/ --from .* boot-rpi4/ --from TREE boot-rpi4/; s/fits .*: new/fits TREE: new/" shown >want; head -n 2 have | diff want -' sh "$said"
    check_code 6 "documented: made anew by p9fwd" as_written docs/raspberry-pi.md "After an upgrade" 1 "serve rootfs=serve rootfs --timeout 0.2"
    said "boot-rpi4 no longer fits"
    said "making boot-rpi4"
    check_code 6 "... once" as_written docs/raspberry-pi.md "After an upgrade" 1 "serve rootfs=serve rootfs --timeout 0.2"
    said_not "making"
    check_code 6 "documented: without a directory" as_written docs/raspberry-pi.md "After an upgrade" 2 "serve rootfs=serve rootfs --timeout 0.2"
    said_not "making" # which board will come is unknown yet
)
# The boot directory goes into this test's cache, and what is downloaded into the one for all tests.
developer_cache=$(as_developer bash -c '. "$1" && echo "$usb9pfs_cache"' bash "$usb9pfs_root/scripts/lib/common.sh")
made() { user env -u XDG_CACHE_HOME USB9PFS_CACHE="$developer_cache" "$@" "$p9fwd" serve "$tree" --timeout 0.2 --rpiboot auto:rpi4; }
check_code 1 "a model's directory, without boot code" made
said "no bootcode4.bin"
check_code 6 "... with it" made USB9PFS_FIRMWARE="$work/usbboot"
check_equal "... in the cache" boot.img "$(cd .cache/usb9pfs/rpiboot/*/rpi4 && echo boot.im*)"
check_code 6 "... is not made twice" made
said_not "making"
check_code 3 "without the scripts" made USB9PFS_SCRIPTS=/nonexistent
said "there is no boot/rpi in /nonexistent"
check_code 3 "... seen from a program that was copied elsewhere" user sh -c 'mkdir -p copy/bin && cp "$1" copy/bin/p9fwd && copy/bin/p9fwd serve "$2" --rpiboot auto' \
    sh "$p9fwd" "$tree"
said "copy/share/usb9pfs/scripts"
check_code 64 "a directory that nothing is known of" serve --rpiboot auto:usbboot
said "can't be made anew"
