# How a gadget stands.
# shellcheck shell=sh disable=SC2154,SC2034 # the settings are set in one file and read in others

newline='
'
do_status() {
    up=false lost=false udc='' state='' speed='' serial='' id='' buflen='' safe=true present='' limit='' by=''
    mounted=$(mounts_of_tag)
    [ -z "$mounted" ] || note_mount
    if [ -d "$gadget" ]; then
        udc=$(bound_controller)
        serial=$(read_line "$gadget/strings/0x409/serialnumber")
        id="$(read_line "$gadget/idVendor"):$(read_line "$gadget/idProduct")"
        id=$(printf '%s' "$id" | sed 's/0x//g')
        if is_by_program; then
            by=program buflen=$(read_line "$run_dir/$tag.msize")
        elif gadget_has usb9pfs; then
            by=kernel buflen=$(read_line "$gadget/functions/usb9pfs.$tag/buflen")
        fi
        present=$(present_functions)
        if [ -n "$udc" ]; then
            up=true
            state=$(host_state "$udc")
            speed=$(read_line "$udc_class/$udc/current_speed")
            limit=$(endpoint_limit "$udc")
        fi
    fi
    limit_in=${limit%+*} limit_out=${limit#*+}
    # shellcheck disable=SC2086 # a list of words
    sum_endpoints $present
    if [ -e "$run_dir/$tag.lost" ]; then lost=true safe=false; fi
    if [ -n "$mounted" ] || ! down_is_safe "$udc"; then safe=false; fi
    if [ "$json" = yes ]; then
        printf '{"version": 1, "tag": %s, "up": %s, "udc": %s, "state": %s, "speed": %s, ' "$(json_string "$tag")" \
            "$up" "$(json_string "$udc")" "$(json_string "$state")" "$(json_string "$speed")"
        printf '"id": %s, "serial": %s, "buflen": %s, "mounts": %s, "down_is_safe": %s, ' "$(json_string "$id")" \
            "$(json_string "$serial")" "${buflen:-0}" "$(printf '%s' "${mounted:+$mounted$newline}" | json_list)" "$safe"
        printf '"functions": %s, "network": [%s], "terminals": %s, ' \
            "$(for function in $present; do echo "${function%%:*}"; done | json_list)" \
            "$(list_networks '{"function": "%s", "interface": "%s", "device_mac": "%s", "host_mac": "%s"}, ' | sed 's/"host_mac": ""/"host_mac": null/g;s/, $//')" \
            "$(terminals | json_list)"
        printf '"mount_is_lost": %s, "driver": %s, ' "$lost" "$(if [ -n "$by" ]; then json_string "$by"; else echo null; fi)"
        printf '"endpoints": {"in": %s, "out": %s, "in_limit": %s, "out_limit": %s}}\n' "$sum_in" "$sum_out" \
            "${limit_in:-null}" "${limit_out:-null}"
    elif [ "$up" = false ]; then
        printf '%s: not up\n' "$tag"
    else
        printf '%s: on %s, %s%s, id %s, serial %s%s\n' "$tag" "$udc" "$state" \
            "${speed:+ at $speed}" "$id" "$serial" "${buflen:+, buflen $buflen}${by:+, driver: $by}"
        printf '%s: functions %s; endpoints %s IN + %s OUT%s\n' "$tag" "$present" "$sum_in" "$sum_out" "${limit:+ of $limit}"
        list_networks "$tag: %s is interface %s, MAC %s; the host's end has MAC %s\n" | sed "s/; the host's end has MAC $//"
        for point in $mounted; do
            printf '%s: mounted on %s\n' "$tag" "$point"
        done
        if [ $lost = true ]; then
            printf '%s: %s\n' "$tag" "$lost_mount"
        elif [ "$by" = program ]; then
            ! mount_is_under_way || printf '%s: a mount waits for a program on the host that serves it\n' "$tag"
        elif mount_is_under_way; then
            printf "%s: a mount waits for a program on the host that serves it; a pulled cable now takes a reboot\n" "$tag"
        elif [ "$safe" = false ] && [ -z "$mounted" ]; then
            printf '%s: configured, and not mounted since: taking it down now would panic Linux 6.12, and so would a pulled cable\n' "$tag"
        fi
        ! is_deferred || printf '%s: usb9pfs joins when a mount is asked for\n' "$tag"
    fi
    [ "$state" = configured ] || exit 11
}

# The acm functions' terminals on the board.
terminals() {
    for part in "$gadget"/functions/acm.*; do
        [ ! -d "$part" ] || echo "ttyGS$(read_line "$part/port_num")"
    done
}
