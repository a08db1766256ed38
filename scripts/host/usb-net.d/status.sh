# usb-net status.
# shellcheck shell=bash disable=SC2154 # set in usb-net

# Of the record read last, sets state (up, interrupted, gone), dnsmasq (none, running, not running), firewall, problems
# (why it is not as `up` left it, a line each) and notes.
examine() {
    local name=${recorded[interface]} other
    state=up problems='' dnsmasq=none
    if [ ! -e "${recorded[directory]}/complete" ]; then
        state=interrupted
        problems+="'up' did not come to its end; '$progname up' or 'down' puts it right"$'\n'
    elif ! interface_is_there; then
        state=gone
        problems+="its interface $name has gone: the board was unplugged or rebooted; '$progname up' when it is back"$'\n'
    else
        has_address "$name" "${recorded[host_address]}" || problems+="$name has lost the address ${recorded[host_address]}"$'\n'
        is_up "$name" || problems+="$name is not up"$'\n'
        for other in ${recorded[uplink]:+"$name" "${recorded[uplink]}"}; do
            forwarding_is "$other" 1 || problems+="$other no longer forwards: net.ipv4.conf.$other.forwarding is not 1"$'\n'
        done
    fi
    if [ "${recorded[dhcp]}${recorded[dns]}" != nono ]; then
        dnsmasq=running
        if ! dnsmasq_runs "${recorded[directory]}"; then
            dnsmasq="not running"
            problems+="dnsmasq does not run; '$progname up' starts it again"$'\n'
        fi
    fi
    look_at_firewall
    [ "$firewall" != missing ] ||
        problems+="the firewall, table inet ${recorded[table]}, has gone (ruleset flushed?); '$progname up' makes it anew"$'\n'
    if [ "$state" = up ] && [ "${recorded[nat]}" = yes ] && [ "$firewall" = present ] && guarded "${recorded[uplink]}" &&
        [[ $ruleset != *"table inet $guard_table {"* ]]; then
        problems+="the table inet $guard_table, which keeps ${recorded[uplink]} from forwarding to anything but boards, has gone;"
        problems+=" '$progname up' makes it anew"$'\n'
    fi
    look_at_others
}

# Sets REPLY.
json_string() {
    REPLY=${1//[[:cntrl:]]/}
    REPLY=${REPLY//\\/\\\\}
    REPLY=\"${REPLY//\"/\\\"}\"
}

# json_list TEXT: of its lines
json_list() {
    local line list=''
    while IFS= read -r line; do
        [ -n "$line" ] || continue
        json_string "$line"
        list+="${list:+, }$REPLY"
    done <<<"$1"
    REPLY="[$list]"
}

# Sets REPLY to the addresses that dnsmasq has given out: "ADDRESS MAC NAME", a line each.
read_leases() {
    local lines='' mac address name
    while read -r _ mac address name _; do lines+="$address $mac $name"$'\n'; done < <(cat "$1/leases" 2>/dev/null)
    REPLY=$lines
}

# json_field NAME TEXT
json_field() {
    json_string "$2"
    printf ', "%s": %s' "$1" "$REPLY"
}

json_record() {
    local name
    json_string "${recorded[path]}"
    printf '{"path": %s' "$REPLY"
    json_field state "$state"
    for name in serial interface subnet host_address board_address uplink; do json_field "$name" "${recorded[$name]}"; done
    for name in dhcp dns nat; do
        if [ "${recorded[$name]}" = yes ]; then printf ', "%s": true' $name; else printf ', "%s": false' $name; fi
    done
    json_field dnsmasq "$dnsmasq"
    json_field firewall "$firewall"
    json_list "${recorded[allow]// /$'\n'}"
    printf ', "allow": %s' "$REPLY"
    read_leases "${recorded[directory]}"
    json_list "$REPLY"
    printf ', "leases": %s' "$REPLY"
    json_list "$problems"
    printf ', "problems": %s' "$REPLY"
    json_list "$notes"
    printf ', "notes": %s}' "$REPLY"
}

text_record() {
    local name services='' line
    for name in dhcp dns nat; do [ "${recorded[$name]}" = no ] || services+=" $name"; done
    printf '%s: %s, serial %s, on %s, this host %s in %s%s\n' "${recorded[path]}" "$state" "${recorded[serial]}" \
        "${recorded[interface]}" "${recorded[host_address]}" "${recorded[subnet]}" "${services:+,$services}"
    read_leases "${recorded[directory]}"
    while read -r line; do
        [ -z "$line" ] || printf '%s: %s\n' "${recorded[path]}" "$line"
    done <<<"${REPLY:+the board has $REPLY}$problems$notes"
}

do_status() {
    local board count=0 devices list unsound=no
    need_program ip iproute2
    list_records
    list=$REPLY
    list_devices usb9pfs
    devices=$REPLY
    for board in $devices; do
        [[ " $list " == *" $board "* ]] || list+=" $board"
    done
    [ "$json" = no ] || printf '{"version": 1, "boards": ['
    for board in $list; do
        if read_record "$board"; then
            chosen "$board" "${recorded[serial]}" || continue
            examine
            [ -z "$problems" ] || unsound=yes
            count=$((count + 1))
            if [ "$json" = no ]; then
                text_record
            else
                [ $count = 1 ] || printf ', '
                json_record
            fi
        else
            read_serial "$board"
            recorded[serial]=$REPLY
            chosen "$board" "${recorded[serial]}" || continue
            unsound=yes
            count=$((count + 1))
            list_interfaces "$board"
            recorded[interface]=$REPLY
            if [ "$json" = no ]; then
                printf '%s: down, serial %s, interface %s\n' "$board" "${recorded[serial]}" "${recorded[interface]:-none}"
            else
                [ $count = 1 ] || printf ', '
                json_string "$board"
                printf '{"path": %s, "state": "down"' "$REPLY"
                json_field serial "${recorded[serial]}"
                json_field interface "${recorded[interface]}"
                printf '}'
            fi
        fi
    done
    [ "$json" = no ] || printf ']}\n'
    if [ "$count" = 0 ]; then
        unsound=yes
        [ "$json" = yes ] || echo "${wanted_path:-${wanted_serial:-no board}}: not up, and not on USB"
    fi
    [ "$unsound" = no ] || exit 11
}
