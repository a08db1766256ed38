#!/usr/bin/env bash
# usb-net beside ufw, beside Docker's rules and those of iptables-legacy: what it says of them, and that what it says helps.
#
# On this machine's own kernel, in namespaces: the lab's has no iptables. Docker itself is not run: its rules are written
# as it writes them. Prints "ok" or "not ok" for each test.
# shellcheck disable=SC2317 # functions that `check` calls
set -euo pipefail
. "$(dirname "$0")/../../scripts/lib/common.sh"
need_packages iproute2 nftables iptables ufw python3 curl procps
# shellcheck source=lib/network.sh
. "$(dirname "$0")/lib/network.sh" "$@"

internet_up
plug 1-1 usb1
address() { # the board's own, as `up` names it
    ip -n board address flush dev busb1 scope global
    ip -n board address add "$(sed -n 's/.*ip=\([0-9.]*\)::.*/\1/p' "$work/out")/29" dev busb1
    host=$(sed -n 's/.*this host \([0-9.]*\)\/.*/\1/p' "$work/out")
    ip -n board route replace default via "$host"
}
board() { ip netns exec board "$@"; }
reaches_host() { board curl -s -m 30 -o "$work/fetched" "http://$host:8080/file"; }
reaches_world() { board curl -s -m 30 -o "$work/fetched" http://203.0.113.1/file; }
no_answer() { # curl's codes: refused, no answer in time
    local code=0
    "$@" || code=$?
    [ "$code" = 7 ] || [ "$code" = 28 ]
}
hint() { sed -n "s/.*$1.*to let them through: //p" "$work/out"; }
python3 -m http.server --directory "$work/www" 8080 >"$work/host-www.log" 2>&1 &
wait_for 60 bash -c ': <>/dev/tcp/127.0.0.1/8080' 2>/dev/null || die "no web server"
remember

run 0 "alone: up" up --nat --allow tcp:8080
said_not "to let them through"
address
check "alone: the host is reached" reaches_host
check "alone: the world is reached" reaches_world
run 0 "alone: down" down
as_before alone

# Docker (27 and before, iptables): forwarding for all, FORWARD drops by policy, DOCKER-USER is for the user's rules.
sysctl -q net.ipv4.ip_forward=1
iptables -P FORWARD DROP
for chain in DOCKER DOCKER-ISOLATION-STAGE-1 DOCKER-ISOLATION-STAGE-2 DOCKER-USER; do iptables -N $chain; done
iptables -A FORWARD -j DOCKER-USER
iptables -A FORWARD -j DOCKER-ISOLATION-STAGE-1
iptables -A FORWARD -o docker0 -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
iptables -A FORWARD -o docker0 -j DOCKER
iptables -A FORWARD -i docker0 ! -o docker0 -j ACCEPT
iptables -A FORWARD -i docker0 -o docker0 -j ACCEPT
iptables -A DOCKER-ISOLATION-STAGE-1 -i docker0 ! -o docker0 -j DOCKER-ISOLATION-STAGE-2
iptables -A DOCKER-ISOLATION-STAGE-1 -j RETURN
iptables -A DOCKER-ISOLATION-STAGE-2 -o docker0 -j DROP
iptables -A DOCKER-ISOLATION-STAGE-2 -j RETURN
iptables -A DOCKER-USER -j RETURN
iptables -t nat -A POSTROUTING -s 172.17.0.0/16 ! -o docker0 -j MASQUERADE
remember
run 0 "Docker: up without NAT" up
said_not "to let them through"
run 0 "Docker: up" up --nat --allow tcp:8080
said "chain FORWARD of table ip filter drops by policy"
address
check "Docker: the host is reached" reaches_host
check "Docker: the world is not" no_answer reaches_world
hint FORWARD >"$work/let"
check "Docker: two commands are given" grep -qE '^iptables -I DOCKER-USER -i usb1 -j ACCEPT; iptables -I DOCKER-USER -o usb1 ' "$work/let"
bash -e "$work/let"
check "Docker: with them it is" reaches_world
run 0 "Docker: status" status
said_not "to let them through"
run 0 "Docker: down" down
iptables -D DOCKER-USER 1 && iptables -D DOCKER-USER 1
as_before Docker
for table in filter nat; do iptables -t $table -F && iptables -t $table -X; done
iptables -P FORWARD ACCEPT
sysctl -q net.ipv4.ip_forward=0
nft flush ruleset

# ufw itself, as Debian has it: input and forwarding drop by policy.
mkdir -p "$work/ufw/applications.d"
cp /usr/share/ufw/iptables/*.rules "$work/ufw/"
echo ENABLED=no >"$work/ufw/ufw.conf"
mount --bind "$work/ufw" /etc/ufw
mount -t tmpfs -o mode=755 tmpfs /etc/default && echo 'IPV6=yes
DEFAULT_INPUT_POLICY="DROP"
DEFAULT_OUTPUT_POLICY="ACCEPT"
DEFAULT_FORWARD_POLICY="DROP"
DEFAULT_APPLICATION_POLICY="SKIP"
MANAGE_BUILTINS=no
IPT_SYSCTL=/etc/ufw/sysctl.conf
IPT_MODULES=""' >/etc/default/ufw
: >/etc/ufw/sysctl.conf
{ ufw --force enable && ufw reload; } >"$work/ufw.log" 2>&1 || die "ufw: $(cat "$work/ufw.log")"
remember
run 0 "ufw: up" up --nat --allow tcp:8080
said "chain INPUT of table ip filter drops by policy"
said "to let them through: ufw allow in on usb1"
said "to let them through: ufw route allow in on usb1"
address
check "ufw: the host is not reached" no_answer reaches_host
check "ufw: nor the world" no_answer reaches_world
{ hint INPUT && hint FORWARD; } >"$work/let"
check_equal "ufw: two commands are given" 2 "$(wc -l <"$work/let")"
bash -e "$work/let" >"$work/ufw.log" 2>&1
check "ufw: with them the host is reached" reaches_host
check "ufw: and the world" reaches_world
run 0 "ufw: status" status
said_not "to let them through"
ufw reload >"$work/ufw.log" 2>&1
run 0 "ufw: reload leaves it up" status
check "ufw: and the world within reach" reaches_world
sed 's/ufw /&delete /; s/delete route/route delete/' "$work/let" | bash -e >"$work/ufw.log" 2>&1
run 0 "ufw: down" down
as_before ufw
ufw --force disable >"$work/ufw.log" 2>&1
nft flush ruleset

# iptables-legacy's own tables; which there are the kernel tells to root itself only.
if iptables-legacy -S >"$work/legacy" 2>&1 && cat /proc/net/ip_tables_names >"$work/legacy" 2>&1; then
    remember
    iptables-legacy -P INPUT DROP
    iptables-legacy -P FORWARD DROP
    run 0 "iptables-legacy: up" up --nat --allow tcp:8080
    said "chain INPUT of iptables-legacy drops by policy"
    address
    check "iptables-legacy: the host is not reached" no_answer reaches_host
    { hint INPUT && hint FORWARD; } >"$work/let"
    bash -e "$work/let"
    check "iptables-legacy: as told, it is" reaches_host
    check "iptables-legacy: and the world" reaches_world
    run 0 "iptables-legacy: status" status
    said_not "to let them through"
    run 0 "iptables-legacy: down" down
    as_before "iptables-legacy"
else
    echo "# no iptables-legacy, or not root: not tested"
fi
finish
