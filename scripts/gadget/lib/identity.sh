# Who this board is: its serial number and MAC addresses.
# shellcheck shell=sh disable=SC2154,SC2034 # the settings are set in one file and read in others

# The machine's own serial number, so that boards can be told apart without set-up; nothing if there is none. The hardware's
# number comes before machine-id: boards that run from one directory have one machine-id.
machine_serial() {
    for file in /proc/device-tree/serial-number /sys/devices/soc0/serial_number /sys/class/dmi/id/product_serial; do
        value=$(read_line "$file" | tr -cd 'A-Za-z0-9._-')
        case $value in
            "" | 0 | None | NotSpecified | Default* | Tobefilled* | SystemSerial*) ;;
            *)
                printf '%s\n' "$value"
                return
                ;;
        esac
    done
    for file in /sys/class/net/*/address; do
        [ -e "${file%/address}/device" ] || continue
        value=$(read_line "$file" | tr -d ':')
        case $value in
            # Given by no maker: another gadget's, for instance.
            "" | 000000000000 | ?[2367abefABEF]*) ;;
            *)
                printf '%s\n' "$value"
                return
                ;;
        esac
    done
    value=$(read_line /etc/machine-id)
    if [ ${#value} -ge 32 ]; then
        # Hashed: machine-id(5) asks not to hand it out.
        printf 'usb9pfs %s' "$value" | sha256sum | cut -c 1-16
    fi
}

# Sets $serial and $identity, from which the MAC addresses come.
identify() {
    [ -n "$serial" ] || serial=$(machine_serial)
    identity=$serial
    [ -z "$serial" ] || return 0
    serial=0
    say "this machine has no serial number; several such boards can be told apart by --serial only (in an initramfs" \
        "usb9pfs.serial=)"
    identity=$(read_line /proc/sys/kernel/random/uuid)
    [ "$(count_networks)" = 0 ] || say "so its MAC addresses are random and will be others next time; --host-mac and --dev-mac set them"
}

# derived_mac FIRST NUMBER: an address whose first octet is FIRST, 02 for the board's side and 06 for the host's: both say
# "locally administered", and the two can't be equal. NUMBER tells several network functions of a board apart.
derived_mac() {
    printf 'usb9pfs %s %s %s' "$1" "$2" "$identity" | sha256sum | cut -c 1-10 | sed "s/../:&/g;s/^/$1/"
}
