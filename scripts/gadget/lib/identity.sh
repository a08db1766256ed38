# Who this board is.
# shellcheck shell=sh

# The machine's own serial number, so that boards can be told apart without set-up.
machine_serial() {
    for file in /proc/device-tree/serial-number /sys/class/dmi/id/product_serial; do
        value=$(read_line "$file" | tr -cd 'A-Za-z0-9._-')
        case $value in
            "" | 0 | None | NotSpecified | Default* | Tobefilled* | SystemSerial*) ;;
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
        return
    fi
    for file in /sys/class/net/*/address; do
        [ -e "${file%/address}/device" ] || continue
        value=$(read_line "$file" | tr -d ':')
        case $value in
            "" | 000000000000) ;;
            *)
                printf '%s\n' "$value"
                return
                ;;
        esac
    done
    say "this machine has no serial number; several such boards can be told apart by --serial only"
    printf '0\n'
}
