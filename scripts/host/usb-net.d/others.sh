# Others who have a say about the board's interface: NetworkManager, systemd-networkd, DHCP clients, other firewalls.
# shellcheck shell=bash disable=SC2154,SC2034 # set and read in usb-net

managed_by_network_manager() {
    command -v nmcli >/dev/null 2>&1 && [ "$(nmcli -g GENERAL.NM-MANAGED device show "$1" 2>/dev/null)" = yes ]
}

# systemd-networkd asks for an address by DHCP wherever a .network file with DHCP= matches, such as one for Name=*, and takes
# away addresses that are not its own.
managed_by_networkd() {
    local line
    command -v networkctl >/dev/null 2>&1 || return 1
    while read -r line; do
        case $line in
            ADMIN_STATE=unmanaged | ADMIN_STATE=linger) return 1 ;;
            ADMIN_STATE=*) return 0 ;;
        esac
    done < <(cat "/run/systemd/netif/links/$1" 2>/dev/null)
    return 1
}

networkd_file() { REPLY=/run/systemd/network/00-usb9pfs-$1.network; }

# take_from_networkd PATH IF IFINDEX
take_from_networkd() {
    local end=$((SECONDS + 30))
    networkd_file "$1"
    mkdir -p "${REPLY%/*}"
    printf '%s\n' "# Of usb-net, until 'usb-net down --path $1'." "[Match]" "Name=$2" "[Link]" "Unmanaged=yes" >"$REPLY"
    if ! networkctl reload; then
        say "note: systemd-networkd does not answer; if it runs, it may take the address of $2 away"
        return 0
    fi
    while managed_by_networkd "$3"; do
        [ $SECONDS -lt $end ] || die 1 "systemd-networkd does not let go of $2: it does not heed $REPLY"
        sleep 0.1
    done
}

# give_back_to_networkd PATH IF THERE
give_back_to_networkd() {
    networkd_file "$1"
    [ -e "$REPLY" ] || return 0
    rm -f "$REPLY"
    rmdir "${REPLY%/*}" 2>/dev/null || true
    networkctl reload || [ "$3" = no ] || say "systemd-networkd did not take $2 back, see above"
}

# Sets notes, a line each: what others do that may disturb this board's network.
look_at_others() {
    notes=
    look_at_foreign_chains
    look_at_legacy_chains
    look_at_raw_sockets
}

