#!/usr/bin/env bash
# a Debian that boots from its own disk offers its gadget by the systemd units: start with the controller, network, stop, mount
# lab: timeout=900
# lab: image=blank
# lab: packages=dnsmasq-base iputils-ping
# lab: debs=iputils-ping
# shellcheck source=../lib.sh
. "$LAB/lib.sh"
# shellcheck source=../../as-written.sh
. "$LAB/../as-written.sh"
[ "$LAB_HOST" = p9fwd ] || fail "this scenario is about p9fwd"
host_program "$P9FWD"
udc=dummy_udc.0
stage() { echo "# $(uptime_seconds) s: $1"; }

# The board's own disk. An ordinary file system with root's files: nothing here goes through p9fwd.
image_mount /run/image || fail "image"
root=/run/image/root
mkdir $root
tar -C $root -xpf "$LAB_ROOTFS" || fail "unpack"
mount --bind $root $root
cp "$LAB_DEBS"/*.deb $root/tmp/
check "packages for the board" chroot $root sh -c "dpkg -i /tmp/*.deb && rm /tmp/*.deb"
check "install --systemd" sh "$LAB/../../scripts/gadget/install" --systemd $root
check "install --systemd once more" sh "$LAB/../../scripts/gadget/install" --systemd $root
check "systemd-networkd" chroot $root systemctl -q enable systemd-networkd
configure() { printf '%s\n' "udc = $udc" "serial = unit-1" "$@" >$root/etc/usb9pfs-gadget.conf; }
configure "function = ecm"
check_equal "systemd-analyze verify is silent" "" "$(chroot $root systemd-analyze verify --man=no \
    /usr/lib/systemd/system/usb9pfs-gadget.service /usr/lib/systemd/system/usb9pfs-mount@mnt.service 2>&1)"
check_equal "systemctl is-enabled" enabled "$(chroot $root systemctl is-enabled usb9pfs-gadget)"
stage "installed"

# A board whose controller appears late, as with a driver that is a module; and it has one, where the lab has two.
echo $udc >/sys/bus/platform/drivers/dummy_udc/unbind
echo usbip-vudc.0 >/sys/bus/platform/drivers/usbip-vudc/unbind
check_equal "no controller yet" "" "$(ls /sys/class/udc)"
board_boot 0 $root || fail "boot"
reached() { [ -s "/proc/$board_init/root/run/lab-reached" ]; }
wait_for 400 reached || fail "multi-user"
stage "booted"
state_of() { in_board systemctl show -P ActiveState "$1"; }
is() { [ "$(state_of "$1")" = "$2" ]; }
# journal_tells COUNT TEXT: true when the gadget's unit has said that so often. The journal has it a moment after that.
journal_tells() { [ "$(in_board journalctl -q --no-pager -o cat -u usb9pfs-gadget | grep -c -- "$2")" -ge "$1" ]; }
check_equal "the board has started without its controller" running "$(in_board systemctl is-system-running --wait)"
check_equal "and without the gadget" inactive "$(state_of usb9pfs-gadget)"

# The kernel makes the interface in the first network namespace, which is the host's here; a real board has no other.
gadget=/run/configfs/usb_gadget/usb9pfs
mkdir -p /run/configfs && mount -t configfs configfs /run/configfs
interface_made() { cat $gadget/functions/*/ifname 2>/dev/null | grep -v %; }
hand_over() {
    wait_for 60 interface_made >/dev/null || return
    wait_for 60 test -e "/sys/class/net/$(interface_made)" && ip link set "$(interface_made)" netns "$board_init"
}
host_network() {
    wait_for 60 host_interface >/dev/null || return
    ip address replace 10.55.0.2/24 dev "$(host_interface)" && ip link set "$(host_interface)" up
}
board_address() { in_board ip -4 -o address show to 10.55.0.0/24 | awk -v field="${1:-4}" '{ print $field }'; }
has_address() { [ -n "$(board_address)" ]; }
# The host gives each device another number.
device_number() { local device && device=$(board_device 0) && cat "$device/devnum"; }
come_back() { local now && now=$(device_number) && [ "$now" != "$before" ]; }

