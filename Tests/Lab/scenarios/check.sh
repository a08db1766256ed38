#!/usr/bin/env bash
# usb9pfs-gadget check: this kernel passes; what is missing is named, with what to change; under dash, busybox ash, bash
# lab: timeout=700
# lab: packages=dash device-tree-compiler
# shellcheck source=../lib.sh
. "$LAB/lib.sh"
host_program "$P9GADGET"

# run CODE NAME [ARG...]: `check` under $shell; compares the exit code
run() {
    check_of="$shell: "
    # shellcheck disable=SC2086 # "busybox ash" is two words
    check_code "$1" "$shell: $2" timeout 180 $shell "$gadget_script" check "${@:3}"
}
found() { # NAME of a check; its result in the JSON output
    python3 -c 'import json, sys
print(*[c["result"] for c in json.load(open("/run/lab/out"))["checks"] if c["check"] == sys.argv[1]])' "$1"
}

zcat /proc/config.gz >/run/lab/config
all_functions=$(printf -- '--function %s ' usb9pfs ecm ncm rndis eem acm mass_storage:/disk,ro hid:/report,8)
for shell in dash "busybox ash" bash; do
    # shellcheck disable=SC2086 # words
    run 0 "this kernel has all of it" $all_functions --overlay
    said_like '^ok    NET_9P_USBG=y'
    said_like '^skip  p9gadget: it is not here'
    said_like "works as it is, by the kernel's driver "
    said_like '^ok    device controller: drivers in the kernel: USB_DUMMY_HCD'
    said_like '^ok    controller dummy_udc.0: .* free$'
    said_like '^ok    page size: 4 KiB'
    # The call is real, and this is a 6.12 kernel.
    said_like '^warn  open_tree.*EINVAL for a mount that is attached nowhere.*6\.15'
    run 0 "--json" --json
    check_equal "$shell: ... has NET_9P_USBG=y" ok "$(found NET_9P_USBG=y)"
    check_equal "$shell: ... and the open_tree probe" warn "$(found 'open_tree(OPEN_TREE_CLONE)')"

    sed 's/^CONFIG_NET_9P=y/CONFIG_NET_9P=m/' /run/lab/config >/run/lab/9p-module
    run 3 "NET_9P=m, NET_9P_USBG still y" --driver kernel --kernel-config /run/lab/9p-module
    said_like '^fail  NET_9P_USBG=y: .*left out of the build. Set CONFIG_NET_9P=y'
    run 3 "... only p9gadget would do, which is not here" --kernel-config /run/lab/9p-module
    said_like '^fail  p9gadget: it is not here, .*scripts/gadget/install --arch ARCH'
    grep -v CONFIG_USB_DUMMY_HCD /run/lab/config >/run/lab/no-driver
    run 3 "no controller's driver" --kernel-config /run/lab/no-driver
    said_like '^fail  device controller: no driver.*CONFIG_USB_DWC2'
    sed 's/^CONFIG_USB_CONFIGFS_ECM=y//' /run/lab/config | gzip >/run/lab/no-ecm.gz
    run 3 "no ecm, gzip" --kernel-config /run/lab/no-ecm.gz --function ecm
    said_like '^fail  USB_CONFIGFS_ECM=n: .*Set CONFIG_USB_CONFIGFS_ECM=y'
    run 0 "ecm not asked for" --kernel-config /run/lab/no-ecm.gz
    run 0 "--network" --network
done
run 2 "an unknown driver" --driver telephone
run 2 "no configuration in a file" --kernel-config /etc/passwd
said_like "no kernel configuration in '/etc/passwd'"
run 2 "no such file" --kernel-config /run/lab/nothing
run 2 "unknown function" --function telephone
run 2 "unknown option" --nonsense
run 2 "option without a value" --kernel-config

# A board's initramfs: only busybox.
mkdir /run/busybox
busybox --install -s /run/busybox 2>/dev/null || for applet in $(busybox --list); do ln -sf "$(command -v busybox)" "/run/busybox/$applet"; done
shell="env PATH=/run/busybox busybox ash"
run 0 "only applets"
said_like '^skip  open_tree.*not probed: needs perl or python3'

