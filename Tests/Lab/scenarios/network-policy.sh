#!/usr/bin/env bash
# what a board may reach, and which subnet it gets: allowed ports, IPv6, others' routes, DHCP servers and firewalls
# lab: timeout=1100
# lab: packages=nftables dnsmasq-base busybox-static python3 curl
# shellcheck source=../lib.sh
. "$LAB/lib.sh"
# shellcheck source=../network.sh
. "$LAB/network.sh"
# shellcheck source=../../as-written.sh
. "$LAB/../as-written.sh"

internet_up
cable_up
remember_host

run 0 "up" up --dhcp
run 0 "other options" up --dhcp --allow tcp:8080
said "making it anew"
check "DHCP" board_lease
look
host=${status[1-1.host_address]} given=${status[1-1.board_address]} subnet=${status[1-1.subnet]}
check "an allowed port is reached" board_fetches "http://$host:8080/file"

# Without --nat, on a host that is a router: the board reaches nothing behind it.
sysctl -q net.ipv4.ip_forward=1
ip -n board route replace default via "$host"
check "without --nat nothing behind the host is reached" not board_fetches http://203.0.113.1/file
sysctl -q net.ipv4.ip_forward=0
run 0 "down" down

# Made a router by something else while up: stays one.
run 0 "up" up --nat
check "the uplink does not become a router" grep -q 'iifname "uplink0" oifname != ' <(nft list table inet usb9pfs)
check "... of IPv4, and IPv6 is let alone" grep -q 'meta nfproto ipv4 iifname "uplink0"' <(nft list table inet usb9pfs)
sysctl -q net.ipv4.ip_forward=1
run 0 "up once more" up --nat
said "already up"
check "... lifts that" not nft list table inet usb9pfs
run 0 "down" down
said "leaving the forwarding of uplink0 as it is"
sysctl -q net.ipv4.ip_forward=0
as_before "after ip_forward"

# Without DHCP, with the address that `up` names; IPv6 has its link-local addresses.
run 0 "up without DHCP" up
said "ip=$given::$host:255.255.255.248::usb0:off"
ip -n board address flush dev usb0 scope global
ip -n board address add "$given/29" dev usb0
check "ping from a static address" board busybox ping -c 1 -W 20 "$host"
has_link_local() { link_local=$(ip -6 -o address show dev "$usb" | awk '{ sub("/.*", "", $4); print $4 }') && [ -n "$link_local" ]; }
wait_for 60 has_link_local
ping_6() { board busybox ping -6 -c 1 -W 2 "$@"; }
check "ping by IPv6 link-local address" wait_for 60 ping_6 "$link_local%usb0"
# Refused by the firewall and by nothing else: with a rule that accepts them they get through.
only_by_rule() { # NAME MATCH COMMAND...
    local name=$1 handle match
    read -r -a match <<<"$2"
    shift 2
    handle=$(nft --echo --handle insert rule inet usb9pfs_1_1 board "${match[@]}" accept | sed -n 's/.*# handle //p')
    check "$name would be answered" wait_for 60 "$@"
    nft delete rule inet usb9pfs_1_1 board handle "$handle"
    check "$name is not" not "$@"
}
only_by_rule "TCP by IPv6" "tcp dport 8080" board_fetches "http://[$link_local%25usb0]:8080/"
ip address add 2001:db8::1/128 dev uplink0 nodad
ip -n board route add 2001:db8::1 via "$link_local" dev usb0
only_by_rule "a ping of another IPv6 address of this host" "ip6 daddr 2001:db8::1" ping_6 2001:db8::1
ip address add 2001:db8:1::1/64 dev "$usb" nodad
ip -n board address add 2001:db8:1::2/64 dev usb0 nodad
only_by_rule "a ping from an IPv6 address that is not link-local" "ip6 saddr 2001:db8:1::2" ping_6 -I 2001:db8:1::2 "$link_local%usb0"
ip address del 2001:db8::1/128 dev uplink0
ip address del 2001:db8:1::1/64 dev "$usb"
ip -n board address add 172.31.255.2/24 dev usb0
ip -n board route add "$host" dev usb0 src 172.31.255.2
check "a source outside its subnet is dropped" not board busybox ping -c 1 -W 2 "$host"
ip -n board route del "$host" dev usb0 src 172.31.255.2
run 0 "down" down

# Subnets that are taken.
ip link add lan0 type dummy
ip link set lan0 up
ip route add "$subnet" dev lan0
run 0 "the board's subnet is taken" up
look
check "another is found" test "${status[1-1.subnet]}" != "$subnet"
second=${status[1-1.subnet]}
run 0 "down" down
run 0 "and the same again" up
look
check_equal "... each time" "$second" "${status[1-1.subnet]}"
run 0 "down" down
ip route add 172.30.0.0/16 dev lan0
run 5 "the whole range is taken" up
said "172.30.0.0/16 dev lan0"
run 0 "another range" up --range 10.77.0.0/24
look
check "... is used" test "${status[1-1.subnet]#10.77.0.}" != "${status[1-1.subnet]}"
run 5 "a subnet that is taken" up --subnet 203.0.113.128/25
run 0 "a subnet, and the host's address in it" up --subnet 10.55.0.2/24 --dhcp
look
check_equal "... as told" "10.55.0.2 10.55.0.1" "${status[1-1.host_address]} ${status[1-1.board_address]}"
check "DHCP there" board_lease
run 0 "down" down
ip link del lan0
as_before "subnets"

# Another DHCP server has the port of every interface: up fails, and leaves nothing.
python3 -c "
import signal, socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.bind(('', 67))
open('/run/lab/port-67', 'w')
signal.pause()" &
other=$!
wait_for 60 test -e /run/lab/port-67
run 1 "port 67 is taken" up --dhcp
said "another DHCP server"
kill $other
wait $other 2>/dev/null
as_before "up failed"

# A firewall of someone else's that drops by policy.
nft -f - <<'END'
table inet site {
    chain input {
        type filter hook input priority filter; policy drop;
        iifname != "usb*" accept
    }
    chain forward {
        type filter hook forward priority filter; policy drop;
    }
}
END
remember_host
run 0 "up beside another firewall" up --dhcp --nat
said "chain input of table inet site drops by policy"
check "the other firewall's drop stands" no_lease 1
look
# As it says: the commands after "let them through: ".
"$usb_net" status | sed -n 's/.*to let them through: //p' | tr ';' '\n' >/run/lab/let-through
check_equal "the documented commands are given" "$(page_text docs/network.md "Beside another firewall" 1 "usb1=$usb")" \
    "$(sed 's/^ *//' /run/lab/let-through)"
check "they are taken" as_written docs/network.md "Beside another firewall" 1 "usb1=$usb"
check "DHCP through both" board_lease
check "HTTP through both, by NAT" board_fetches http://203.0.113.1/file
check "but not to the host" not board_fetches "http://${status[1-1.host_address]}:8080/file"
run 0 "down" down
check "the other firewall's rules are still there" bash -c "nft list chain inet site input | grep -q 'iifname != \"usb\*\" accept'"
nft delete table inet site
dmesg_clean
