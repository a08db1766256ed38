#!/usr/bin/env bash
# the Talos extension's service, run by an OCI runtime as Talos runs it: network, restart, stop, the three troubles, usb9pfs
# lab: timeout=800
# lab: packages=crun python3-yaml binutils iputils-ping nftables
#
# What of the extension needs no kernel (its format, its image) is in Tests/EndToEnd/talos.sh.
# shellcheck source=../lib.sh
. "$LAB/lib.sh"
# shellcheck source=../../as-written.sh
. "$LAB/../as-written.sh"
host_program "$P9FWD"
mkdir /run/checkout
like_a_checkout /run/checkout
stand_in sudo
talos=$LAB/../../scripts/talos
udc=dummy_udc.0
extension=/run/home/extension
build() { as_user "$talos/build-extension" --arch amd64 --busybox /bin/busybox --output "$extension" "$@"; }
zcat /proc/config.gz >/run/tmp/config
check "build for this kernel" build --kernel /run/tmp/config
check "by the rules" "$talos/check-extension" "$extension/amd64" "$extension/usb-gadget-amd64.tar" "$extension/usb-gadget.oci"

# What containerd does for the service. The runtime is another than Talos's, but takes the same configuration.
mount -t cgroup2 cgroup2 /sys/fs/cgroup
board=/run/talos bundle=/run/bundle
mkdir -p $board $bundle/rootfs
mount -t tmpfs tmpfs $board && mount --make-rshared $board
crun=(crun --cgroup-manager=disabled)
service_log=/run/lab/ext-usb-gadget.log
service_start() { # service_start [NAME=VALUE...]: the environment of an ExtensionServiceConfig
    rm -rf $bundle/layers && mkdir -p $bundle/layers/{upper,work}
    mount -t overlay overlay $bundle/rootfs -o "upperdir=$bundle/layers/upper,workdir=$bundle/layers/work,\
lowerdir=$extension/amd64/rootfs/usr/local/lib/containers/usb-gadget" || return
    python3 "$LAB/scenarios/talos.py" "$extension/amd64/rootfs/usr/local/etc/containers/usb-gadget.yaml" $bundle/rootfs $board \
        "$@" >$bundle/config.json || return
    # A line for each start in the one log, as in Talos's.
    echo "--- start" >>$service_log
    "${crun[@]}" run --bundle $bundle usb-gadget </dev/null >>$service_log 2>&1 &
    service=$!
}
service_stop() {
    "${crun[@]}" kill usb-gadget TERM
    wait "$service"
    service_code=$?
    umount $bundle/rootfs
}
# The log since the last start
service_said() { grep -q -- "$1" <(tac $service_log | sed '/^--- start/q'); }
says() { check "the log says: $1" wait_for "${2:-60}" service_said "$1"; }
service_check() { "${crun[@]}" exec usb-gadget /usr/sbin/usb-gadget check >/run/lab/check 2>&1; }
checked() {
    local code
    service_check
    code=$?
    check_equal "check ends with $1" "$1" "$code"
    check "and says: $2" grep -q -- "$2" /run/lab/check
}

# The board's interface stays where the kernel makes it, since the service runs there; the host's moves away.
ip netns add host
# What the machine configuration makes Talos do.
board_network() {
    as_written docs/talos.md "Configure the board" 1.1 | python3 -c '
import sys, yaml
for document in yaml.safe_load_all(sys.stdin):
    if document["kind"] == "LinkConfig":
        print("ip link set", document["name"], "up")
        for address in document["addresses"]:
            print("ip address replace", address["address"], "dev", document["name"])
        for route in document["routes"]:
            print("ip route replace default via", route["gateway"], "metric", route["metric"])' | sh -ex
}
host_network() {
    local interface
    wait_for 60 host_interface >/dev/null || return
    interface=$(host_interface)
    ip link set "$interface" netns host && by_host as_written docs/talos.md "On the host" 2.1 "IFACE=$interface"
}
by_host() {
    local written_by=(ip netns exec host)
    "$@"
}
pings() { # in both directions; the carrier, name resolution and the neighbour table may take a moment
    wait_for 60 ping -q -c 1 -W 5 10.55.0.2 && wait_for 60 ip netns exec host ping -q -c 1 -W 5 10.55.0.1
}

# Trouble 1: no controller.
echo usbip-vudc.0 >/sys/bus/platform/drivers/usbip-vudc/unbind
echo $udc >/sys/bus/platform/drivers/dummy_udc/unbind
service_start USB_GADGET_PATIENCE=3 USB_GADGET_SERIAL=talos-1
says "check no-udc: FAILED: the kernel has no USB device controller"
checked 4 "check no-udc: FAILED"
check "the controller appears" sh -c "echo $udc >/sys/bus/platform/drivers/dummy_udc/bind"
says "check no-udc: ok: there is $udc"
says "check no-interface: ok: usb0 is there"
check "the host sees the board" wait_for 60 board_device 0
check_equal "by its serial number" talos-1 "$(cat "$(board_device 0)/serial")"