# The kernel's own configuration replaced by that of another build, then unreadable: as where it does not carry one.
shell=dash
gzip -c /run/lab/9p-module >/run/lab/config.gz
mount --bind /run/lab/config.gz /proc/config.gz
run 3 "/proc/config.gz is what is read"
said_like '9P_USBG=y.*left out of the build'
ln -s "$P9GADGET" /run/busybox/p9gadget
shell="env PATH=$PATH:/run/busybox dash"
run 0 "the same with p9gadget"
said_like '^ok    p9gadget: it is /run/busybox/p9gadget'
said_like 'works as it is, by p9gadget '
run 0 "... --json" --json
check "... names the driver" python3 -c 'import json; assert json.load(open("/run/lab/out"))["drivers"] == ["program"]'
shell=dash
umount /proc/config.gz
(umask 777 && : >/run/lab/unreadable)
mount --bind /run/lab/unreadable /proc/config.gz
# shellcheck disable=SC2016
shell="${as_user[*]} dash"
run 0 "no configuration, as an ordinary user: what can be seen"
said_like '^skip  configuration: .*CONFIG_IKCONFIG_PROC'
said_like "^ok    usb9pfs: the kernel's driver: 9P over a USB gadget"
said_like "^ok    usb9pfs: p9gadget: FunctionFS and 9P over sockets"
said_like "works as it is, by the kernel's driver "
said_like '^skip  open_tree.*needs root'
umount /proc/config.gz

shell=dash
for driver in usbip-vudc dummy_udc; do
    for device in /sys/bus/platform/drivers/"$driver"/*.[0-9]; do echo "${device##*/}" >"/sys/bus/platform/drivers/$driver/unbind"; done
done
run 4 "no controller"
said_like "^fail  controller: no USB device controller.*dtoverlay=dwc2,dr_mode=peripheral"
run 4 "no controller, --json" --json
check_equal "... in JSON" fail "$(found controller)"
echo dummy_udc.0 >/sys/bus/platform/drivers/dummy_udc/bind
run 0 "the controller is back"

# User-mode Linux has no device tree: one is put where the kernel would show it. Nor has it a dwc2.
device_tree() { # MODEL DR_MODE STATUS
    mountpoint -q /sys/firmware || mount -t tmpfs tmpfs /sys/firmware
    rm -rf /sys/firmware/devicetree
    mkdir -p /sys/firmware/devicetree
    # Beside it two of those behind the RP1 of a Raspberry Pi 5, which are always so.
    printf '/dts-v1/; / { model = "%s"; axi { usb@480000 { compatible = "brcm,bcm2835-usb"; dr_mode = "%s"; status = "%s"; };
        usb@200000 { compatible = "snps,dwc3"; dr_mode = "host"; };
        usb@300000 { compatible = "snps,dwc3"; dr_mode = "host"; status = "disabled"; }; }; };' "$@" |
        dtc -q -I dts -O dtb -o /run/lab/tree.dtb -
    python3 "$LAB/../../scripts/boot/lib/kernel_image.py" device-tree /run/lab/tree.dtb /sys/firmware/devicetree/base
}
device_tree "Raspberry Pi Compute Module 4 Rev 1.0" host okay
run 4 "device tree: host mode"
said_like '^fail  device tree: the USB controller /axi/usb@480000 is in host mode.*no kernel parameter'
device_tree "Raspberry Pi 4 Model B Rev 1.5" peripheral disabled
run 4 "device tree: disabled"
said_like '^fail  device tree: .*disabled'
device_tree "Raspberry Pi 4 Model B Rev 1.5" peripheral okay
run 0 "device tree: device mode"
said_like '^ok    device tree: .*/axi/usb@480000 is in device mode'
said_like '^skip  device tree: .*/axi/usb@200000 is in host mode .dr_mode., but another is not'
device_tree "Raspberry Pi 5 Model B Rev 1.0" peripheral okay
run 4 "Raspberry Pi 5 without its USB-C controller"
said_like '^fail  USB-C of BCM2712: 1000480000.usb is not there, .*not of the RP1'
mount -t tmpfs tmpfs /sys/class/udc
mkdir /sys/class/udc/1000480000.usb
run 0 "Raspberry Pi 5 with it, and no network of its own"
said_like '^ok    USB-C of BCM2712: .*neither the RP1 nor its network'
said_like '^warn  network: .*over the cable'
umount /sys/class/udc /sys/firmware
dmesg_clean
