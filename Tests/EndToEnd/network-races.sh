#!/usr/bin/env bash
# usb-net: several at once, interrupted at every step, the board gone in the middle, a full /run, hostile names.
#
# On this machine's own kernel, in namespaces. As an ordinary user without dnsmasq, which then can't change its user.
# Prints "ok" or "not ok" for each test.
# shellcheck disable=SC2317 # functions that `check` calls
set -euo pipefail
. "$(dirname "$0")/../../scripts/lib/common.sh"
need_packages iproute2 nftables dnsmasq-base python3 procps
# shellcheck source=lib/network.sh
. "$(dirname "$0")/lib/network.sh" "$@"

services=(--nat)
[[ $(</proc/self/uid_map) != *' 4294967295' ]] || services+=(--dhcp --dns)
internet_up
plug 1-1 usb1 lab-0
plug 2-1 usb2 lab-1
remember

# ip, nft and dnsmasq as they are; but after the change number $AT of theirs $THEN is done, and from there on each time if
# it is `interrupt`, as of one who goes on typing Ctrl-C.
mkdir "$work/bin"
for program in ip nft dnsmasq; do
    cat >"$work/bin/$program" <<END
#!/bin/bash
case \$* in *show* | *list*) exec $(command -v $program) "\$@" ;; esac
$(command -v $program) "\$@"
code=\$?
echo . >>$work/count
count=\$(wc -l <$work/count)
interrupt() { kill -s "\${SIGNAL:-INT}" 0; }
if [ "\$count" = "\$AT" ] || { [ "\$count" -gt "\$AT" ] && [ "\$THEN" = interrupt ]; }; then \$THEN; fi
exit \$code
END
    chmod +x "$work/bin/$program"
done
# at N THEN ARG...: usb-net in a session of its own, as at a terminal; exit code in $code
at() {
    rm -f "$work/count"
    code=0
    AT=$1 THEN=$2 PATH=$work/bin:$PATH setsid --wait "$usb_net" "${@:3}" >"$work/out" 2>&1 || code=$?
}

# Ctrl-C after each step, and in all that follows.
interrupted=0
for step in {1..20}; do
    at "$step" interrupt up --path 1-1 "${services[@]}"
    [ $code != 0 ] || break
    interrupted=$((interrupted + 1))
    state >"$work/after"
    [ $code = 130 ] || not_ok "Ctrl-C after step $step ends with 130" "$code: $(cat "$work/out")"
    diff "$work/before" "$work/after" >"$work/diff" || not_ok "Ctrl-C after step $step: undone" "$(cat "$work/diff" "$work/out")"
done
check "Ctrl-C after each of $interrupted steps leaves nothing" test $interrupted -ge 4
run 0 "up" up --path 1-1 "${services[@]}" --allow tcp:8080
at 1 interrupt down --path 1-1
run 0 "down after Ctrl-C in the middle of down" down --path 1-1
as_before "Ctrl-C in down"
for SIGNAL in HUP TERM; do
    export SIGNAL
    at 2 interrupt up --path 1-1 "${services[@]}"
    check_equal "SIG$SIGNAL: exit code" 130 "$code"
    as_before "SIG$SIGNAL"
done
unset SIGNAL

# The board goes in the middle; or is away for a moment, as when the host sleeps, and comes back with an interface of
# the same name.
cat >"$work/bin/gone" <<END
#!/bin/bash
PATH=${PATH@Q}
ip link del usb1
mv $devices/1-1:1.0 $work/
END
cat >"$work/bin/replugged" <<END
#!/bin/bash
PATH=${PATH@Q}
[ ! -e /sys/class/net/usb1 ] || ip link del usb1
[ ! -e $work/1-1:1.0 ] || mv $work/1-1:1.0 $devices/
ip link add usb1 type veth peer name busb1 netns board
ip -n board link set busb1 up
ip link set usb1 up
ip link set usb1 down
END
chmod +x "$work/bin/gone" "$work/bin/replugged"
for then in gone replugged; do
    tried=0
    for step in {1..20}; do
        at "$step" $then up --path 1-1 "${services[@]}"
        if [ $code = 0 ]; then break; fi
        tried=$((tried + 1))
        [ $code = 6 ] || not_ok "$then after step $step: ends with 6" "$code: $(cat "$work/out")"
        grep -q 'went while this was at work' "$work/out" || not_ok "$then after step $step: says so" "$(cat "$work/out")"
        [ $then = replugged ] || "$work/bin/replugged"
        state >"$work/after"
        # Another interface, with another place in lists.
        if ! diff <(sort "$work/before" | grep -v usb1) <(sort "$work/after" | grep -v usb1) >"$work/diff" ||
            [ -n "$(ip -4 -o address show dev usb1)" ]; then
            not_ok "$then after step $step: undone" "$(cat "$work/diff")"
        fi
    done
    check "the board $then after each of $tried steps: code 6, and undone" test $tried -ge 3
    [ -e /sys/class/net/usb1 ] || "$work/bin/replugged"
    "$usb_net" down --all 2>/dev/null
