#!/usr/bin/env bash
# one cable for file system and network: usb9pfs beside ncm, ecm and rndis, eem alone; what the host sees of it
# lab: timeout=800
# lab: packages=dash
# lab: drivers=kernel program
# shellcheck source=../gadgets.sh
. "$LAB/gadgets.sh"

tree=$(export_directory root)
head -c 3000000 /dev/urandom >"$tree/file"

# Reads the file, and again as long as there is /run/lab/reading.
read_file() {
    while cmp "$tree/file" /run/board/file; do [ -e /run/lab/reading ] || return 0; done
    return 1
}

with_root() {
    local kind=$1 pid
    up --function usb9pfs --function "$kind"
    network_up "$kind"
    ping_both "before the mount"
    descriptors
    usb_permissions
    host_serve 0 "$tree" || fail "$shell: serve"
    run 0 "up --mount" up --tag board-0 --mount /run/board -o cache=none
    : >/run/lab/reading
    read_file &
    pid=$!
    ping_both "while the file system is read"
    rm /run/lab/reading
    if wait $pid; then ok "$shell: the file is the same"; else not_ok "$shell: the file is the same"; fi
    umount /run/board
    if [ "$kind" = ncm ]; then
        # The kernel's driver: the host sees it all go and come back; the board's interface keeps namespace, address and state.
        run 0 "up --mount after an unmount" up --tag board-0 --mount /run/board -o cache=none
        if [ "$LAB_DRIVER" = program ]; then
            said_not "making it anew"
        else
            said "making it anew"
            check "$shell: the host has a network interface again" wait_for 60 host_interface
            host_address
        fi
        ping_both "after the second mount"
        check "$shell: the file, again" cmp "$tree/file" /run/board/file
        umount /run/board
    fi
    host_stop 0
    down
    check_equal "$shell: no interface is left" "" "$(ip -n board -o link | grep -v LOOPBACK | grep -v sit0)"
}

# The file system and a network on one cable.
for shell in dash "busybox ash" bash; do
    case $shell in
        dash)
            with_root ncm
            described bcdDevice 0102
            described class ef0201
            described interfaces "020d00 0a0001 ffff09"
            described associations.0 "0 2"
            described os.signature MSFT100
            described os.functions.0 "WINNCM "
            ;;
        "busybox ash")
            with_root ecm
            described bcdDevice 0101
            described class ef0201
            described interfaces "020600 0a0000 ffff09"
            described os None
            ;;
        bash)
            with_root rndis
            described bcdDevice 0104
            described class ef0201
            described interfaces "0202ff 0a0000 ffff09"
            described os.signature MSFT100
            described os.functions.0 "RNDIS 5162001"
            ;;
    esac
done

# A network alone, which may go down at any time.
shell="busybox ash"
up --function eem --interface board%d
network_up eem
ping_both "by eem"
check_equal "$shell: --interface" board0 "$board_if"
status_is network.0.host_mac None # eem does not tell the host one
descriptors
described bcdDevice 0108
described class 000000
described interfaces 020c07
status_is functions eem
status_is down_is_safe True
down
dmesg_clean
