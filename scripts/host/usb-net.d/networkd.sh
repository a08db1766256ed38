# usb-net networkd: the same as files for systemd-networkd and nftables.
# shellcheck shell=bash disable=SC2154 # set in usb-net

# emit FILE: standard input into --output's FILE, or on standard output under its name
emit() {
    if [ -n "$output" ]; then
        cat >"$output/$1"
        say "wrote $output/$1"
    else
        printf '# --- %s\n' "$1"
        cat
        echo
    fi
}

do_networkd() {
    local match name route=no resolver=no first_of_subnet first_of_pool last_of_pool
    # The board need not be there, if it is named.
    if ! find_board; then
        [ -n "$wanted_path$wanted_serial" ] || die 6 "$why; or name a board by --path or --serial"
        path=${wanted_path:-$wanted_serial} serial=$wanted_serial
    fi
    need_program ip iproute2
    if [ -n "$wanted_path" ]; then
        # udev's ID_PATH: the host controller, "usb-0:" and the ports, configuration and interface. Without the board the
        # controller is not known: bus numbers change from boot to boot.
        match=$(udevadm info -q property --property=ID_PATH --value "/sys/class/net/$interface" 2>/dev/null || true)
        [ -n "$match" ] || say "note: without the board the files match port ${wanted_path#*-} of every USB host controller"
        match="Path=${match:-*-usb-0:${wanted_path#*-}:*}"
    elif [ -n "$serial" ]; then
        match="Property=ID_USB_SERIAL_SHORT=$serial"
    else
        bad_arguments "the board at $path has no serial number to know it by; name it by --path"
    fi
    # Property= takes patterns, quotes and specifiers; and these characters are all that udev keeps.
    [[ $match == Path=* || $serial != *[!A-Za-z0-9#+.:=@_-]* ]] || bad_arguments "systemd can't match the serial number '$serial'; use --path"
    # Interface names have at most 15 characters.
    name=u9p${path//[!A-Za-z0-9]/_}
    [ ${#name} -le 15 ] || name=u9p$(sha256sum <<<"$path" | cut -c 1-12)
    interface=$name
    find_uplink
    choose_subnet
    table_of "$path" && table=$REPLY
    to_number "${subnet%/*}" && first_of_subnet=$REPLY
    [ -z "$output" ] || { mkdir -p "$output" 2>/dev/null && [ -w "$output" ]; } ||
        die 1 "can't write to the directory '$output'. Name one of yours, and copy the files from there as root"
    emit "60-$name.link" <<END
# The board's interface by a name of its own. Goes to /etc/systemd/network
[Match]
$match
Driver=cdc_ether cdc_ncm cdc_eem rndis_host

[Link]
Name=$name
END
    {
        cat <<END
# The host's side of the board's network. Goes to /etc/systemd/network
# networkd has no firewall: without $table.nft the board reaches everything that listens on this host.
[Match]
Name=$name

[Link]
RequiredForOnline=no

[Network]
Address=$host_address/$prefix
LinkLocalAddressing=ipv6
IPv6AcceptRA=no
LLDP=no
END
        # networkd turns ip_forward on for the whole host, and leaves it so.
        [ "$nat" = no ] || echo "IPMasquerade=ipv4"
        if [ "$dhcp" = yes ]; then
            [ "$nat" = no ] || route=yes
            [ "$dns" = no ] || resolver=yes
            to_number "$board_address" && first_of_pool=$REPLY
            to_number "$board_last" && last_of_pool=$REPLY
            cat <<END
DHCPServer=yes

[DHCPServer]
PoolOffset=$((first_of_pool - first_of_subnet))
PoolSize=$((last_of_pool - first_of_pool + 1))
EmitRouter=$route
EmitNTP=no
EmitDNS=$resolver
END
        fi
    } | emit "60-$name.network"
    {
        echo "# The board's firewall. Load it with: nft -f FILE; at boot: include it from /etc/nftables.conf"
        if [ "$nat" = yes ]; then print_firewall elsewhere; else print_firewall nowhere; fi
    } | emit "$table.nft"
    if [ "$dns" = yes ]; then
        say "note: networkd answers no DNS queries. EmitDNS=yes hands out the uplink's resolvers, which are reached by --nat only"
    fi
}
