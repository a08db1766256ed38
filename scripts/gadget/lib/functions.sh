# The gadget's functions: what can be asked for, their parts in configfs, and back from there.
# shellcheck shell=sh disable=SC2154,SC2034 # the settings are set in one file and read in others
#
# A list of functions is a list of words: usb9pfs, ecm, ncm, rndis, eem, acm, mass_storage:FILE[,ro], hid:FILE[,LENGTH].

# The functions in the order of their interfaces. The order asked for does not count: Windows takes RNDIS only as the first
# function; a host program finds usb9pfs by its interface's class, so its place does not matter. hid comes last because its
# one endpoint fits anywhere, and a controller with fixed endpoints (dummy_hcd) may run out of bulk ones.
function_kinds="rndis ncm ecm eem usb9pfs acm mass_storage hid"
network_kinds="rndis ncm ecm eem"

# One word of the list, checked.
check_function() {
    case $1 in
        *[!A-Za-z0-9._/:,+@=-]*) bad_arguments "the function '$1' may only have A-Z a-z 0-9 . _ / : , + @ = and -" ;;
        usb9pfs | ecm | ncm | rndis | eem | acm) ;;
        mass_storage:?* | hid:?*) ;;
        mass_storage*) bad_arguments "mass_storage needs its disk: mass_storage:FILE or mass_storage:FILE,ro, a file or block device" ;;
        hid*) bad_arguments "hid needs a report descriptor: hid:FILE or hid:FILE,LENGTH, LENGTH of a report in bytes (8)" ;;
        *) bad_arguments "there is no function '$1'; there are: usb9pfs ecm ncm rndis eem acm mass_storage:FILE[,ro] hid:FILE[,LENGTH]" ;;
    esac
}

# has_function KIND [LIST]: whether one of them is of that kind.
has_function() {
    case " ${2:-$functions} " in
        *" $1 "* | *" $1:"*) ;;
        *) return 1 ;;
    esac
}

count_networks() {
    count=0
    for function in $functions; do
        case " $network_kinds " in *" $function "*) count=$((count + 1)) ;; esac
    done
    echo $count
}

# The network function for a kind of host; why: docs/gadget.md.
network_function_for() {
    case $1 in
        linux | macos | windows) echo ncm ;;
        windows7) echo rndis ;;
        *) bad_arguments "--for '$1' is not one of linux macos windows7 windows" ;;
    esac
}

# Completes $functions by --for and the default, and puts it in order.
settle_functions() {
    if [ -n "$for_host" ]; then
        network=$(network_function_for "$for_host") || exit
        given=$functions
        : "${functions:=usb9pfs}"
        for kind in $network_kinds; do
            if has_function "$kind"; then
                [ "$kind" = "$network" ] || bad_arguments "--for $for_host means $network, but --function $kind is given too: leave out one"
            fi
        done
        has_function "$network" || functions="$functions $network"
        [ -n "$given" ] || say "for $for_host: usb9pfs and $network"
    fi
    : "${functions:=usb9pfs}"
    ordered=
    for kind in $function_kinds; do
        for function in $functions; do
            case $function in
                "$kind") ;;
                "$kind":*)
                    # The kernel answers with the name behind symbolic links.
                    file=$(file_of "$function")
                    function=$kind:$(readlink -f "$file" || printf '%s' "$file")${function#"$kind:$file"}
                    check_function "$function" # lists of words: behind a link may be a name with a space
                    ;;
                *) continue ;;
            esac
            ordered="$ordered${ordered:+ }$function"
        done
    done
    functions=$ordered
    case " $functions " in
        *" usb9pfs usb9pfs "*) bad_arguments "usb9pfs can be there once only: the tag is its name" ;;
    esac
    if [ -n "$host_mac$dev_mac$interface" ] && [ "$(count_networks)" != 1 ]; then
        bad_arguments "--host-mac, --dev-mac and --interface are for one network function, and there are $(count_networks)"
    fi
    if [ -n "$host_mac" ] && has_function eem; then
        bad_arguments "--host-mac is not for eem: it does not tell the host an address, the host makes one up"
    fi
    if [ -n "$mount_point" ]; then
        has_function usb9pfs || bad_arguments "--mount needs the function usb9pfs; add --function usb9pfs"
    fi
}

