#!/usr/bin/env bash
# usb-net beside NetworkManager, firewalld and systemd-networkd, each of them running
# lab: timeout=1100
# lab: packages=nftables dnsmasq-base busybox-static systemd udev dbus python3 curl
# lab: unpacked=network-manager firewalld
# shellcheck source=../lib.sh
. "$LAB/lib.sh"
# shellcheck source=../network.sh
. "$LAB/network.sh"

for part in usr etc var/lib; do
    mount -t overlay overlay -o "lowerdir=$LAB_UNPACKED/$part:/$part" "/$part" || fail "the managers' files in /$part"
done
internet_up
cable_up
mkdir -p /run/dbus
dbus-daemon --system --fork --nopidfile
/usr/lib/systemd/systemd-udevd --daemon
udevadm trigger --action=add --subsystem-match=usb --subsystem-match=net
udevadm settle --timeout=180
usb=$(host_interface) # udev may have given it another name
ends() { ! kill -0 "$1" 2>/dev/null; }

# NetworkManager as Debian has it, which takes every Ethernet interface and asks for an address there. The uplink is not
# what this is about.
mount -t tmpfs -o mode=755 tmpfs /etc/NetworkManager
mount -t tmpfs -o mode=755 tmpfs /var/lib/NetworkManager
mkdir -p /etc/NetworkManager/system-connections
printf '[main]\nplugins=keyfile\n[keyfile]\nunmanaged-devices=interface-name:uplink0\n' >/etc/NetworkManager/NetworkManager.conf
NetworkManager --no-daemon >/run/lab/network-manager.log 2>&1 &
manager=$!
nm_says() { [[ "$(nmcli -g GENERAL.STATE device show "$usb" 2>/dev/null)" == *"($1"* ]]; }
# With the address that comes of itself, without which the host is not as it will be.
asks_board() { "$@" && [[ "$(ip -6 address show dev "$usb" scope link)" == *inet6* ]]; }
nm_asks_board() { asks_board nm_says "connecting (getting IP configuration)"; }
check "NetworkManager asks the board for an address" wait_for 120 nm_asks_board
remember_host
run 0 "NetworkManager: up" up --dhcp --nat
check "NetworkManager: lets go of it" nm_says unmanaged
check "NetworkManager: DHCP" board_lease
check "NetworkManager: HTTP through NAT" board_fetches http://203.0.113.1/file
run 0 "NetworkManager: status" status
run 0 "NetworkManager: down" down
check "NetworkManager: has it again" wait_for 120 nm_asks_board
as_before "NetworkManager"
run 0 "NetworkManager: up once more" up --dhcp
kill $manager
wait_for 60 ends $manager
run 0 "NetworkManager: up outlives it" status
run 0 "NetworkManager: down without it" down
said "NetworkManager did not take $usb back"
umount /etc/NetworkManager /var/lib/NetworkManager
ip address flush dev "$usb"
ip link set "$usb" down

# firewalld, with the zone public for all: its chains end with a reject.
mount -t tmpfs -o mode=755 tmpfs /etc/firewalld
firewalld --nofork --nopid >/run/lab/firewalld.log 2>&1 &
firewalld=$!
running() { timeout 60 firewall-cmd --state >/dev/null 2>&1; }
check "firewalld runs" wait_for 180 running
# It makes a zone's chains when the zone gets its first interface, and keeps them.
firewall-cmd --zone=trusted --add-interface=dummy0 >/run/lab/firewall-cmd.log 2>&1
in_zone() { grep -q "iifname \"$1\" goto filter_IN_trusted" <(nft list chain inet firewalld filter_INPUT_ZONES 2>/dev/null); }
check "firewalld: the zone is there" wait_for 120 in_zone dummy0
remember_host
run 0 "firewalld: up" up --dhcp --nat
said "chain filter_INPUT of table inet firewalld ends with 'reject"
let=$(sed -n 's/.*to let them through: //p' /run/lab/usb-net.log)
check_equal "firewalld: one command is given" "firewall-cmd --zone=trusted --add-interface=$usb" "$let"
check "firewalld: its reject stands" no_lease 2
# Its answers on D-Bus take longer here than its tools wait; what counts is what it does.
$let >>/run/lab/firewall-cmd.log 2>&1
check "firewalld: the interface is in the zone" wait_for 120 in_zone "$usb"
check "firewalld: DHCP" board_lease
check "firewalld: HTTP through NAT" board_fetches http://203.0.113.1/file
look
check "firewalld: but not to the host" not board_fetches "http://${status[1-1.host_address]}:8080/file"
run 0 "firewalld: status" status
check "... has nothing to say any more" not grep -q "to let them through" /run/lab/usb-net.log
run 0 "firewalld: down" down
check "firewalld: its table is still there" nft list table inet firewalld
firewall-cmd --zone=trusted --remove-interface="$usb" >>/run/lab/firewall-cmd.log 2>&1
out_of_zone() { local zones && zones=$(nft list chain inet firewalld filter_INPUT_ZONES) && [[ $zones != *"\"$usb\""* ]]; }
check "firewalld: the zone's command undone" wait_for 120 out_of_zone
as_before firewalld
kill $firewalld
wait_for 60 ends $firewalld
umount /etc/firewalld
nft flush ruleset

# systemd-networkd with a file for every interface, as cloud images have it: an address of someone else's is taken away
# when it looks at its interfaces again.
mkdir -p /run/systemd/network
printf '[Match]\nName=uplink0\n[Link]\nUnmanaged=yes\n' >/run/systemd/network/05-uplink.network
printf '[Match]\nName=enx* usb*\n[Network]\nDHCP=yes\n' >/run/systemd/network/90-all.network
install -d -o systemd-network -g systemd-network /run/systemd/netif{,/links,/leases,/lldp}
/usr/lib/systemd/systemd-networkd >/run/lab/networkd.log 2>&1 &
networkd_says() { grep -qx "ADMIN_STATE=$1" "/run/systemd/netif/links/$(cat "/sys/class/net/$usb/ifindex")"; }
check "networkd asks the board for an address" wait_for 120 asks_board networkd_says configuring
check "networkd is on D-Bus" wait_for 120 networkctl reload
remember_host
run 0 "networkd: up" up --dhcp --nat
check "networkd: lets go of it" networkd_says unmanaged
check "networkd: DHCP" board_lease
check "networkd: HTTP through NAT" board_fetches http://203.0.113.1/file
networkctl reconfigure "$usb"
networkctl reload
run 0 "networkd: told to look again, it leaves it alone" status
run 0 "networkd: down" down
check "networkd: has it again" wait_for 120 asks_board networkd_says configuring
check_equal "networkd: its files are as before" "05-uplink.network 90-all.network" "$(cd /run/systemd/network && echo *)"
as_before networkd
dmesg_clean