check "the controller appears" sh -c "echo $udc >/sys/bus/platform/drivers/dummy_udc/bind"
check "udev starts usb-gadget.target" wait_for 60 is usb-gadget.target active
check "and that the gadget" wait_for 60 is usb9pfs-gadget active
stage "gadget"
check "the host sees the board" wait_for 60 board_device 0
check_equal "by its serial number" unit-1 "$(cat "$(board_device 0)/serial")"
check "the board's interface" hand_over
check "the host's interface" host_network
dnsmasq --keep-in-foreground --port=0 --conf-file=/dev/null --interface="$(host_interface)" --bind-interfaces --user=root \
    --dhcp-range=10.55.0.10,10.55.0.20,255.255.255.0,1h --dhcp-leasefile=/run/lab/leases --pid-file= >/run/lab/dnsmasq.log 2>&1 &
dnsmasq=$!
check "systemd-networkd gets the board an address" wait_for 120 has_address
check "the host pings the board" ping -c 2 -W 20 "$(board_address | cut -d / -f 1)"
check "the board pings the host" in_board ping -c 2 -W 20 10.55.0.2
check_equal "the default route comes after a network card's" "default via 10.55.0.2 metric 2048" \
    "$(in_board ip route show default | sed 's/ dev [^ ]*//; s/ proto [^ ]*//; s/ src [^ ]*//; s/ *$//')"
check "and the board counts as online without it" in_board grep -qx REQUIRED_FOR_ONLINE=no \
    "/run/systemd/netif/links/$(in_board cat "/sys/class/net/$(board_address 2)/ifindex")"
stage "network"

check "daemon-reexec" in_board systemctl daemon-reexec
check_equal "the gadget is still active" active "$(state_of usb9pfs-gadget)"
check "start again changes nothing" in_board systemctl start usb9pfs-gadget
check "the board pings the host as before" in_board ping -c 1 -W 20 10.55.0.2
kill $dnsmasq
before=$(device_number)
check "restart" in_board systemctl restart usb9pfs-gadget
check "the host sees it go and come back" wait_for 60 come_back
check "the board's interface is back" hand_over
check "the host's too" host_network
dnsmasq --keep-in-foreground --port=0 --conf-file=/dev/null --interface="$(host_interface)" --bind-interfaces --user=root \
    --dhcp-range=10.55.0.10,10.55.0.20,255.255.255.0,1h --dhcp-leasefile=/run/lab/leases --pid-file= >/run/lab/dnsmasq.log 2>&1 &
dnsmasq=$!
check "the board's address too" wait_for 120 has_address
check "the board pings the host after the restart" in_board ping -c 1 -W 20 10.55.0.2
kill $dnsmasq
check "stop" in_board systemctl stop usb9pfs-gadget
check "the host sees it go" wait_for 60 board_gone 0
check "nothing of it is left" test ! -e $gadget
check "the journal tells, of the restart and of this" wait_for 60 journal_tells 2 "is down"
stage "stopped"

# usb9pfs waits for its mount: as long as nobody has mounted it, a pulled cable makes the kernel panic.
configure "function = usb9pfs"
check "start with usb9pfs alone" in_board systemctl start usb9pfs-gadget
check_equal "there is no gadget yet" "active" "$(state_of usb9pfs-gadget)$(ls /run/configfs/usb_gadget)"
check "stop" in_board systemctl stop usb9pfs-gadget

# As the admin's own choice: a gadget that a host has configured and nobody has mounted must stay.
mkdir -p $root/etc/systemd/system/usb9pfs-gadget.service.d
printf '%s\n' '[Service]' ExecStart= 'ExecStart=/usr/sbin/usb9pfs-gadget up --no-wait' >$root/etc/systemd/system/usb9pfs-gadget.service.d/own.conf
check "daemon-reload" in_board systemctl daemon-reload
check "start with usb9pfs" in_board systemctl start usb9pfs-gadget
# Not by the controller's state, which may be left over from the gadget before.
check "the host configures it" wait_for 60 board_configured 0
in_board systemctl stop usb9pfs-gadget 2>/dev/null
check_equal "a stop that would panic the kernel fails" failed "$(state_of usb9pfs-gadget)"
check "the journal says why" wait_for 60 journal_tells 1 "never mounted\|no mount was seen"
check "the gadget is still there" board_device 0
check "start finds it" in_board systemctl start usb9pfs-gadget
check_equal "and is content" active "$(state_of usb9pfs-gadget)"

