#!/usr/bin/env bash
# what the documents say to type, as it stands there: import, list, serve, the board's gadget, the host's network, the udev rule
# lab: timeout=900
# lab: packages=nftables dnsmasq-base busybox-static python3 curl udev xz-utils squashfs-tools squashfs-tools-ng
# shellcheck source=../lib.sh
. "$LAB/lib.sh"
# shellcheck source=../network.sh
. "$LAB/network.sh"
# shellcheck source=../../as-written.sh
. "$LAB/../as-written.sh"
host_program "$P9FWD"
host_program "$P9SERVE"

# Where a developer types: an ordinary user, here without sudo, so that what is typed with it is typed by root.
install -d -o "$LAB_UID" -g "$LAB_GID" /run/checkout
like_a_checkout /run/checkout
stand_in sudo
# A board has one controller.
echo usbip-vudc.0 >/sys/bus/platform/drivers/usbip-vudc/unbind

# A root filesystem.
as_user mkdir -p made/etc made/usr/sbin made/dev made/proc made/sys made/run
as_user tee made/etc/hostname >/dev/null <<<board
as_user tar --owner=0 --group=0 -C made -cJf rootfs.tar.xz .
written_by=("${as_user[@]}")
check "README: import" as_written README.md "Use it" 1.2
check_equal "... has made the directory" board "$(cat rootfs/etc/hostname)"
check "gadget.md: install" as_written docs/gadget.md "The board's gadget" 1 ROOTFS=rootfs
check "README: check" as_written README.md "Use it" 1.6
check "README: export" as_written README.md "Use it" 1.7
check "... has the gadget in it" grep -qx squashfs-root/usr/sbin/usb9pfs-gadget <(unsquashfs -l rootfs.squashfs)
stand_in usb9pfs-gadget "$PWD/rootfs/usr/sbin/usb9pfs-gadget" # the board's, as installed
# The host waits for the board.
as_written --background README.md "Use it" 1.4 >/run/lab/serve.log 2>&1
serve=$!

# The board, as root.
written_by=()
gadgets() { ls /sys/kernel/config/usb_gadget; }
check "first-board.md: check, and the root by hand" as_written docs/first-board.md "4. The board" 1
check_equal "... is the host's directory" board "$(cat /mnt/etc/hostname)"
umount /mnt
check "the gadget is down" usb9pfs-gadget down
check "gadget.md: the file system and a network" as_written docs/gadget.md "The board's gadget" 2.1
check_equal "... the host's directory" board "$(cat /mnt/etc/hostname)"
check "... the host's network interface" wait_for 60 host_interface
check "gadget.md: status" as_written docs/gadget.md "The board's gadget" 2.3
check "raspberry-pi.md: check and status" as_written docs/raspberry-pi.md "5. The check" 1
check "kernel.md: check" as_written docs/kernel.md "Does this kernel do?" 2
written_by=("${as_user[@]}")
check "README: list" as_written README.md "Use it" 1.3
check "... shows the board" grep -q ' 1d6b:0109 ' <(p9fwd list)
written_by=()
check "gadget.md: down" as_written docs/gadget.md "The board's gadget" 2.4
check_equal "... nothing is left" "" "$(gadgets)"
check "gadget.md: no file system" as_written docs/gadget.md "The board's gadget" 2.2
check "... a network and a serial line" grep -q '"ncm", *"acm"' <(usb9pfs-gadget status --json)
check "down" usb9pfs-gadget down
mkdir /run/newroot
check "network.md: by hand" as_written docs/network.md "On the board" 2 /newroot=/run/newroot
check_equal "... the host's directory" board "$(cat /run/newroot/etc/hostname)"
umount /run/newroot
check "down" usb9pfs-gadget down
page_text docs/gadget.md "Settings in a file" 1 >/run/settings
check "gadget.md: the settings" usb9pfs-gadget up --config /run/settings --mount /mnt
check_equal "... the serial number" window "$(cat "$(board_device 0)/serial")"
check "... a network, too" grep -q '"ncm", *"usb9pfs"' <(usb9pfs-gadget status --json)
umount /mnt
check "down" usb9pfs-gadget down
check "gadget.md: without usb9pfs" as_written docs/gadget.md "The cable and the kernel" 1.1
check_equal "... there is nothing yet" "" "$(gadgets)"
check "gadget.md: which joins with the mount" as_written docs/gadget.md "The cable and the kernel" 1.2
check_equal "... the host's directory" board "$(cat /mnt/etc/hostname)"
check "gadget.md: and goes with the unmount" as_written docs/gadget.md "The cable and the kernel" 1.3
check_equal "... nothing is left" "" "$(gadgets)"
check "the same p9fwd serves all the while" kill -0 $serve
kill $serve
wait $serve # or the next one might find the board in use

# The host's network.
internet_up
cable_up
remember_host
check "network.md: up, with DHCP" as_written docs/network.md "On the host" 1.1
check "... the board asks for its address" board_lease
look
check "... and is reached" busybox ping -c 1 -W 20 "${status[1-1.board_address]}"
check "... and does not reach the world" not board_fetches http://203.0.113.1/file
check "network.md: with DNS and NAT" as_written docs/network.md "On the host" 1.2
check "... the board asks once more" board_lease
check "... and reaches the world" board_fetches http://203.0.113.1/file
check "... by name, too" grep -q '203\.0\.113\.1$' <(board busybox nslookup files.example "${status[1-1.host_address]}")
written_by=("${as_user[@]}")
check "network.md: status" as_written docs/network.md "On the host" 1.3
written_by=()
check "network.md: down" as_written docs/network.md "On the host" 1.4
as_before "down"
cable_down
as_written --background docs/raspberry-pi.md "6. A network" 1 >/run/lab/usb-net.log 2>&1
waiting=$!
check "raspberry-pi.md: usb-net waits for the board" wait_for 60 pgrep -P $waiting -x sleep
board_up 0 --function usb9pfs --function ecm || fail "gadget up"
ip link set usb0 netns board
ip -n board link set usb0 up
wait_for 60 eval "! kill -0 $waiting 2>/dev/null" || kill $waiting
wait $waiting
check_equal "... and takes it" 0 $?
check "... which asks for its address" board_lease
check "... and reaches the world" board_fetches http://203.0.113.1/file
check "down" scripts/host/usb-net down

# The udev rule, on a machine whose rules are its own. The board is still there: what `trigger` is for.
mount -t tmpfs tmpfs /etc/udev/rules.d || fail "mount"
/usr/lib/systemd/systemd-udevd --daemon 2>/dev/null || fail "udevd"
udevadm settle --timeout=60
tags() { udevadm info -q property "/sys/bus/usb/devices/1-1" | sed -n 's/^CURRENT_TAGS=//p'; }
check "without the rule the board is root's" not grep -q uaccess <(tags)
check "README: the udev rule" as_written README.md "Use it" 2
rule_holds() { tags | grep -q ':uaccess:'; }
check "... lets in whoever sits at the machine" wait_for 60 rule_holds
dmesg_clean
