# How a gadget stands.
# shellcheck shell=sh disable=SC2154,SC2034 # the settings are set in one file and read in others

json_string() { printf '"%s"' "$(printf '%s' "$1" | tr -d '\000-\037' | sed 's/[\\"]/\\&/g')"; }

json_list() {
    separator=
    printf '['
    while read -r item; do
        printf '%s' "$separator"
        json_string "$item"
        separator=', '
    done
    printf ']'
}

do_status() {
    up=false udc='' state='' speed='' serial='' id='' buflen=0 safe=true
    mounted=$(mounts_of_tag)
    [ -z "$mounted" ] || note_mount
    if [ -d "$gadget" ]; then
        udc=$(bound_controller)
        serial=$(read_line "$gadget/strings/0x409/serialnumber")
        id="$(read_line "$gadget/idVendor"):$(read_line "$gadget/idProduct")"
        id=$(printf '%s' "$id" | sed 's/0x//g')
        buflen=$(read_line "$gadget/functions/usb9pfs.$tag/buflen")
        if [ -n "$udc" ]; then
            up=true
            state=$(host_state "$udc")
            speed=$(read_line "$udc_class/$udc/current_speed")
        fi
    fi
    if [ -n "$mounted" ] || ! down_is_safe "$udc"; then safe=false; fi
    if [ "$json" = yes ]; then
        printf '{"version": 1, "tag": %s, "up": %s, "udc": %s, "state": %s, "speed": %s, ' "$(json_string "$tag")" \
            "$up" "$(json_string "$udc")" "$(json_string "$state")" "$(json_string "$speed")"
        printf '"id": %s, "serial": %s, "buflen": %s, "mounts": %s, "down_is_safe": %s}\n' "$(json_string "$id")" \
            "$(json_string "$serial")" "${buflen:-0}" "$(mounts_of_tag | json_list)" "$safe"
    elif [ "$up" = false ]; then
        printf '%s: not up\n' "$tag"
    else
        printf '%s: on %s, %s%s, id %s, serial %s, buflen %s\n' "$tag" "$udc" "$state" \
            "${speed:+ at $speed}" "$id" "$serial" "$buflen"
        for point in $mounted; do
            printf '%s: mounted on %s\n' "$tag" "$point"
        done
        [ "$safe" = true ] || [ -n "$mounted" ] || printf '%s: configured, never mounted: taking it down now would panic Linux 6.12\n' "$tag"
    fi
    [ "$state" = configured ] || exit 11
}
