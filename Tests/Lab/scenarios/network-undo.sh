#!/usr/bin/env bash
# usb-net when things go wrong: killed half way, dnsmasq dead, rules deleted, the board gone or back
# lab: timeout=1100
# lab: packages=nftables dnsmasq-base busybox-static python3 curl
# shellcheck source=../lib.sh
. "$LAB/lib.sh"
# shellcheck source=../network.sh
. "$LAB/network.sh"

internet_up
cable_up
remember_host
check "up needs root" bash -c "setpriv --reuid $LAB_UID --regid $LAB_GID --clear-groups '$usb_net' up; [ \$? = 10 ]"

# Killed after each command that changes something, as by kill -9 at that moment: `down` undoes everything.
mkdir -p /run/lab/killing
for program in ip nft dnsmasq; do
    cat >/run/lab/killing/$program <<END
#!/bin/bash
case \$* in *show* | *list*) exec "$(command -v $program)" "\$@" ;; esac
"$(command -v $program)" "\$@" || exit
echo . >>/run/lab/killing/count
[ "\$(wc -l </run/lab/killing/count)" != "\$KILL_AFTER" ] || kill -9 0
END
    chmod +x /run/lab/killing/$program
done
killed=0 states=
for after in {1..20}; do
    rm -f /run/lab/killing/count
    # A session of its own, all of which is killed; dnsmasq has left it by then.
    KILL_AFTER=$after PATH=/run/lab/killing:$PATH setsid --wait "$usb_net" up --dhcp --dns --nat >/run/lab/usb-net.log 2>&1 && break
    killed=$((killed + 1))
    net status
    states+=" $(head -n 1 /run/lab/usb-net.log | cut -d ' ' -f 2)"
    net down
    host_state >/run/lab/after
    cmp -s /run/lab/before /run/lab/after || not_ok "killed after command $after: undone" "$(diff /run/lab/before /run/lab/after)"
done
check "killed after each of $killed commands" test $killed -ge 5
check_equal "... and status says so" "" "$(tr -d ' ' <<<"${states//interrupted,/}")"
run 0 "status: up" status
run 0 "down" down
as_before "killed and undone"
# Killed before its record was written, after a `down` had begun to remove it, and before dnsmasq wrote its pid file.
mkdir -p /run/usb9pfs/net/boards/1-1 /run/usb9pfs/net/boards/1-9
touch /run/usb9pfs/net/boards/1-1/board.new /run/usb9pfs/net/boards/1-9/leases /run/usb9pfs/net/uplink.new
run 0 "down after it was killed before its record" down
as_before "killed before its record"
run 0 "up" up --dhcp
rm /run/usb9pfs/net/boards/1-1/dnsmasq.pid
run 0 "down without dnsmasq's pid file" down
as_before "killed before dnsmasq's pid file"
rm /run/lab/killing/count
KILL_AFTER=3 PATH=/run/lab/killing:$PATH setsid --wait "$usb_net" up --dhcp --nat >/run/lab/usb-net.log 2>&1
run 0 "up after it was killed half way" up --dhcp --nat
said "making it anew"
check "DHCP" board_lease

# Parts of it gone.
dnsmasq=$(cat /run/usb9pfs/net/boards/1-1/dnsmasq.pid)
kill -9 "$dnsmasq"
wait_for 60 test ! -e "/proc/$dnsmasq"
run 11 "status: dnsmasq was killed" status
said "dnsmasq does not run"
run 0 "up again" up --dhcp --nat
check "DHCP again" board_lease
nft delete table inet usb9pfs_1_1
run 11 "status: the firewall was deleted" status
said "table inet usb9pfs_1_1, has gone"
run 0 "up once more" up --dhcp --nat
run 0 "status: up again" status
check "dnsmasq is not a root's" bash -c "! pgrep -u root -x dnsmasq -a | grep usb9pfs"
run 0 "down" down
as_before "parts of it gone"

# The board goes while its network is up: the interface with it.
mac=$(cat "/sys/class/net/$usb/address")
run 0 "up" up --dhcp --nat
cable_down
wait_for 60 test ! -e "/sys/class/net/$usb"
run 11 "status: gone" status
said "has gone"
run 0 "down when the board has gone" down
host_state | grep -v "$usb" >/run/lab/after
grep -v -e "$usb" -e "$mac" /run/lab/before >/run/lab/before-without
check "all but the interface as before" diff /run/lab/before-without /run/lab/after
run 6 "up without a board" up --timeout 0
run 0 "nothing to take down" down

# And comes back, up from before: as after a reboot of the board.
cable_up
run 0 "up" up --dhcp
check "DHCP" board_lease
cable_down
cable_up
run 0 "up when the board is back" up --dhcp
said "making it anew"
check "DHCP after the board's reboot" board_lease
run 0 "down" down

# Boards without a network, and network without usb9pfs.
cable_down
board_up 0 --function ecm || fail "ecm alone"
run 6 "no usb9pfs interface" up --path 1-1 --timeout 0
said "--any"
run 0 "--any" up --path 1-1 --any
run 0 "down" down
board_down 0
board_up 0 || fail "usb9pfs alone"
run 6 "no network function" up --timeout 0
said "has no network interface"
host_serve 0 /run/export/root
board_mount 0 /run/board && umount /run/board
cable_down
dmesg_clean
