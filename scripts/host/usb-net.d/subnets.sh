# Which subnet a board gets. A function in usb-net.d that "sets" something sets a global variable, REPLY or a named one: a
# subshell for each value would take most of the time.
# shellcheck shell=bash disable=SC2154,SC2034 # set and read in usb-net

is_address() { [[ $1 =~ ^(25[0-5]|2[0-4][0-9]|1?[0-9]?[0-9])(\.(25[0-5]|2[0-4][0-9]|1?[0-9]?[0-9])){3}$ ]]; }

# is_network TEXT MIN MAX: an address, a slash, and a prefix length from MIN to MAX
is_network() { is_address "${1%/*}" && [[ $1 =~ /[1-9][0-9]?$ ]] && [ "${1#*/}" -ge "$2" ] && [ "${1#*/}" -le "$3" ]; }

# is_unicast NETWORK: outside of 0.0.0.0/8, and below multicast's addresses
is_unicast() { [ $((10#${1%%.*})) -ge 1 ] && [ $((10#${1%%.*})) -le 223 ]; }

# Each sets REPLY.
to_number() {
    local IFS=.
    # shellcheck disable=SC2086 # split at the dots
    set -- $1
    REPLY=$((10#$1 << 24 | 10#$2 << 16 | 10#$3 << 8 | 10#$4))
}
to_address() { REPLY=$(($1 >> 24 & 255)).$(($1 >> 16 & 255)).$(($1 >> 8 & 255)).$(($1 & 255)); }

# network_of ADDRESS/LENGTH: sets first and last
network_of() {
    local hosts=$((0xffffffff >> ${1#*/}))
    to_number "${1%/*}"
    first=$((REPLY & ~hosts)) last=$((REPLY | hosts))
}

used_first=() used_last=() used_by=()

# in_use NETWORK WHAT: notes that a network, or a single address, is taken
in_use() {
    local network=$1 first last
    [[ $network == */* ]] || network+=/32
    # Default routes, also those that a VPN makes of two halves, cover everything and take nothing.
    [ "${network#*/}" -ge 8 ] || return 0
    network_of "$network"
    used_first+=("$first")
    used_last+=("$last")
    used_by+=("$2")
}

note_networks_in_use() {
    local line words other
    while read -r line; do
        read -r -a words <<<"$line"
        # A route may begin with its type: local, broadcast, unreachable...
        [[ ${words[0]} =~ ^[0-9] ]] || words=("${words[@]:1}")
        [[ ${words[0]:-} =~ ^[0-9.]+(/[0-9]+)?$ ]] || continue
        in_use "${words[0]}" "the route '$line'"
    done < <(ip -4 route show table all)
    while read -r _ other _ line _; do
        in_use "$line" "the address of $other"
    done < <(ip -4 -o address show)
    list_records
    for other in $REPLY; do
        [ "$other" != "$path" ] || continue
        read_record "$other"
        in_use "${recorded[subnet]}" "board $other"
    done
}

# collision FIRST LAST: sets `taken` to the index of a network in use that overlaps, or returns 1
collision() {
    for ((taken = 0; taken < ${#used_first[@]}; taken++)); do
        [ "${used_first[taken]}" -gt "$2" ] || [ "${used_last[taken]}" -lt "$1" ] || return 0
    done
    return 1
}

# What a board is known by, so that it gets the same subnet each time: its serial number, or the path if another device has the
# same number. Sets REPLY.
board_key() {
    local file same=0
    for file in "$usb_devices"/*/serial; do
        file=${file%/serial}
        read_serial "${file##*/}"
        [ "$REPLY" != "$serial" ] || same=$((same + 1))
    done
    if [ -n "$serial" ] && [ "$same" -le 1 ]; then REPLY="serial $serial"; else REPLY="path $path"; fi
}

# Sets subnet, prefix, netmask, host_address, board_address (the first that DHCP gives) and board_last.
choose_subnet() {
    local first last host count offset start hash step steps=0
    prefix=29
    note_networks_in_use
    if [ -n "$wanted_subnet" ]; then
        prefix=${wanted_subnet#*/}
        network_of "$wanted_subnet"
        to_number "${wanted_subnet%/*}"
        host=$REPLY
        [ "$host" != "$last" ] || bad_arguments "$wanted_subnet is the broadcast address of its subnet"
        ! collision "$first" "$last" || die 5 "the subnet $wanted_subnet is in use by ${used_by[taken]}"
        [ "$host" != "$first" ] || host=$((first + 1))
    else
        network_of "$range"
        start=$first count=$(((last - first + 1) / 8))
        board_key
        hash=$(sha256sum <<<"$REPLY")
        offset=$((16#${hash:0:8} % count))
        # From the board's own place on to the next free one; over a larger network in one step.
        while first=$((start + offset * 8)) last=$((start + offset * 8 + 7)) && collision "$first" "$last"; do
            step=$(((used_last[taken] - first) / 8 + 1))
            [ "$step" -le $((count - offset)) ] || step=$((count - offset))
            steps=$((steps + step)) offset=$(((offset + step) % count))
            [ "$steps" -lt "$count" ] ||
                die 5 "no subnet of $range is free: in use by ${used_by[taken]}. Name another --range, or a --subnet"
        done
        host=$((first + 1))
    fi
    to_address "$first" && subnet=$REPLY/$prefix
    to_address "$host" && host_address=$REPLY
    to_address $((0xffffffff << (32 - prefix))) && netmask=$REPLY
    if [ "$host" = $((first + 1)) ]; then
        to_address $((host + 1)) && board_address=$REPLY
        to_address $((last - 1)) && board_last=$REPLY
    else
        to_address $((first + 1)) && board_address=$REPLY
        to_address $((host - 1)) && board_last=$REPLY
    fi
}