# The file of a word: mass_storage:/disk,ro -> /disk
file_of() {
    file=${1#*:}
    case $1 in
        mass_storage:*,ro | hid:*,[0-9] | hid:*,[0-9][0-9] | hid:*,[0-9][0-9][0-9]) file=${file%,*} ;;
    esac
    printf '%s\n' "$file"
}

check_files() {
    for function in $functions; do
        case $function in
            *:*)
                file=$(file_of "$function")
                [ -r "$file" ] || die 2 "${function%%:*}: there is no file '$file'"
                ;;
        esac
    done
}

# make_function WORD INSTANCE: makes functions/INSTANCE. Before linking: afterwards the kernel answers EBUSY.
make_function() {
    kind=${1%%:*}
    part=$gadget/functions/$2
    case $2 in ffs.*) kind=ffs ;; esac
    if ! refusal=$(LC_ALL=C mkdir "$part" 2>&1); then
        case $refusal in
            *"No such file"*) ;;
            *) die 5 "the kernel refused the function '$2': ${refusal##*: }. It has eight acm and four hid for all gadgets together;" \
                "or the name is taken, or there is no memory" ;;
        esac
        if [ "$kind" = usb9pfs ]; then
            lacks NET_9P_USBG "the kernel can't make the function '$2'" \
                "with CONFIG_NET_9P=m it is left out without a word: CONFIG_NET_9P must be y as well"
        fi
        case $kind in
            rndis) kind=RNDIS ;;
            ncm) kind=NCM ;;
            ecm) kind=ECM ;;
            eem) kind=EEM ;;
            acm) kind=ACM ;;
            mass_storage) kind=MASS_STORAGE ;;
            hid) kind=F_HID ;;
            ffs) kind=F_FS ;;
        esac
        lacks "USB_CONFIGFS_$kind" "the kernel can't make the function '$2'"
    fi
    case $kind in
        usb9pfs) echo "$buflen" >"$part/buflen" || give_up 1 "the kernel refused a buflen of $buflen" ;;
        rndis | ncm | ecm | eem) describe_network "$part" ;;
        mass_storage)
            case $1 in *,ro) echo 1 >"$part/lun.0/ro" || give_up 1 "the kernel refused a read-only disk" ;; esac
            printf '%s\n' "$(file_of "$1")" >"$part/lun.0/file" ||
                give_up 2 "the kernel can't open '$(file_of "$1")' as a disk: it must be a file or block device, not empty"
            ;;
        hid)
            length=8
            case $1 in *,[0-9]*) length=${1##*,} ;; esac
            {
                echo 1 >"$part/no_out_endpoint" && echo "$length" >"$part/report_length" &&
                    cat "$(file_of "$1")" >"$part/report_desc"
            } || give_up 2 "the kernel refused the report descriptor '$(file_of "$1")' or the length $length"
            ;;
    esac
}

# describe_network PART: the addresses and the interface's name; what Windows asks for.
describe_network() {
    {
        printf '%s\n' "${dev_mac:-$(derived_mac 02 "$network_number")}" >"$1/dev_addr" &&
            printf '%s\n' "${host_mac:-$(derived_mac 06 "$network_number")}" >"$1/host_addr"
    } || give_up 1 "the kernel refused the MAC addresses"
    network_number=$((network_number + 1))
    if [ -n "$interface" ]; then
        # Since Linux 5.15. It takes a pattern only: with a name that exists, binding would fail.
        printf '%s\n' "$interface" >"$1/ifname" || give_up 1 "the kernel refused '$interface' as the interface's name"
    fi
    # Extended compatible ID: without it Windows 10 leaves NCM without a driver, and RNDIS wants a driver by hand.
    case $1 in
        */ncm.*) printf 'WINNCM\n' >"$1/os_desc/interface.ncm/compatible_id" ;;
        */rndis.*)
            printf 'RNDIS\n' >"$1/os_desc/interface.rndis/compatible_id" &&
                printf '5162001\n' >"$1/os_desc/interface.rndis/sub_compatible_id"
            ;;
    esac || give_up 1 "the kernel refused the compatible ID for Windows"
}