# Others' base chains that refuse by default, by policy or by a last rule. What one chain accepts the next may still drop, and
# no rule of ours can change that. So this names the chain and the commands that let the board through: those of the program
# whose chain it is, if that is known.
look_at_foreign_chains() {
    local line table='' chain='' hook='' how='' rule='' name=${recorded[interface]} firewalld='' known
    local -A last=() accepted=()
    known="^iifname \"$name\" (counter packets [0-9]+ bytes [0-9]+ )?accept"
    local foreign=() refusal='^(counter packets [0-9]+ bytes [0-9]+ )?(drop|reject)( |$)'
    while read -r line; do
        case $line in
            "table "*) line=${line#table } && table=${line% \{} ;;
            "chain "*) line=${line#chain } && chain=${line% \{} hook='' how='' rule='' ;;
            "type filter hook input "*"policy "* | "type filter hook forward "*"policy "*)
                hook=${line#type filter hook } && hook=${hook%% *}
                [[ $line != *"policy drop;"* ]] || how="drops by policy"
                ;;
            "type "*" hook "*) ;;
            "}")
                [ -n "$chain" ] || continue
                last[$table $chain]=$rule
                [[ -n $how || ! $rule =~ $refusal ]] || how="ends with '$rule'"
                [ -z "$hook" ] || [ -z "$how" ] || foreign+=("$table|$chain|$hook|$how")
                chain=
                ;;
            *)
                rule=$line
                [[ ! $line =~ $known ]] || accepted[$table $chain]=yes
                [[ ! $line =~ ^iifname\ \"$name\"\ goto\ (filter_IN_[^ ]*) ]] || firewalld=${BASH_REMATCH[1]}
                ;;
        esac
    done <<<"${ruleset:-}"
    for line in ${foreign[@]+"${foreign[@]}"}; do
        IFS='|' read -r table chain hook how <<<"$line"
        case $table in "inet usb9pfs_"* | "inet $guard_table" | ip6\ * | arp\ * | bridge\ *) continue ;; esac
        [ "$hook" = input ] || [ "${recorded[nat]}" = yes ] || continue
        [ -z "${accepted[$table $chain]:-}" ] || continue
        rule="nft insert rule $table $chain iifname $name accept"
        [ "$hook" = input ] ||
            rule+="; nft insert rule $table $chain oifname $name ct state established,related accept"
        case $table:$chain in
            "inet firewalld:"*)
                # One zone for both, that of the interface or else the default one.
                [ "$hook" = input ] || continue
                [[ ${last[inet firewalld ${firewalld:-?}]:-} != accept* ]] || continue
                rule="firewall-cmd --zone=trusted --add-interface=$name"
                ;;
            "ip filter:FORWARD")
                if [ -n "${last[ip filter DOCKER-USER]+there}" ]; then
                    [ -z "${accepted[ip filter DOCKER-USER]:-}" ] || continue
                    rule="iptables -I DOCKER-USER -i $name -j ACCEPT;"
                    rule+=" iptables -I DOCKER-USER -o $name -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT"
                elif [ -n "${last[ip filter ufw-user-forward]+there}" ]; then
                    [ -z "${accepted[ip filter ufw-user-forward]:-}" ] || continue
                    rule="ufw route allow in on $name"
                fi
                ;;
            "ip filter:INPUT")
                if [ -n "${last[ip filter ufw-user-input]+there}" ]; then
                    [ -z "${accepted[ip filter ufw-user-input]:-}" ] || continue
                    rule="ufw allow in on $name"
                fi
                ;;
        esac
        notes+="chain $chain of table $table $how, the board's packets too; to let them through: $rule"$'\n'
    done
}

# iptables-legacy has tables of its own, apart from nftables'. iptables-legacy makes a table that it is asked for, so the kernel is
# asked which there are.
look_at_legacy_chains() {
    local rules chain
    grep -qsx filter /proc/net/ip_tables_names || return 0
    if ! rules=$(iptables-legacy -S 2>/dev/null); then
        notes+="iptables-legacy has rules here, which could not be looked at"$'\n'
        return
    fi
    for chain in INPUT FORWARD; do
        [ $chain = INPUT ] || [ "${recorded[nat]}" = yes ] || continue
        [[ $rules == *"-P $chain DROP"* && $rules != *"-A $chain -i ${recorded[interface]} -j ACCEPT"* ]] || continue
        notes+="chain $chain of iptables-legacy drops by policy, the board's packets too; to let them through:"
        notes+=" iptables-legacy -I $chain -i ${recorded[interface]} -j ACCEPT"
        [ $chain = INPUT ] ||
            notes+="; iptables-legacy -I $chain -o ${recorded[interface]} -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT"
        notes+=$'\n'
    done
}

# DHCP clients of this host at the board's interface: they read packets before any firewall does. Those that read all
# protocols (0003) are told from the likes of tcpdump by name, which takes root.
look_at_raw_sockets() {
    local protocol at inode file who
    while read -r _ _ _ protocol at _ _ _ inode; do
        [ "$at" = "${recorded[ifindex]}" ] || continue
        case $protocol in 0800 | 0003) ;; *) continue ;; esac
        who=
        file=$(find /proc/[0-9]*/fd -lname "socket:\[$inode\]" -print -quit 2>/dev/null || true)
        if [ -n "$file" ]; then
            file=${file#/proc/}
            file=${file%%/*}
            read_line "/proc/$file/comm"
            who=${REPLY//[^[:print:]]/}
        fi
        case $protocol:$who in 0003:dhclient | 0003:dhcpcd* | 0800:*) ;; *) continue ;; esac
        notes+="${who:-a program}${file:+ (process $file)} reads raw packets of ${recorded[interface]}, past every firewall: a DHCP"
        notes+=" client there takes address, routes and resolvers from the board; keep it off this interface"$'\n'
    done < <(cat /proc/net/packet 2>/dev/null)
}
