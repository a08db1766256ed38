# The boards on USB, and the records of those that are up.
# shellcheck shell=bash disable=SC2154,SC2034 # set and read in usb-net

# Sets REPLY to the paths of the devices with a usb9pfs interface, or of all devices.
list_devices() {
    local entry found=' ' identity
    for entry in "$usb_devices"/*:*; do
        identity=
        if [ "$1" = usb9pfs ]; then
            read_line "$entry/bInterfaceClass" && identity=$REPLY
            read_line "$entry/bInterfaceSubClass" && identity+=$REPLY
            read_line "$entry/bInterfaceProtocol" && identity+=$REPLY
            [ "$identity" = ffff09 ] || continue
        fi
        entry=${entry##*/}
        [[ $found == *" ${entry%:*} "* ]] || found+="${entry%:*} "
    done
    REPLY=${found# }
    REPLY=${REPLY% }
}

# read_serial PATH: sets REPLY to a device's serial number. The board chooses it, so only printable characters are kept: a
# terminal must not obey it, and it must fit into one line of a file.
read_serial() {
    read_line "$usb_devices/$1/serial"
    REPLY=${REPLY//[^[:print:]]/}
}

is_interface_name() { [[ ${#1} -le 15 && $1 =~ ^[A-Za-z0-9_.@-]+$ && $1 != [.-]* ]]; }

# Sets REPLY to the network interfaces the host has of the USB device at this path.
list_interfaces() {
    local entry found=()
    for entry in "$usb_devices/$1":*/net/*; do
        [ ! -e "$entry" ] || found+=("${entry##*/}")
    done
    REPLY=${found[*]-}
}

# chosen PATH SERIAL: whether the options choose this board
chosen() {
    if [ -n "$wanted_path" ]; then [ "$1" = "$wanted_path" ]; else [ -z "$wanted_serial" ] || [ "$2" = "$wanted_serial" ]; fi
}

# Sets path, serial, interface and ifindex; or, if that may still come, `why`, and returns 1.
find_board() {
    local devices found=() candidate interfaces names=()
    if [ "$any" = yes ]; then list_devices all; else list_devices usb9pfs; fi
    devices=$REPLY
    for candidate in $devices; do
        read_serial "$candidate"
        ! chosen "$candidate" "$REPLY" || found+=("$candidate")
    done
    if [ ${#found[@]} = 0 ]; then
        why="there is no board${wanted_path:+ at USB path $wanted_path}${wanted_serial:+ with serial number $wanted_serial}"
        why+="; boards on USB: ${devices:-none}"
        if [ "$any" = no ] && [ -n "$wanted_path" ] && [ -e "$usb_devices/$wanted_path" ]; then
            why+=". What is at $wanted_path has no usb9pfs interface; --any takes it nevertheless"
        fi
        return 1
    fi
    [ ${#found[@]} = 1 ] ||
        die 4 "there are several boards: ${found[*]}. Name one by --path${wanted_serial:+; they have the same serial number}"
    path=${found[0]}
    read_serial "$path"
    serial=$REPLY
    list_interfaces "$path"
    read -r -a interfaces <<<"$REPLY" # not by a `for` of the words: an interface may be called usb*
    for candidate in ${interfaces[@]+"${interfaces[@]}"}; do
        [ -n "$wanted_interface" ] && [ "$candidate" != "$wanted_interface" ] || names+=("$candidate")
    done
    if [ ${#names[@]} = 0 ]; then
        why="the board at $path has no network interface${wanted_interface:+ $wanted_interface}. On the board: usb9pfs-gadget up"
        why+=" --function ecm; on this host: its driver (cdc_ether, cdc_ncm, cdc_eem or rndis_host)"
        return 1
    fi
    [ ${#names[@]} = 1 ] ||
        die 4 "the board at $path has several network interfaces, name one by --interface: ${names[*]}"
    interface=${names[0]}
    # The kernel lets an administrator call it anything, such as usb*, which is a pattern to nft.
    is_interface_name "$interface" || die 1 "the interface's name '$interface' is none for a firewall's rules; rename it"
    read_line "/sys/class/net/$interface/ifindex"
    ifindex=$REPLY
    # udev renames it; an interface that is up already may not be renamed.
    if [ -e /run/udev/control ] && [ ! -e "/run/udev/data/n$ifindex" ]; then
        why="udev has not done with $interface"
        return 1
    fi
}

wait_for_board() {
    local end=$((SECONDS + timeout))
    until find_board; do
        [ $SECONDS -lt $end ] || die 6 "$why"
        sleep 0.1
    done
}

# Sets REPLY to the paths of the boards that have a record.
list_records() {
    local file found=()
    for file in "$state_root"/boards/*/board; do
        [ -e "$file" ] || continue
        file=${file%/board}
        found+=("${file##*/}")
    done
    REPLY=${found[*]-}
}

# The record that read_record read last: what write_record wrote.
declare -A recorded

# read_record PATH; returns 1 if there is none
read_record() {
    local line
    recorded=([path]=$1 [directory]=$state_root/boards/$1)
    { exec 8<"${recorded[directory]}/board"; } 2>/dev/null || return 1
    while IFS= read -r -u 8 line; do recorded[${line%%=*}]=${line#*=}; done # "=" may be part of a serial number
    exec 8<&-
    table_of "$1"
    recorded[table]=$REPLY
}

# Whether the interface of the record read last is still the one there was.
interface_is_there() {
    read_line "/sys/class/net/${recorded[interface]}/ifindex"
    [ "$REPLY" = "${recorded[ifindex]}" ]
}
interface_has_gone() { if interface_is_there; then return 1; fi; }

# The lock is held until the end; concurrent calls take turns. The directory goes with the last board, so there may be a new one
# when the lock is taken.
lock() {
    local attempt error=
    for attempt in {1..100}; do
        error=$(mkdir -p "$state_root" 2>&1) || continue
        { exec 9<"$state_root"; } 2>/dev/null || continue
        flock -w 120 9 || die 1 "another $progname has been at work for two minutes; it holds the lock on $state_root"
        [ ! "$state_root" -ef /proc/self/fd/9 ] || return 0
    done
    die 1 "can't make $state_root, tried $attempt times${error:+: $error}"
}

# With the lock held. A directory without a record was left by an `up` that was killed before it wrote the record, or by a `down`
# after it removed it: nothing else is left of those.
remove_empty_state() {
    local directory
    for directory in "$state_root"/boards/*; do
        [ -e "$directory/board" ] || rm -rf "$directory"
    done
    rm -f "$state_root/uplink.new"
    rmdir "$state_root"/{boards,uplinks} 2>/dev/null || true
    rmdir "$state_root" "${state_root%/*}" 2>/dev/null || true
}

require_root() {
    local capabilities
    capabilities=$(sed -n 's/^CapEff:[[:space:]]*//p' /proc/self/status)
    # Bit 12 is CAP_NET_ADMIN: root in a container may lack it.
    if [ $((16#$capabilities >> 12 & 1)) = 0 ] || [ "$EUID" != 0 ]; then
        die 10 "'$verb' needs root: CAP_NET_ADMIN for addresses, sysctls and nftables, and to write $state_root"
    fi
}
