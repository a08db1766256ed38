# The board's DHCP and DNS server.
# shellcheck shell=bash disable=SC2154 # set in usb-net

# dnsmasq_runs DIRECTORY: whether the one with this record runs; sets REPLY to its process id
dnsmasq_runs() {
    local argument
    read_line "$1/dnsmasq.pid"
    [ -n "$REPLY" ] && { exec 8<"/proc/$REPLY/cmdline"; } 2>/dev/null || return 1
    while IFS= read -r -d '' -u 8 argument; do
        if [ "$argument" = "--pid-file=$1/dnsmasq.pid" ]; then
            exec 8<&-
            return
        fi
    done
    exec 8<&-
    return 1
}

start_dnsmasq() {
    local user=nobody arguments
    ! getent passwd dnsmasq >/dev/null || user=dnsmasq
    # A range of several addresses, as the board's initramfs, system and boot loader may have different MAC addresses.
    # By MAC, not by client identifier: those differ between udhcpc and systemd-networkd on one board. No ping before
    # an offer (three seconds): the cable has one other end.
    arguments=(--conf-file=/dev/null --interface="$interface" --except-interface=lo --bind-interfaces
        --user="$user" --group="$(id -gn "$user")" --pid-file="$record/dnsmasq.pid" --log-facility="$record/dnsmasq.log"
        --dhcp-leasefile="$record/leases")
    if [ "$dhcp" = yes ]; then
        arguments+=(--dhcp-range="$board_address,$board_last,$netmask,1h" --dhcp-authoritative --dhcp-sequential-ip
            --dhcp-ignore-clid --no-ping)
        # An option without a value is not sent: no route where none leads, no resolver where none answers.
        if [ "$nat" = yes ]; then arguments+=(--dhcp-option="3,$host_address"); else arguments+=(--dhcp-option=3); fi
        if [ "$dns" = yes ]; then arguments+=(--dhcp-option="6,$host_address"); else arguments+=(--dhcp-option=6); fi
    fi
    if [ "$dns" = yes ]; then arguments+=(--no-hosts --domain-needed); else arguments+=(--port=0); fi
    # dnsmasq must not inherit our lock, which it would hold as long as it runs. The board can't make its files grow over a
    # mebibyte: its 1000 leases need a tenth of that, and a full log goes on in the system's.
    (trap '' XFSZ && ulimit -f 1024 && exec dnsmasq "${arguments[@]}" 9<&-) ||
        die 1 "dnsmasq did not start on $interface, see above; does another DHCP server hold port 67 of every interface?"
}

# Looks at command lines instead of its pid file, which dnsmasq writes a moment after it has begun: an `up` that was killed in
# between leaves a dnsmasq without one. (Option and pattern are one word, so that grep does not find itself.)
stop_dnsmasq() {
    local found file signal=TERM end=$((SECONDS + 5))
    # shellcheck disable=SC2062 # the pattern is that of --regexp
    while found=$(grep -lszxF --regexp="--pid-file=$1/dnsmasq.pid" /proc/[0-9]*/cmdline || true) && [ -n "$found" ]; do
        [ $SECONDS -lt $end ] || signal=KILL
        for file in $found; do kill -s $signal "${file//[!0-9]/}" 2>/dev/null || true; done
        sleep 0.05
    done
}
