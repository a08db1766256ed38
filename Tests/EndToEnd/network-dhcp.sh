#!/usr/bin/env bash
# A flood of DHCP requests from the board; and DHCP clients of the host, which take an address from the board past every
# firewall, and of which usb-net says so.
#
# On this machine's own kernel, in namespaces. The flood takes root, since dnsmasq changes its user. Prints "ok" or
# "not ok" for each test.
# shellcheck disable=SC2317 # functions that `check` calls
set -euo pipefail
. "$(dirname "$0")/../../scripts/lib/common.sh"
need_packages iproute2 nftables dnsmasq-base busybox-static python3 procps
# Installed, ifup would prefer it from now on. By the first of this script's two runs: the second has no network.
: "${unpacked:=$("$usb9pfs_root/Tests/Lab/unpack-packages" isc-dhcp-client | tail -n 1)}"
export unpacked
# shellcheck source=lib/network.sh
. "$(dirname "$0")/lib/network.sh" "$@"

plug 1-1 usb1 lab-0
remember
gone() { ! kill -0 "$1" 2>/dev/null; }

# The board as a DHCP server.
run 0 "up" up
ip -n board address add 10.99.0.1/24 dev busb1
printf 'start 10.99.0.5\nend 10.99.0.9\ninterface busb1\nlease_file %s\npidfile %s\n' "$work/leases" "$work/udhcpd.pid" >"$work/udhcpd.conf"
: >"$work/leases"
ip netns exec board busybox udhcpd -f "$work/udhcpd.conf" >"$work/udhcpd.log" 2>&1 &
server=$!
# Takes no address, and writes down which one it would have taken.
cat >"$work/client-script" <<END
#!/bin/sh
echo "\${reason:-\$1} \${new_ip_address:-\${ip:-}}" >>$work/client
END
chmod +x "$work/client-script"
: >"$work/client"
"$unpacked/run" dhclient -d -4 -sf "$work/client-script" -lf "$work/dhclient.leases" -pf "$work/dhclient.pid" usb1 >"$work/dhclient.log" 2>&1 &
client=$!
check "dhclient takes an address from the board, firewall or not" wait_for 60 grep -E '^BOUND 10\.99\.0\.' "$work/client"
run 0 "status" status
said "dhclient (process $client) reads raw packets of usb1, past every firewall"
check "... in JSON too" bash -c "'$usb_net' status --json | python3 -c 'import json, sys; json.load(sys.stdin)[\"boards\"][0][\"notes\"][0].index(\"dhclient\")'"
kill "$client"
wait_for 60 gone "$client"
kill "$server"
wait_for 60 gone "$server"
# One that gets no answer goes on asking.
busybox udhcpc -f -i usb1 -s "$work/client-script" -t 1000 -T 1 >"$work/udhcpc.log" 2>&1 &
client=$!
asks() { "$usb_net" status | grep "busybox (process $client) reads raw packets of usb1" >/dev/null; }
check "udhcpc is named" wait_for 60 asks
kill "$client"
wait_for 60 gone "$client"
# Others may look at all packets.
python3 -c "
import signal, socket
s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
s.bind(('usb1', 0))
open('$work/looks', 'w')
signal.pause()" &
client=$!
wait_for 60 test -e "$work/looks"
run 0 "status" status
said_not "raw packets"
kill "$client"
wait_for 60 gone "$client"
ip -n board address flush dev busb1 scope global
run 0 "down" down
as_before "DHCP clients"

if [[ $(</proc/self/uid_map) != *' 4294967295' ]]; then
    echo "# not root: no dnsmasq, and no flood"
    finish
fi
run 0 "up" up --dhcp
# Each request from another MAC address.
cat >"$work/flood.py" <<'END'
import os, socket, struct, sys, time
s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
s.bind(("busb1", 0))
def request():
    mac = b"\x02" + os.urandom(5)
    dhcp = struct.pack(">BBBBIHHIIII", 1, 1, 6, 0, int.from_bytes(os.urandom(4), "big"), 0, 0x8000, 0, 0, 0, 0)
    dhcp += mac + bytes(10 + 192) + b"\x63\x82\x53\x63" + b"\x35\x01\x01\xff"
    dhcp += bytes(300 - len(dhcp))
    udp = struct.pack(">HHHH", 68, 67, 8 + len(dhcp), 0) + dhcp
    ip = struct.pack(">BBHHHBBHII", 0x45, 0, 20 + len(udp), 0, 0, 64, 17, 0, 0, 0xFFFFFFFF)
    total = sum(struct.unpack(">10H", ip))
    while total >> 16: total = (total & 0xFFFF) + (total >> 16)
    return b"\xff" * 6 + mac + b"\x08\x00" + ip[:10] + struct.pack(">H", total ^ 0xFFFF) + ip[12:] + udp
for n in range(int(sys.argv[1])):
    s.send(request())
    if n % 50 == 0: time.sleep(float(sys.argv[2]))
END
log=/run/usb9pfs/net/boards/1-1/dnsmasq.log
flood() { ip netns exec board python3 "$work/flood.py" "$@"; }
requests() { grep -c DHCPDISCOVER "$log" || true; }
start=$SECONDS
flood 3000 0
check "some requests get through" wait_for 60 grep -q DHCPDISCOVER "$log"
drained() { [ "$(ss -Hlun sport = :67 | awk '{ print $2 }')" = 0 ]; }
check "those that do are read" wait_for 60 drained
check "of 3000 requests few get through: $(requests)" test "$(requests)" -le $((40 + 10 * (SECONDS - start + 1)))
# Without that limit: the log's own. As after months:
handle=$(nft --handle list chain inet usb9pfs_1_1 board | sed -n 's/.*limit rate.*# handle //p')
nft delete rule inet usb9pfs_1_1 board handle "$handle"
lines=$(requests)
size=$(stat -c %s "$log")
head -c $((1048576 - size - 1000)) /dev/zero | tr '\0' x >>"$log"
full() { flood 50 0.1 && [ "$(stat -c %s "$log")" -gt $((1048576 - 200)) ]; }
check "without the limit the log gets full" wait_for 60 full
check "... of requests" test "$(requests)" -gt "$lines"
flood 500 0.1
check "... and no longer" test "$(stat -c %s "$log")" -le 1048576
run 0 "dnsmasq runs on" status
cat >"$work/lease" <<END
#!/bin/sh
[ "\$1" != bound ] || echo "\$ip" >$work/lease-given
END
chmod +x "$work/lease"
check "... and gives the board an address" ip netns exec board busybox udhcpc -i busb1 -s "$work/lease" -n -q -t 120 -T 1
check "... of its subnet" grep -q '^172\.30\.' "$work/lease-given"
run 0 "down" down
as_before "a flood"
finish