done
remember

# One held in the middle, others meanwhile.
cat >"$work/bin/hold" <<END
touch $work/held
while [ -e $work/held ]; do sleep 0.05; done
END
chmod +x "$work/bin/hold"
waiting() { [ "$(pgrep -xc flock)" -ge "$1" ]; }
# ends PID NAME: ok if it ends with 0. (`check` can't do it: in its subshell the process is not a child.)
ends() {
    local code=0
    wait "$1" || code=$?
    check_equal "$2" 0 $code
}
hold() {
    (at 2 hold "$@" && exit $code) &
    held=$!
    wait_for 60 test -e "$work/held" || die "nothing holds the lock"
}
hold up --path 1-1 "${services[@]}"
"$usb_net" up --path 1-1 "${services[@]}" >"$work/second" 2>&1 &
second=$!
"$usb_net" up --path 2-1 "${services[@]}" >"$work/third" 2>&1 &
third=$!
check "two more up wait for the first" wait_for 60 waiting 2
run 11 "status in the middle of up" status --path 1-1
said "1-1: interrupted"
check "--json in the middle is JSON" bash -c "'$usb_net' status --json | python3 -m json.tool"
rm "$work/held"
ends $held "the first up"
ends $second "the same board's second up"
check "... finds it up" grep -q "already up" "$work/second"
ends $third "another board's up"
run 0 "both are up" status
run 0 "and down" down --all
as_before "at the same time"

hold up --path 1-1 "${services[@]}"
"$usb_net" down --path 1-1 >"$work/second" 2>&1 &
second=$!
check "down during up waits" wait_for 60 waiting 1
rm "$work/held"
wait $held $second || true
check "... and takes down what came up" grep -q "1-1: down" "$work/second"
as_before "down during up"

hold up --path 1-1 "${services[@]}"
"$usb_net" up --path 1-1 "${services[@]}" --allow tcp:8080 >"$work/second" 2>&1 &
second=$!
check "up with other options during up waits" wait_for 60 waiting 1
rm "$work/held"
wait $held || true
ends $second "... and is done"
check "... after the first" grep -q "making it anew" "$work/second"
check "... as it asks" grep -q 'tcp dport 8080 accept' <(nft list table inet usb9pfs_1_1)
run 0 "down" down --all
as_before "other options"

# Everything at once, with room for two boards only.
jobs=()
for round in {1..4}; do
    for path in 1-1 2-1; do
        "$usb_net" up --path $path "${services[@]}" --range 10.77.0.0/28 >"$work/out-$path-$round" 2>&1 &
        jobs+=($!)
    done
    "$usb_net" down --path 1-1 >"$work/out-down-$round" 2>&1 &
    jobs+=($!)
done
for job in "${jobs[@]}"; do wait "$job" || not_ok "twelve at once: all end with 0" "$(cat "$work"/out-*)"; done
run 0 "twelve at once: up after that" up --path 1-1 "${services[@]}" --range 10.77.0.0/28
run 0 "twelve at once: both are up" status
run 0 "twelve at once: down" down --all
as_before "twelve at once"

