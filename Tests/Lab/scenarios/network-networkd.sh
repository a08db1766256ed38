#!/usr/bin/env bash
# the host's network by systemd-networkd, with the files that usb-net makes; the udev rule that starts usb-net at plug
# lab: timeout=1100
# lab: packages=nftables busybox-static systemd udev python3 curl dnsmasq-base
# shellcheck source=../lib.sh
. "$LAB/lib.sh"
# shellcheck source=../network.sh
. "$LAB/network.sh"
# shellcheck source=../../as-written.sh
. "$LAB/../as-written.sh"
mkdir /run/checkout
like_a_checkout /run/checkout

internet_up
cable_up

# The host's side by systemd-networkd, with the files that usb-net makes.
install -D -m 644 "$LAB/../../scripts/host/81-usb9pfs-net.rules" /run/udev/rules.d/81-usb9pfs-net.rules
/usr/lib/systemd/systemd-udevd --daemon
udevadm trigger --action=add --subsystem-match=usb --subsystem-match=net
udevadm settle --timeout=180
for entry in /sys/bus/usb/devices/1-1:*/net/*; do usb=${entry##*/}; done # udev may have given it another name
properties=$(udevadm info -q property "/sys/class/net/$usb")
check_equal "udev: the unit for the board's interface" usb9pfs-net@1-1.service "$(sed -n 's/^SYSTEMD_WANTS=//p' <<<"$properties")"
check "udev: what the unit is bound to" grep -Eq '^SYSTEMD_ALIAS=(.* )?/sys/usb9pfs/1/1( |$)' <<<"$properties"
mkdir -p /run/systemd/network
check "networkd: files" as_written docs/network.md "systemd-networkd instead" 1 1-2=1-1 DIR=/run/systemd/network
check "... that match this very port" grep -qx 'Path=platform-dummy_hcd.0-usb-0:1:1.[0-9]' /run/systemd/network/60-u9p1_1.link
check_equal "... and says where it may not write" "usb-net: error: can't write to the directory '/etc/nothing'. Name one of yours, and copy the files from there as root" \
    "$(as_user "$usb_net" networkd --path 1-1 --output /etc/nothing 2>&1 | tail -n 1)"
check "... or this serial number" bash -c "'$usb_net' networkd --serial lab-0 | grep -qx Property=ID_USB_SERIAL_SHORT=lab-0"
udevadm trigger --action=add "/sys/class/net/$usb"
check "networkd: the interface has a name of its own" wait_for 60 test -e /sys/class/net/u9p1_1
install -d -o systemd-network -g systemd-network /run/systemd/netif{,/links,/leases,/lldp}
/usr/lib/systemd/systemd-networkd >/run/lab/networkd.log 2>&1 &
host=$(sed -n "s,^Address=\(.*\)/29,\1,p" /run/systemd/network/60-u9p1_1.network)
host_has_address() { ip -4 -o address show dev u9p1_1 | grep -F " $host/29 "; }
check "networkd: the host has an address" wait_for 60 host_has_address
check "networkd: the firewall" nft -f /run/systemd/network/usb9pfs_1_1.nft
check "networkd: the board has a lease" wait_for 60 board_lease
check "networkd: HTTP to the board through NAT" board_fetches http://203.0.113.1/file
check "networkd: to the host it is refused" not board_fetches "http://$host:8080/file"
check "networkd: ping" board busybox ping -c 1 -W 20 "$host"
dmesg_clean
