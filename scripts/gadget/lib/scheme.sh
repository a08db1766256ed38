# The gadget as a scheme of libusbgx, which its tool gt loads.
# shellcheck shell=sh disable=SC2154,SC2034 # the settings are set in one file and read in others

scheme_string() { printf '"%s"' "$(printf '%s' "$1" | sed 's/[\\"]/\\&/g')"; }

# scheme_function WORD INSTANCE: a member of `functions`. Its label can have no dot and means nothing beyond the file.
scheme_function() {
    name=${2#*.}
    type=${1%%:*}
    case $2 in ffs.*) type=ffs ;; esac
    printf '    function_%s = {\n        instance = %s\n        type = "%s"\n' "$position" "$(scheme_string "$name")" "$type"
    case $1 in
        rndis | ncm | ecm | eem)
            printf '        attrs = {\n            dev_addr = "%s"\n            host_addr = "%s"\n        }\n' \
                "${dev_mac:-$(derived_mac 02 "$network_number")}" "${host_mac:-$(derived_mac 06 "$network_number")}"
            network_number=$((network_number + 1))
            ;;
        mass_storage:*)
            # The libraries call it `file` and the documents `filename`; unknown names are passed over.
            file=$(scheme_string "$(file_of "$1")")
            printf '        attrs = {\n            stall = 1\n            luns = ( { file = %s, filename = %s } )\n        }\n' "$file" "$file"
            ;;
    esac
    case $1 in
        # libusbgx knows of no such descriptor for ncm, and refuses it.
        rndis) printf '        os_descs = ( { interface = "rndis", compatible_id = "RNDIS", sub_compatible_id = "5162001" } )\n' ;;
    esac
    printf '    }\n'
}

# What the file can't do, at its top, where its user will look.
scheme_limits() {
    echo "# A gadget scheme of libusbgx, made by '$progname scheme'. Load it with: gt load FILE $tag"
    echo "# What a scheme can't say, and '$progname up' does beyond it:"
    if has_function usb9pfs && [ "$driver" = program ]; then
        echo "# - before the gadget is enabled, FunctionFS must be mounted and p9gadget serve it:"
        echo "#   mount -t functionfs $tag /run/$tag.ffs && p9gadget serve /run/$tag.ffs /run/$tag.9p"
        echo "#   so load it without enabling: gt load -o FILE $tag"
    elif has_function usb9pfs; then
        echo "# - buflen, the largest 9P message: it stays at the kernel's 16384 (here it would be ${buflen:-chosen by free memory}). It can"
        echo "#   be written to functions/usb9pfs.$tag/buflen only before the function is linked, and a scheme links it"
        echo "# - the mount must wait until /sys/class/udc/UDC/state reads configured, or Linux 6.12 panics; and once a host has"
        echo "#   configured the gadget, it must have been mounted and unmounted before it is taken down, for the same reason"
        echo "# - usb9pfs needs libusbgx 0.3.0 or later; 0.2.0, as in Debian 12, refuses the file"
    fi
    if has_function ncm; then
        echo "# - the compatible ID for Windows 10: WINNCM in functions/ncm.0/os_desc/interface.ncm/compatible_id"
    fi
    [ -z "$interface" ] || echo "# - the interface's name: it is the kernel's, usb0 or the next, and not $interface"
    echo "# - the endpoints are not counted, and a gadget that does not fit fails with an error number"
}

do_scheme() {
    settle_functions
    # A scheme is for any board: the program only if it is asked for.
    driver=kernel
    [ "$wanted_driver" != program ] || driver=program
    if has_function hid; then
        bad_arguments "a scheme can't leave out hid's OUT endpoint, and so would be another gadget: leave out hid"
    fi
    case " $functions" in
        # Seen with 0.2.0, with `ro = true` as with `ro = 1`: the host gets a disk that it can write to.
        *" mass_storage:"*,ro*) bad_arguments "libusbgx forgets that a disk is read-only: leave out the disk, or its ,ro" ;;
    esac
    check_files
    identify
    : "${id:=1d6b:0109}" "${manufacturer:=Linux}" "${product:=usb9pfs gadget}"
    settle_device
    scheme_limits
    printf 'attrs = {\n    bcdUSB = 0x200\n    idVendor = 0x%s\n    idProduct = 0x%s\n' "${id%:*}" "${id#*:}"
    [ -z "$bcd_device" ] || printf '    bcdDevice = %s\n' "$bcd_device"
    [ "$associated" = no ] || printf '    bDeviceClass = 0xEF\n    bDeviceSubClass = 0x02\n    bDeviceProtocol = 0x01\n'
    printf '}\nstrings = ( {\n    lang = 0x409\n    manufacturer = %s\n    product = %s\n    serialnumber = %s\n} )\n' \
        "$(scheme_string "$manufacturer")" "$(scheme_string "$product")" "$(scheme_string "$serial")"
    printf 'functions = {\n'
    position=0 network_number=0 bindings=
    # shellcheck disable=SC2086 # a list of words
    set -- $functions
    for instance in $(instances); do
        scheme_function "$1" "$instance"
        bindings="$bindings${bindings:+, }{ name = \"$instance\", function = \"function_$position\" }"
        position=$((position + 1))
        shift
    done
    printf '}\nconfigs = ( {\n    id = 1\n    name = "c"\n    functions = ( %s )\n} )\n' "$bindings"
    [ "$windows" = no ] || printf 'os_descs = {\n    use = 1\n    b_vendor_code = 0xcd\n    qw_sign = "MSFT100"\n    config_id = 1\n}\n'
}
