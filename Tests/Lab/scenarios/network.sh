#!/usr/bin/env bash
# root and network on one cable, an ecm and an ncm board: DHCP, DNS, HTTP, NAT and the firewall, and the host as before
# lab: timeout=1100
# lab: boards=2
# lab: packages=nftables dnsmasq-base busybox-static python3 curl iputils-ping
#
# The lab's own network namespace is the host's, each board has its own, and so has "the internet": 203.0.113.1, which
# knows no way to the boards' subnets.
# shellcheck source=../lib.sh
. "$LAB/lib.sh"
# shellcheck source=../network.sh
. "$LAB/network.sh"
functions=(ecm ncm)

on() {
    board_init=${init[$1]}
    shift
    in_board "$@"
}

internet_up

# A board's root: busybox, served over 9P.
for board in 0 1; do
    tree=$(export_directory "root-$board")
    mkdir -p "$tree"/{bin,sbin,etc,proc,sys,dev,run,tmp,root}
    cp "$(command -v busybox)" "$tree/bin/busybox"
    # umount and chroot: board_boot's, which are looked for in the new root.
    for applet in sh env umount chroot ip udhcpc ping nslookup cat cp mv cmp grep head seq setsid sleep; do
        ln -s busybox "$tree/bin/$applet"
    done
    ln -s ../bin/busybox "$tree/sbin/init"
    echo '::sysinit:/bin/cp /proc/uptime /run/lab-reached' >"$tree/etc/inittab"
    cat >"$tree/etc/udhcpc" <<'END'
#!/bin/sh
[ "$1" = bound ] || [ "$1" = renew ] || exit 0
ip address flush dev "$interface"
ip address add "$ip/$mask" dev "$interface"
echo "ip=$ip router=${router:-none} dns=${dns:-none}" >/tmp/lease
[ -z "${router:-}" ] || ip route replace default via "$router"
[ -z "${dns:-}" ] || echo "nameserver $dns" >/etc/resolv.conf
END
    # Root's file system in use all the time: writes and reads that differ stop it.
    cat >"$tree/etc/traffic" <<'END'
#!/bin/sh
for round in $(seq 1 100000); do
    head -c 300000 /dev/urandom >/tmp/traffic
    cp /tmp/traffic /tmp/copy && cmp /tmp/traffic /tmp/copy || exit 1
    echo "$round" >/tmp/round && mv /tmp/round /tmp/rounds # never empty for who reads it
    sleep 0.5 # the lab has one processor
done
END
    chmod +x "$tree/etc/udhcpc" "$tree/etc/traffic"
    chown -R "$LAB_UID:$LAB_GID" "$tree"
done

init=()
for board in 0 1; do
    name=${functions[board]}
    board_up "$board" --function usb9pfs --function "$name" || fail "$name: gadget up"
    host_serve "$board" "/run/export/root-$board" || fail "$name: serve"
    board_mount "$board" "/run/board-$board" || fail "$name: mount"
    board_boot "$board" "/run/board-$board" || fail "$name: boot"
    init[board]=$board_init
    ip link set "$(cat "/sys/kernel/config/usb_gadget/board-$board/functions/$name".*/ifname)" netns "$board_init" name usb0
    on "$board" ip link set usb0 up
    on "$board" setsid /etc/traffic >/dev/null 2>&1 </dev/null &
    path[board]=$(board_path "$board")
    # An interface that has never been up shows another queue in `ip address` than one that was taken down.
    for entry in "/sys/bus/usb/devices/${path[board]}":*/net/*; do interface[board]=${entry##*/}; done
    ip link set "${interface[board]}" up
    ip link set "${interface[board]}" down
done
check_equal "ecm: the host's driver" cdc_ether "$(basename "$(readlink "/sys/class/net/${interface[0]}/device/driver")")"
check_equal "ncm: the host's driver" cdc_ncm "$(basename "$(readlink "/sys/class/net/${interface[1]}/device/driver")")"
remember_host

