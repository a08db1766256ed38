# The board's nftables table, forwarding, and the table that keeps uplinks we opened from forwarding elsewhere.
# shellcheck shell=bash disable=SC2154,SC2034 # set and read in usb-net

guard_table=usb9pfs

# Sets REPLY.
table_of() { REPLY=usb9pfs_${1//[!A-Za-z0-9]/_}; }

# print_firewall TRANSLATION: the board's table, replacing one of that name. TRANSLATION (masquerade) is here, nowhere,
# or elsewhere: networkd does it in a table of its own.
print_firewall() {
    local rule
    cat <<END
table inet $table
delete table inet $table
table inet $table {
    chain input {
        type filter hook input priority filter; policy accept;
        iifname "$interface" jump board
    }
    chain board {
        meta nfproto ipv4 ip saddr != { 0.0.0.0, $subnet } drop
        meta nfproto ipv6 ip6 saddr != { ::, fe80::/10 } drop
        udp dport 67 limit rate over 10/second burst 40 packets drop
        ct state established,related accept
        ip daddr != { 255.255.255.255, $host_address } reject with icmpx type admin-prohibited
        ip6 daddr != { fe80::/10, ff02::/16 } reject with icmpx type admin-prohibited
        icmp type { echo-request, destination-unreachable, time-exceeded, parameter-problem } accept
        icmpv6 type { echo-request, destination-unreachable, packet-too-big, time-exceeded, parameter-problem } accept
        icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert } accept
        udp sport 68 udp dport 67 accept
END
    if [ "$dns" = yes ]; then printf '        %s dport 53 accept\n' udp tcp; fi
    for rule in $allow; do printf '        %s dport %d accept\n' "${rule%:*}" $((10#${rule#*:})); done
    cat <<END
        reject with icmpx type admin-prohibited
    }
    chain forward {
        type filter hook forward priority filter; policy accept;
END
    if [ "$1" != nowhere ]; then
        cat <<END
        iifname "$interface" oifname "$uplink" ip saddr $subnet accept
        iifname "$uplink" oifname "$interface" ct state established,related accept
END
    fi
    cat <<END
        iifname "$interface" reject with icmpx type admin-prohibited
        oifname "$interface" reject with icmpx type admin-prohibited
    }
END
    if [ "$1" = here ]; then
        cat <<END
    chain postrouting {
        type nat hook postrouting priority srcnat; policy accept;
        ip saddr $subnet oifname "$uplink" masquerade
    }
END
    fi
    echo "}"
}

# The table is declared first, so that deleting it is not an error if it was missing.
remove_table() { printf 'table inet %s\ndelete table inet %s\n' "$1" "$1" | nft -f -; }

# Sets firewall to present, missing, or unknown (for users who may not look), and `ruleset` to the tables that there are,
# without the elements of sets.
look_at_firewall() {
    if ! ruleset=$(nft -t list ruleset 2>/dev/null); then
        firewall=unknown
    elif [[ $ruleset == *"table inet ${recorded[table]} {"* ]]; then
        firewall=present
    else
        firewall=missing
    fi
}

forwarding_of() { REPLY=/proc/sys/net/ipv4/conf/$1/forwarding; }

# forwarding_is IF WANT
forwarding_is() {
    forwarding_of "$1"
    read_line "$REPLY"
    [ "$REPLY" = "$2" ]
}

# boards_behind IF EXCEPT: sets REPLY to the interfaces of boards whose uplink this is, as nftables lists names
boards_behind() {
    local board interfaces=''
    list_records
    for board in $REPLY; do
        if [ "$board" = "$2" ] || ! read_record "$board" || [ "${recorded[uplink]}" != "$1" ]; then continue; fi
        interfaces+="${interfaces:+, }\"${recorded[interface]}\""
    done
    REPLY=$interfaces
}

# guarded IF: whether that table must have a rule for this uplink. It need not if something else has made this host a router.
# The file uplinks/IF has the values that IF's forwarding and ip_forward had before.
guarded() {
    local before all
    read -r before all <"$state_root/uplinks/$1" || return 1
    read_line /proc/sys/net/ipv4/ip_forward
    [ "$before" = 0 ] && [ "$REPLY" = "$all" ]
}

# guard EXCEPT: writes the table that lets the uplinks we opened forward to boards only. For IPv4 only: a host may be an IPv6
# router all the time.
guard() {
    local file rules=''
    for file in "$state_root"/uplinks/*; do
        [ -e "$file" ] || continue
        guarded "${file##*/}" || continue
        boards_behind "${file##*/}" "$1"
        [ -z "$REPLY" ] || rules+="meta nfproto ipv4 iifname \"${file##*/}\" oifname != { $REPLY } drop"$'\n'
    done
    if [ -z "$rules" ]; then
        remove_table $guard_table
    else
        nft -f - <<END
table inet $guard_table
delete table inet $guard_table
table inet $guard_table {
    chain forward {
        type filter hook forward priority filter; policy accept;
        ct state established,related accept
        $rules
    }
}
END
    fi
}

open_uplink() {
    local file=$state_root/uplinks/$uplink before
    if [ ! -e "$file" ]; then
        mkdir -p "$state_root/uplinks"
        forwarding_of "$uplink" && read_line "$REPLY" && before=$REPLY
        read_line /proc/sys/net/ipv4/ip_forward
        echo "$before $REPLY" >"$state_root/uplink.new"
        mv "$state_root/uplink.new" "$file"
    fi
    guard ''
    forwarding_of "$uplink" && echo 1 >"$REPLY"
    forwarding_of "$interface" && echo 1 >"$REPLY"
}

# close_uplink IF EXCEPT: restores what it was, unless another board needs it
close_uplink() {
    local file=$state_root/uplinks/$1 before all
    boards_behind "$1" "$2"
    [ -e "$file" ] && [ -z "$REPLY" ] || return 0
    read -r before all <"$file"
    forwarding_of "$1"
    if [ ! -e "$REPLY" ]; then
        : # gone, and its settings with it
    elif [ "$(cat /proc/sys/net/ipv4/ip_forward)" != "$all" ]; then
        say "net.ipv4.ip_forward was changed by something else since 'up': leaving the forwarding of $1 as it is"
    else
        echo "$before" >"$REPLY"
    fi
    rm -f "$file"
}
