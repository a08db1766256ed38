# The network that the gadget brings, by ip= in the kernel's notation (Documentation/admin-guide/nfs/nfsroot.rst).
# shellcheck shell=sh disable=SC2154 # the settings are read in command-line.sh
resolv_conf=/run/usb9pfs/resolv.conf

# The first network interface of the gadget.
gadget_interface() {
    for file in /sys/kernel/config/usb_gadget/"$1"/functions/*/ifname; do
        [ ! -r "$file" ] || { cat "$file" && return; }
    done
}

# configure_network TAG: gives up soon if it fails; the root does not need a network.
configure_network() {
    [ -n "$ip_setting" ] || return 0
    # client:server:gateway:netmask:host:device:autoconf:dns0:dns1, or autoconf, or device:autoconf
    old_ifs=$IFS
    IFS=:
    set -f
    # shellcheck disable=SC2086 # into fields
    set -- "$1" $ip_setting
    set +f
    IFS=$old_ifs
    interface=$(gadget_interface "$1")
    shift
    case $# in
        1) set -- '' '' '' '' '' '' "$1" ;;
        2) set -- '' '' '' '' '' "$1" "$2" ;;
    esac
    device=${6:-$interface}
    case ${7:-} in
        none | off) [ -n "$1" ] || return 0 ;;
    esac
    if [ -z "$device" ] || [ ! -e "/sys/class/net/$device" ]; then
        say "ip=$ip_setting: there is no network interface${device:+ $device}. usb9pfs.function=ecm or usb9pfs.for=linux makes one"
        return 0
    fi
    ifconfig lo 127.0.0.1 up
    [ -z "${5:-}" ] || printf '%s\n' "$5" >/proc/sys/kernel/hostname
    if [ -z "$1" ]; then
        tell "asking for an address on '$device'"
        ifconfig "$device" up
        udhcpc -i "$device" -n -q -t 5 -T 2 -s /lib/usb9pfs/udhcpc >"$resolv_conf.log" 2>&1 ||
            say "no DHCP server answered on '$device'; going on without an address (on the host: a DHCP server on its end of the cable)"
    else
        ifconfig "$device" "$1" ${4:+netmask "$4"} up || say "ip=$ip_setting: '$1' is not an address for '$device'"
        [ -z "${3:-}" ] || route add default gw "$3" || say "ip=$ip_setting: '$3' can't be the gateway"
        for server in "${8:-}" "${9:-}"; do
            [ -z "$server" ] || printf 'nameserver %s\n' "$server"
        done >"$resolv_conf"
    fi
    tell "network: $(ip -o -4 addr show dev "$device" | awk '{ print $2, $4 }')"
}

# Mounted over the root's own file, if that is a file: the file is the host's, and may be read-only.
keep_resolv_conf() {
    [ -s "$resolv_conf" ] && resolve /etc/resolv.conf && [ -f "$new_root$resolved" ] || return 0
    mount --bind "$resolv_conf" "$new_root$resolved" || say "can't put $resolv_conf over the root's /etc/resolv.conf"
}
