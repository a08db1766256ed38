# What the scenarios of the host's network share: `. "$LAB/network.sh"`, after lib.sh. The lab's own network namespace is
# the host's.
# shellcheck shell=bash disable=SC2034 # variables for the scenarios
#
#   internet_up            makes "the internet", a namespace behind uplink0: 203.0.113.1, a web server with a file of random
#                          bytes (its hash in $hash) and DNS (files.example); and a web server on the host's port 8080
#   remember_host          notes the host's state
#   as_before NAME         ok if it is the same, byte for byte
#   net ARG...             usb-net; what it says is in $said
#   run CODE NAME ARG...   ok if usb-net ends with this exit code
#   cable_up               board 0's gadget, usb9pfs and ecm, with the board's interface in the namespace "board"; the host's
#                          interface is $usb
#   cable_down             and takes it down
#   board COMMAND...       runs it in that namespace
#   board_lease [TRIES]    has the board ask for an address by DHCP
#   no_lease TRIES         true if it asks so often, and its host does not hear it
#   board_fetches URL      true if the board can
#   look                   reads `usb-net status --json` into the array status, with keys such as 1-1.host_address

usb_net=$LAB/../../scripts/host/usb-net

# What `down` must leave as `up` found it. Not settings: the number of connections, and the key that the kernel makes up
# when a program (dnsmasq is one) first listens with TCP fast open.
host_state() {
    nft list ruleset
    grep -rs . /proc/sys/net | grep -v '/nf_conntrack_count:\|/tcp_fastopen_key:' # sysctl -a would read all of /proc/sys
    ip address
    ip route show table all
    ip -6 route show table all
    ip rule
    find /run/usb9pfs 2>/dev/null
    pgrep -a dnsmasq
}

# No pipe: with pipefail, ip's end by a grep that has seen enough would count.
settled() { [[ "$(ip address)" != *tentative* ]]; }

# as_before NAME: the host is, byte for byte, as in /run/lab/before
as_before() {
    wait_for 60 settled
    host_state >/run/lab/after
    check "$1: nftables, sysctls, addresses, routes, processes as before" diff /run/lab/before /run/lab/after
}

remember_host() {
    wait_for 60 settled
    host_state >/run/lab/before
}

said=/run/lab/usb-net.log
net() { "$usb_net" "$@" >"$said" 2>&1; }
run() { check_code "$1" "$2" "$usb_net" "${@:3}"; }

# look: reads `status --json` into the array status, with keys such as 1-1.host_address
declare -A status
look() {
    local key value
    status=()
    while IFS='=' read -r key value; do status[$key]=$value; done < <("$usb_net" status --json | python3 -c '
import json, sys
for board in json.load(sys.stdin)["boards"]:
    for key, value in board.items():
        print(board["path"] + "." + key, " ".join(value) if isinstance(value, list) else value, sep="=")')
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
    mkdir -p /run/lab/www
    head -c 4000000 /dev/urandom >/run/lab/www/file
    hash=$(sha256sum </run/lab/www/file)
    ip netns exec internet python3 -m http.server --directory /run/lab/www 80 >>/run/lab/www.log 2>&1 &
    ip netns exec internet dnsmasq --conf-file=/dev/null --no-resolv --no-hosts --user=root --pid-file= \
        --address=/files.example/203.0.113.1 --keep-in-foreground 2>/dev/null &
    python3 -m http.server --bind :: --directory /run/lab/www 8080 >/run/lab/host-www.log 2>&1 & # IPv4 as well
    echo "nameserver 203.0.113.1" >/run/lab/resolv.conf
    # Where a resolver of the machine's has made it a link, it leads to /run, which is another here.
    resolver=$(readlink -m /etc/resolv.conf)
    [ -e "$resolver" ] || { mkdir -p "${resolver%/*}" && : >"$resolver"; }
    mount --bind /run/lab/resolv.conf "$resolver" || fail "the host's resolv.conf"
    wait_for 60 port_open 8080 || fail "the host's web server"
    wait_for 60 ip netns exec internet bash -c ': <>/dev/tcp/203.0.113.1/80' 2>/dev/null || fail "the internet's web server"
}

cable_up() {
    local tree entry
    tree=$(export_directory root)
    [ -e /run/netns/board ] || ip netns add board
    board_up 0 --function usb9pfs --function ecm || fail "gadget up"
    # By the name that the kernel gave it: the host's interface may have been quicker, or be there from before.
    ip link set "$(cat /sys/kernel/config/usb_gadget/board-0/functions/ecm.0/ifname)" netns board name usb0
    ip -n board link set usb0 up
    host_serve 0 "$tree" || fail "serve"
    board_mount 0 /run/board || fail "mount" # so that the gadget may be taken down
    umount /run/board
    for entry in /sys/bus/usb/devices/1-1:*/net/*; do usb=${entry##*/}; done
    # An interface that has never been up shows another queue in `ip address` than one that was taken down.
    ip link set "$usb" up
    ip link set "$usb" down
}

cable_down() {
    host_stop 0
    board_down 0 || fail "gadget down"
}

board() { ip netns exec board "$@"; }

# What gets no answer is not waited for as long as a slow machine may take for the file.
board_fetches() { board curl -s -f --connect-timeout 30 -m 240 -o /dev/null "$1"; }

board_lease() {
    cat >/run/lab/udhcpc <<'END'
#!/bin/sh
[ "$1" = bound ] || exit 0
busybox ip address flush dev "$interface" scope global
busybox ip address add "$ip/$mask" dev "$interface"
[ -z "${router:-}" ] || busybox ip route replace default via "$router"
END
    chmod +x /run/lab/udhcpc
    board busybox udhcpc -i usb0 -s /run/lab/udhcpc -n -q -t "${1:-60}" -T 1
}

# A lease that is only late must not look like none: so dnsmasq must not have been asked.
no_lease() {
    local log=/run/usb9pfs/net/boards/1-1/dnsmasq.log
    ! board_lease "$1" && [ -s $log ] && ! grep -q DHCPDISCOVER $log
}
