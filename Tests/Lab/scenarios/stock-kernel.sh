#!/usr/bin/env bash
# Debian boots from a directory with an unmodified kernel of Debian's, in QEMU: Debian 12's
# soak: QEMU without KVM takes many minutes
# lab: timeout=1800
# lab: kernel=bookworm-amd64
# lab: initrd=Tests/Lab/build-initramfs initramfs-tools --kernel bookworm-amd64
# lab: boot=debian --image rootfs -- usb9pfs.udc=dummy_udc.0 root=board rootfstype=9p rootflags=trans=usbg,cache=loose rw mitigations=off
# shellcheck source=../lib.sh
. "$LAB/lib.sh"
# shellcheck source=../stock-boots.sh
. "$LAB/stock-boots.sh"