# The address is Talos's part.
says "check host-sees-nothing: FAILED: the host has configured the gadget, but usb0 is down on this side"
check "the board's network" board_network
check "the host's network" host_network
check "ping" pings
says "check host-sees-nothing: ok"
checked 0 "check host-sees-nothing: ok"
# With the way to the world that --nat asks for.
interface=$(ip -n host -br link | awk '$1 !~ /^(lo|sit0|tunl0)/ { print $1; exit }')
ip -n host link add uplink0 type dummy
ip -n host address add 203.0.113.2/24 dev uplink0
ip -n host link set uplink0 up
ip -n host route add default via 203.0.113.1
ip -n host address flush dev "$interface" scope global
check "usb-net, and a ping through its firewall" by_host as_written docs/talos.md "On the host" 1 1-2=1-1
check "the board pings the host" ping -q -c 2 -W 20 10.55.0.2
check "usb-net down" ip netns exec host scripts/host/usb-net down
check "the host's address, by hand again" by_host as_written docs/talos.md "On the host" 2.1 "IFACE=$interface"
check "a ping without it" by_host as_written docs/talos.md "On the host" 2.2

service_stop
check_equal "the service ends well" 0 "$service_code"
check "the gadget is down" wait_for 60 board_gone 0
check_equal "nothing of it is left" "" "$(ls /sys/kernel/config/usb_gadget)"

service_start USB_GADGET_PATIENCE=3 USB_GADGET_SERIAL=talos-1
says "check no-interface: ok"
check "after a restart: the board's network" board_network
check "after a restart: the host's network" host_network
check "after a restart: ping" pings
# Killed, as when it takes too long to stop: the gadget stays, and the next start finds it.
"${crun[@]}" kill usb-gadget KILL
wait "$service"
umount $bundle/rootfs
check "ping while the service is dead" pings
service_start USB_GADGET_PATIENCE=3 USB_GADGET_SERIAL=talos-1
says "is already up on"
says "check host-sees-nothing: ok"
check "ping still" pings

# Trouble 3: the host sees nothing. It has no driver; there is no cable; it wants nothing of the device.
echo "$(board_path 0):1.0" >/sys/bus/usb/drivers/cdc_ether/unbind
says "FAILED: the host has configured the gadget, but no driver of it uses the interface"
checked 6 "no driver of it uses the interface"
hub=$(dirname "$(board_device 0)")
service_stop
port=$(echo "$hub"/*-0:1.0/usb*-port1)
echo 1 >"$port/disable"
service_start USB_GADGET_PATIENCE=3 USB_GADGET_SERIAL=talos-1
says "FAILED: no host is on the cable"
checked 6 "no host is on the cable"
echo 0 >"$hub/authorized_default"
echo 0 >"$port/disable"
says "FAILED: a host is there but has not configured the gadget"
checked 6 "has not configured"
echo 1 >"$hub/authorized_default"
echo 1 >"$(board_device 0)/authorized"
check "the board's network after all" board_network
check "the host's network after all" host_network
check "ping after all" pings
service_stop

# Trouble 2: no usb0.
ip link add usb0 type dummy
service_start USB_GADGET_PATIENCE=3
says "check no-interface: FAILED: usb0 is another device; the gadget's interface is usb1"
checked 5 "check no-interface: FAILED"
service_stop
ip link delete usb0
service_start USB_GADGET_PATIENCE=3 USB_GADGET_INTERFACE=cable0
says "check no-interface: ok: cable0"
service_stop
check_equal "no applet was missing" "" "$(grep -i 'not found\|applet' $service_log)"

# usb9pfs, where the kernel has it.
check_equal "usb9pfs without a kernel is refused" 3 "$(build --function usb9pfs >/run/lab/refused 2>&1; echo $?)"
check "... with the reason" grep -q "built without CONFIG_NET_9P" /run/lab/refused
sed 's/^CONFIG_NET_9P=y/CONFIG_NET_9P=m/; /^CONFIG_NET_9P_USBG=/d' /run/tmp/config >/run/tmp/config-m
check_equal "usb9pfs with NET_9P=m is refused" 3 "$(build --function usb9pfs --kernel /run/tmp/config-m >/run/lab/refused 2>&1; echo $?)"
check "... with the reason" grep -q "CONFIG_NET_9P CONFIG_NET_9P_USBG. With CONFIG_NET_9P=m" /run/lab/refused
check "build with usb9pfs for this kernel" build --function ecm --function usb9pfs --kernel /run/tmp/config
check "by the rules too" "$talos/check-extension" "$extension/amd64" "$extension/usb-gadget.oci"
tree=$(export_directory root)
echo content >"$tree/file"
service_start USB_GADGET_SERIAL=talos-9p
check "the host sees it" wait_for 60 board_device 0
usb_permissions
host_serve 0 "$tree" || fail "serve"
check "the board has the host's directory" wait_for 60 test -e $board/var/mnt/usb9pfs/file
check_equal "with its content" content "$(cat $board/var/mnt/usb9pfs/file)"
service_stop
check "unmounted" test ! -e $board/var/mnt/usb9pfs/file
check_equal "and down" "" "$(ls /sys/kernel/config/usb_gadget)"
host_stop 0
dmesg_clean
