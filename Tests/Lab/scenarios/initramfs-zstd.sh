#!/usr/bin/env bash
# an initramfs that scripts/boot/mkinitramfs has compressed by zstd
# lab: timeout=600
# lab: initrd=scripts/boot/mkinitramfs --compress zstd --output
# lab: boot=zstd --image busybox -- root=dummy_udc.0 rootfstype=9p rootflags=trans=usbg rw
# shellcheck source=initramfs-xz.sh
. "$LAB/scenarios/initramfs-xz.sh"