# Arguments, and boards that are not there.
run 0 "--help" --help
run 2 "no verb"
run 2 "unknown option" up --nonsense
run 2 "no path" up --path usb0
run 2 "no network" up --subnet 10.0.0.0/33
run 2 "no port" up --allow http
run 2 "uplink without NAT" up --uplink uplink0
run 4 "two boards and none named" up
run 6 "no board at that path" up --path 9-9 --timeout 1
said "boards on USB: ${path[0]} ${path[1]}"
run 11 "status: nothing is up" status
run 0 "down: nothing is up" down
as_before "refusals"
check "status needs no root" as_user bash -c "'$usb_net' status --json | grep -q lab-1"

lease() { on "$1" udhcpc -i usb0 -s /etc/udhcpc -n -q -t 60 -T 2; }
# With this machine's curl in the board's network namespace: Debian's static busybox crashes in its wget.
browse() { nsenter -t "${init[$1]}" --net curl -s -f --connect-timeout 60 -m 300 "$2"; }
# fetch BOARD URL: the hash of what comes
fetch() { browse "$1" "$2" | sha256sum; }
fetches() { browse "$1" "$2" >/dev/null; }
reaches() { on "$1" ping -c 1 -W 20 "$2"; }

for board in 0 1; do
    name=${functions[board]}
    if [ $board = 0 ]; then chosen=(--path "${path[0]}"); else chosen=(--serial lab-1); fi
    run 0 "$name: up" up "${chosen[@]}" --dhcp --dns --nat
    look
    address=${status[${path[board]}.host_address]}
    subnet=${status[${path[board]}.subnet]}
    check "$name: the host's address" grep -q "inet $address/29 " <(ip address show dev "${interface[board]}")
    check "$name: a subnet of 172.30.0.0/16" test "${subnet#172.30.}" != "$subnet"
    check "$name: DHCP" lease $board
    check_equal "$name: what DHCP gave" "ip=${status[${path[board]}.board_address]} router=$address dns=$address" "$(on $board cat /tmp/lease)"
    look
    lease_given=${status[${path[board]}.leases]}
    check_equal "$name: status knows the board's address" "${status[${path[board]}.board_address]}" "${lease_given%% *}"
    check "$name: ping" reaches $board "$address"
    check "$name: the host reaches the board" ping -c 1 -W 20 "${status[${path[board]}.board_address]}"
    check "$name: DNS" on $board sh -c 'nslookup files.example | grep "203\.0\.113\.1$"'
    check_equal "$name: HTTP through NAT" "$hash" "$(fetch $board http://203.0.113.1/file)"
    check "$name: under the host's address" grep -q '^203\.0\.113\.2 .*"GET /file' /run/lab/www.log
    : >/run/lab/www.log
    check "$name: TCP to the host is refused" not fetches $board "http://$address:8080/file"
    check "$name: also at its other address" not fetches $board http://203.0.113.2:8080/file
done
check_equal "an uplink, and nothing else, forwards" "0 1" \
    "$(cat /proc/sys/net/ipv4/ip_forward) $(cat /proc/sys/net/ipv4/conf/uplink0/forwarding)"
other=${status[${path[1]}.board_address]}
check "one board does not reach the other" not reaches 0 "$other"
check "nor the host's address there" not reaches 0 "${status[${path[1]}.host_address]}"
ip -n internet route add "${status[${path[0]}.subnet]}" via 203.0.113.2
check "the world does not reach a board" bash -c "! ip netns exec internet ping -c 1 -W 2 ${status[${path[0]}.board_address]}"
ip -n internet route del "${status[${path[0]}.subnet]}"
run 0 "up again" up --path "${path[0]}" --dhcp --dns --nat
said "already up"
run 0 "status: both up" status

# Down in turn: the uplink forwards as long as a board needs it.
run 4 "down: two and none named" down
run 0 "down, the first" down --path "${path[0]}"
check_equal "the uplink still forwards" 1 "$(cat /proc/sys/net/ipv4/conf/uplink0/forwarding)"
check_equal "the other board's HTTP" "$hash" "$(fetch 1 http://203.0.113.1/file)"
run 11 "status: one is down" status
run 0 "down, the second" down
as_before "down"
run 0 "down again" down --path "${path[0]}"
as_before "down again"

for board in 0 1; do
    rounds=$(on $board cat /tmp/rounds)
    more() { [ "$(on "$board" cat /tmp/rounds)" -gt "$rounds" ]; }
    check "${functions[board]}: 9P went on all the while ($rounds rounds)" wait_for 60 more
done
dmesg_clean