# Another port, the same serial number: its own subnet again, and nothing left of the first.
run 0 "up at 1-1" up --path 1-1
subnet=$(sed -n 's/.*this host \([^;]*\);.*/\1/p' "$work/out")
unplug 1-1 usb1
plug 3-1 usb5 lab-0
run 0 "up at 3-1" up --path 3-1
said "1-1: has gone, undoing"
said "this host $subnet"
run 0 "down" down
unplug 3-1 usb5
# Two host controllers, the same port, and the same serial number: two boards.
plug 1-1 usb1 twin
plug 3-1 usb3 twin
remember
run 4 "twins by serial number" up --serial twin
said "they have the same serial number"
run 0 "twin at 1-1" up --path 1-1
run 0 "twin at 3-1" up --path 3-1
check_equal "twins: subnets" 2 "$("$usb_net" status --json | grep -o '"subnet": "[^"]*"' | sort -u | wc -l)"
run 0 "twins: down" down --all
as_before twins
unplug 3-1 usb3
remember

# What the board chooses is text.
# shellcheck disable=SC2016 # not to be expanded
hostile=$(printf 'a"b\\c\033[31m$(touch %s/run)`id`\047=\t;{} \303\251 \377 *' "$work")
echo "$hostile" >"$devices/1-1/serial"
run 0 "a hostile serial number" up --serial "$hostile"
check "... status" "$usb_net" status --path 1-1
check "... in JSON" bash -c "'$usb_net' status --json | python3 -c '
import json, sys
serial = [b for b in json.load(sys.stdin)[\"boards\"] if b[\"path\"] == \"1-1\"][0][\"serial\"]
assert serial.startswith(chr(97) + chr(34) + \"b\") and serial.isprintable() and serial.isascii(), ascii(serial)'"
for locale in C C.UTF-8; do LC_ALL=$locale "$usb_net" status --path 1-1; done | sort -u >"$work/out"
check_equal "the same in each locale" 1 "$(wc -l <"$work/out")"
run 0 "down by it" down --serial "$hostile"
check "nothing was run" not test -e "$work/run"
echo lab-0 >"$devices/1-1/serial"
as_before "a hostile serial number"

# Interfaces' names are the administrator's; to nft usb* is a pattern.
unplug 1-1 usb1
plug 1-1 'usb*' lab-0
touch "$work/usb-file" && cd "$work"
run 1 "an interface called usb*" up --path 1-1
said "rename it"
check "--json" bash -c "'$usb_net' status --json | python3 -m json.tool"
unplug 1-1 'usb*'
plug 1-1 usb1 lab-0
remember
run 2 "--interface with a quote" up --path 1-1 --interface 'usb1"'
run 2 "--uplink with a path" up --path 1-1 --nat --uplink ../uplink0
for network in 0.0.0.0/24 224.0.0.0/24 255.255.255.0/24; do run 2 "--subnet $network" up --path 1-1 --subnet $network; done
run 5 "--subnet of loopback" up --path 1-1 --subnet 127.5.0.0/24
run 0 "--allow with zeros in front" up --path 1-1 --allow tcp:00080
check "... is decimal" grep -q 'tcp dport 80 accept' <(nft list table inet usb9pfs_1_1)
run 0 "down" down

# A default route of two ways, whose first line names no interface.
ip link add uplink1 type veth peer name world1 netns internet
ip address add 198.51.100.2/24 dev uplink1
ip link set uplink1 up
ip -n internet link set world1 up
ip route replace default nexthop via 203.0.113.1 dev uplink0 nexthop via 198.51.100.1 dev uplink1
run 0 "two ways out" up --path 1-1 --nat
check "... the first is the uplink" grep -q '"uplink": "uplink0"' <("$usb_net" status --json)
nft delete table inet usb9pfs
run 11 "the uplink's table deleted" status --path 1-1
said "the table inet usb9pfs, which keeps uplink0"
run 0 "up again" up --path 1-1 --nat
run 0 "status" status --path 1-1
run 0 "down" down
ip route replace default via 203.0.113.1
ip link del uplink1
as_before "arguments"

# Programs that are missing.
mkdir "$work/few"
for program in bash sed dirname readlink cat sleep flock env ip sha256sum mkdir mv rm rmdir; do ln -s "$(command -v $program)" "$work/few/"; done
sed 's/^PATH=.*//' "$usb_net" >"$work/usb-net" && chmod +x "$work/usb-net" && ln -s "$usb9pfs_root/scripts/host/usb-net.d" "$work/"
missing() {
    local code=0
    PATH=$work/few "$work/usb-net" "${@:2}" >"$work/out" 2>&1 || code=$?
    check_equal "no $1: exit code" 3 $code
    said "there is no program '$1'; on Debian: apt-get install"
}
missing nft up --path 1-1
missing nft down --path 1-1
ln -s "$(command -v nft)" "$work/few/"
missing dnsmasq up --path 1-1 --dhcp
rm "$work/few/ip"
missing ip status
as_before "programs missing"

# No room.
mkdir /run/usb9pfs
mount -t tmpfs -o size=4k,nr_inodes=100 tmpfs /run/usb9pfs
printf '%4096s' '' >/run/usb9pfs/full
run 1 "no room on /run" up --path 1-1 "${services[@]}"
said "is there room on /run?"
check_equal "... and nothing is left" full "$(ls /run/usb9pfs)"
umount /run/usb9pfs
mount -t tmpfs -o nr_inodes=2 tmpfs /run/usb9pfs
touch /run/usb9pfs/full
run 1 "no inode on /run" up --path 1-1 "${services[@]}"
said "No space left on device"
umount /run/usb9pfs
rmdir /run/usb9pfs
# Full later: status and down need no room.
mkdir /run/usb9pfs
mount -t tmpfs -o size=64k tmpfs /run/usb9pfs
run 0 "up" up --path 1-1 "${services[@]}"
cat /dev/zero >/run/usb9pfs/full 2>/dev/null || true
run 0 "full later: status" status --path 1-1
run 0 "full later: down" down
check_equal "... nothing is left" full "$(ls /run/usb9pfs)"
umount /run/usb9pfs
rmdir /run/usb9pfs
as_before "no room"
finish