rm $root/etc/systemd/system/usb9pfs-gadget.service.d/own.conf
check "daemon-reload" in_board systemctl daemon-reload

tree=$(export_directory root)
echo content >"$tree/file"
usb_permissions
host_serve 0 "$tree" || fail "serve"
check "usb9pfs-mount@srv-host" in_board systemctl start usb9pfs-mount@srv-host
check_equal "the board reads the host's file" content "$(in_board cat /srv/host/file)"
check "stopping the gadget unmounts first" in_board systemctl stop usb9pfs-gadget
check_equal "the mount is gone" inactive "$(state_of usb9pfs-mount@srv-host)"
check_equal "the gadget is gone" inactive "$(state_of usb9pfs-gadget)"
check "from the host too" wait_for 60 board_gone 0
check "mounting starts the gadget" in_board systemctl start usb9pfs-mount@srv-host
check_equal "the board reads the file again" content "$(in_board cat /srv/host/file)"
stage "mounted"
check_equal "nothing failed" "" "$(in_board systemctl --failed --no-legend --plain)"

# The same units with p9gadget: usb9pfs is there from the start, and a stop works at any time.
check "stop" in_board systemctl stop usb9pfs-gadget
host_stop 0
host_program "$P9GADGET"
check "install p9gadget" sh "$LAB/../../scripts/gadget/install" --systemd --program "$P9GADGET" $root
check "start with p9gadget" in_board systemctl start usb9pfs-gadget
check "the host configures it" wait_for 60 board_configured 0
check "the journal names the driver" wait_for 60 journal_tells 1 "driver: program"
check "a stop with a host, never mounted" in_board systemctl stop usb9pfs-gadget
check_equal "is well" "inactive" "$(state_of usb9pfs-gadget)$(ls /run/configfs/usb_gadget)"
in_board systemctl start --no-block usb9pfs-mount@srv-host
check "a mount that nobody answers" wait_for 60 eval 'is usb9pfs-mount@srv-host activating && in_board pgrep -f "p9gadget mount"'
check "is broken off by a stop" in_board systemctl stop usb9pfs-mount@srv-host
check "wholly" wait_for 20 eval '! in_board pgrep -f "p9gadget mount"'
check_equal "usb9pfs stays" active "$(state_of usb9pfs-gadget)"
usb_permissions
host_serve 0 "$tree" || fail "serve"
check "usb9pfs-mount@srv-host by p9gadget" in_board systemctl restart usb9pfs-mount@srv-host
check_equal "the board reads the host's file" content "$(in_board cat /srv/host/file)"
check_equal "its mount is p9gadget's" 1 "$(in_board grep -c " /srv/host 9p .*trans=unix" /proc/mounts)"
in_board systemctl stop usb9pfs-gadget.service --job-mode=ignore-dependencies 2>/dev/null
check_equal "a stop while it is mounted is refused" failed "$(state_of usb9pfs-gadget)"
check_equal "and p9gadget lives on" content "$(in_board cat /srv/host/file)"
check "start takes the gadget as it is" in_board systemctl start usb9pfs-gadget
check "stopping the gadget unmounts first" in_board systemctl stop usb9pfs-gadget
check_equal "the mount is gone" inactive "$(state_of usb9pfs-mount@srv-host)"
check "mounting starts the gadget" in_board systemctl start usb9pfs-mount@srv-host
check_equal "the board reads the file again" content "$(in_board cat /srv/host/file)"
check_equal "nothing failed" "" "$(in_board systemctl --failed --no-legend --plain)"
stage "by p9gadget"

# Another machine with systemd and udev is a host: this one, at last.
mkdir $root/srv/checkout
(
    like_a_checkout $root/srv/checkout
    stand_in sudo
    rm scripts
    cp -r "$LAB/../../scripts" scripts
)
# shellcheck disable=SC2034 # as_written's
written_by=(in_board env -C /srv/checkout "PATH=/srv/checkout/bin:$PATH")
check "network.md: usb-net at plug" as_written docs/network.md "At plug" 1
check_equal "... systemd knows the unit, and finds all it names" "" "$(in_board systemd-analyze verify --man=no usb9pfs-net@1-1.service 2>&1)"
in_board systemctl poweroff >/dev/null 2>&1
ended() { ! kill -0 "$board_init" 2>/dev/null; }
check "power off" wait_for 180 ended
host_stop 0
dmesg_clean