# What belongs to the device as a whole: sets bcd_device, associated and windows.
settle_device() {
    # Windows remembers what it once learnt of a device by vendor, product and bcdDevice, so each network function has its own
    # number. Without a network it stays the kernel's version.
    release=0 bcd_device=''
    ! has_function ecm || release=$((release + 1))
    ! has_function ncm || release=$((release + 2))
    ! has_function rndis || release=$((release + 4))
    ! has_function eem || release=$((release + 8))
    [ $release = 0 ] || bcd_device=$(printf '0x01%02d' $release)
    # A function of several interfaces comes with an interface association; a device class announces such.
    associated=no windows=no
    if has_function ecm || has_function ncm || has_function rndis || has_function acm; then associated=yes; fi
    # Microsoft's OS 1.0 descriptors: string 0xEE says MSFT100 and the vendor request by which the rest is read.
    if has_function ncm || has_function rndis; then windows=yes; fi
}

describe_device() {
    settle_device
    [ -z "$bcd_device" ] || echo "$bcd_device" >"$gadget/bcdDevice" || return 1
    if [ $associated = yes ]; then
        echo 0xEF >"$gadget/bDeviceClass" && echo 0x02 >"$gadget/bDeviceSubClass" &&
            echo 0x01 >"$gadget/bDeviceProtocol" || return 1
    fi
    if [ $windows = yes ]; then
        echo 0xcd >"$gadget/os_desc/b_vendor_code" && echo MSFT100 >"$gadget/os_desc/qw_sign" &&
            echo 1 >"$gadget/os_desc/use" && ln -s "$gadget/configs/c.1" "$gadget/os_desc/" || return 1
    fi
}

# The words of a gadget that exists, in the same order and form as settle_functions makes them; a hid without its file.
present_functions() {
    present=
    for kind in $function_kinds; do
        for part in "$gadget/functions/$kind".* "$(program_part "$kind")"; do
            [ -d "$part" ] || continue
            word=$kind
            if [ "$kind" = mass_storage ]; then
                # In a gadget that somebody else made it may be any name, and this must be one word.
                word=$kind:$(read_line "$part/lun.0/file" | LC_ALL=C tr -c 'A-Za-z0-9._/:,+@=\n-' _)
                [ "$(read_line "$part/lun.0/ro")" != 1 ] || word=$word,ro
            fi
            present="$present${present:+ }$word"
        done
    done
    printf '%s\n' "$present"
}

# The instances of $functions in the same order: "ncm.0 usb9pfs.TAG acm.0 acm.1".
instances() {
    last='' number=0
    for function in $functions; do
        kind=${function%%:*}
        if [ "$kind" = "$last" ]; then number=$((number + 1)); else number=0; fi
        last=$kind
        case $kind:$driver in
            usb9pfs:program) echo "ffs.$tag" ;;
            usb9pfs:*) echo "usb9pfs.$tag" ;;
            *) echo "$kind.$number" ;;
        esac
    done
}

# The instances of a gadget that exists, in that order.
present_instances() {
    for kind in $function_kinds; do
        for part in "$gadget/functions/$kind".* "$(program_part "$kind")"; do
            [ ! -d "$part" ] || echo "${part##*/}"
        done
    done
}

# Whether the gadget has a function, by configfs.
gadget_has() {
    for part in "$gadget/functions/$1".* "$(program_part "$1")"; do
        [ ! -d "$part" ] || return 0
    done
    return 1
}

# The directory that a function may have besides its own: usb9pfs that of the program's FunctionFS.
program_part() { [ "$1" != usb9pfs ] || printf '%s\n' "$gadget/functions/ffs.$tag"; }

# list_networks FORMAT: printf's FORMAT with function, interface, the board's MAC and the host's, for each network function.
# The host's is empty for eem, which does not tell the host one.
list_networks() {
    for instance in $(present_instances); do
        part=$gadget/functions/$instance
        [ -e "$part/host_addr" ] || continue
        peer=
        case $instance in eem.*) ;; *) peer=$(read_line "$part/host_addr") ;; esac
        # shellcheck disable=SC2059 # FORMAT
        printf "$1" "${instance%.*}" "$(read_line "$part/ifname")" "$(read_line "$part/dev_addr")" "$peer"
    done
}
