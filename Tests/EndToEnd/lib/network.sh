# usb-net on this machine's own kernel, in namespaces: what the lab's kernel lacks (iptables, both kinds), and what wants a
# second processor. `. lib/network.sh "$@"` after common.sh: the script goes on as root of its own user, mount, network and
# process namespaces; all that it starts ends with it. Ordinary users need no more than unprivileged user namespaces.
# shellcheck shell=bash disable=SC2034,SC2154,SC2317 # variables for the tests, and from common.sh; functions that `check` calls
#
# A board is a veth pair and what sysfs shows of its USB device; its end of the cable is in the network namespace `board`.
#
#   plug PATH IF [SERIAL]     a board at this USB path, whose interface on the host is IF
#   unplug PATH IF            takes it away again
#   internet_up               the namespace `internet` behind uplink0, with a web server at 203.0.113.1
#   run CODE NAME ARG...      ok if usb-net ends with this exit code; what it says is in $said
#   remember, as_before NAME  the host's state: ok if it is the same, byte for byte
#   finish                    the end: exit code 1 if anything was not ok

if [ -z "${USB_NET_TEST:-}" ]; then
    namespaces=(--mount --net --pid --fork --kill-child --mount-proc)
    [ "$(id -u)" = 0 ] || namespaces+=(--user --map-root-user)
    unshare "${namespaces[@]}" true || die "needs namespaces: run it as root, or allow unprivileged user namespaces"
    work=$(mktemp -d)
    trap 'rm -rf "$work"' EXIT
    # By default signals: what runs in the background of a script ignores Ctrl-C, what nohup started ignores SIGHUP, and so would
    # all that they start.
    USB_NET_TEST=$work env --default-signal=INT,HUP,TERM unshare "${namespaces[@]}" bash "$0" "$@" && code=0 || code=$?
    exit "$code"
fi
work=$USB_NET_TEST
checks=$work/checks said=$work/out
# shellcheck source=checks.sh
. "$usb9pfs_root/Tests/checks.sh"
usb_net=$usb9pfs_root/scripts/host/usb-net
devices=/sys/bus/usb/devices
export TMPDIR=$work

mount -t tmpfs tmpfs /run
mount -t sysfs sysfs /sys
mount -t tmpfs tmpfs /sys/bus
mkdir -p "$devices"
ip link set lo up
ip netns add board
ip -n board link set lo up

run() { check_code "$1" "$2" "$usb_net" "${@:3}"; }
finish() {
    [ "$(checks_count 'not ok')" = 0 ]
    exit
}

plug() {
    local device=$devices/$1
    ip link add "$2" type veth peer name "b$2" netns board
    ip -n board link set "b$2" up
    # One that has never been up shows another queue than one that was taken down.
    ip link set "$2" up
    ip link set "$2" down
    mkdir -p "$device" "$device:1.0/net/$2" "$device:1.1"
    echo "${3:-serial-$1}" >"$device/serial"
    echo ff | tee "$device:1.1/bInterfaceClass" >"$device:1.1/bInterfaceSubClass"
    echo 09 >"$device:1.1/bInterfaceProtocol"
}
unplug() {
    ip link del "$2"
    rm -rf "${devices:?}/$1" "${devices:?}/$1":*
}

# Link-local addresses come a while after the link, and are not what is asked about.
state() {
    nft -s list ruleset 2>/dev/null # not the warnings about iptables' tables
    grep . /proc/sys/net/ipv4/conf/*/forwarding /proc/sys/net/ipv4/ip_forward
    ip -4 address
    ip -o link | sed 's/^[0-9]*: //; s/ state .*//'
    ip route show table all | grep -v 'fe80\|^multicast\|ff00'
    find /run/usb9pfs 2>/dev/null || true
    # By command lines: one that was ended has none, even if it is not quite gone.
    grep -lszx '\(.*/\)\?dnsmasq' /proc/[0-9]*/cmdline || true
}
remember() { state >"$work/before"; }
as_before() {
    state >"$work/after"
    check "$1: the host as before" diff "$work/before" "$work/after"
}

internet_up() {
    ip netns add internet
    ip link add uplink0 type veth peer name world0 netns internet
    ip address add 203.0.113.2/24 dev uplink0
    ip link set uplink0 up
    ip -n internet address add 203.0.113.1/24 dev world0
    ip -n internet link set world0 up
    ip -n internet link set lo up
    ip route add default via 203.0.113.1
    mkdir "$work/www"
    echo hello >"$work/www/file"
    ip netns exec internet python3 -m http.server --directory "$work/www" 80 >"$work/www.log" 2>&1 &
    wait_for 60 ip netns exec internet bash -c ': <>/dev/tcp/203.0.113.1/80' 2>/dev/null || die "no web server: $(cat "$work/www.log")"
}
