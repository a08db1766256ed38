#!/usr/bin/env bash
# everything on one cable: usb9pfs mounted beside a network, a serial line, a disk and an input device
# lab: timeout=800
# lab: packages=dash
# shellcheck source=../gadgets.sh
. "$LAB/gadgets.sh"

tree=$(export_directory root)
head -c 3000000 /dev/urandom >"$tree/file"

# A disk: without usb9pfs, since p9fwd takes the host's usb-storage off a board that it serves.
head -c 2000000 /dev/urandom >/run/disk
truncate -s 2M /run/disk
up --function mass_storage:/run/disk,ro --function acm
host_disk() {
    local entry
    # Its name in sysfs comes a moment before it can be opened.
    for entry in "$(board_device 0)"/*:*/host*/target*/*/block/*; do
        { : <"/dev/${entry##*/}"; } 2>/dev/null && echo "/dev/${entry##*/}" && return
    done
    return 1
}
check "the host has a disk" wait_for 60 host_disk
check "the host reads the disk" cmp /run/disk "$(host_disk)"
check_equal "the disk is read-only" 1 "$(blockdev --getro "$(host_disk)")"
down

# The rest at once, beside the file system.
# Usage page "vendor defined", one report of 8 bytes: it moves nobody's pointer.
printf '\006\000\377\011\001\241\001\025\000\046\377\000\165\010\225\010\011\001\201\002\300' >/run/report-descriptor
up --function usb9pfs --function acm --function ncm --function hid:/run/report-descriptor
usb_permissions
host_serve 0 "$tree" || fail "serve"
run 0 "up --mount" up --tag board-0 --mount /run/board -o cache=none
take_status
status_is functions "ncm usb9pfs acm hid"
status_is endpoints "6 3 7 4"

terminal=/dev/${status[terminals]}
check "the host has a serial line" wait_for 60 test -e /dev/ttyACM0
stty -F "$terminal" raw -echo
stty -F /dev/ttyACM0 raw -echo
# Both ends stay open: what is sent to a closed one is lost.
exec 8<>"$terminal" 9<>/dev/ttyACM0
printf 'to the host\n' >&8
check_equal "serial line, board to host" "to the host" "$(timeout 60 head -n 1 <&9)"
printf 'to the board\n' >&9
check_equal "serial line, host to board" "to the board" "$(timeout 60 head -n 1 <&8)"
exec 8<&- 9<&-

check "the host has an input device" wait_for 60 test -e /dev/hidraw0
# Open before it is sent: what arrives while the first reader opens it is lost.
exec 9</dev/hidraw0
check "a report is sent" timeout 60 sh -c 'printf 12345678 >/dev/hidg0'
check_equal "a report arrives" 12345678 "$(timeout 60 head -c 8 <&9)"
exec 9<&-

network_up ncm
ping_both "with everything on the cable"
check "the file system after all that" cmp "$tree/file" /run/board/file
umount /run/board
host_stop 0
down
dmesg_clean
