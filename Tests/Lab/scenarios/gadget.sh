#!/usr/bin/env bash
# usb9pfs-gadget: up, status, up again, down, the refusals and the errors; under busybox ash and dash
# lab: timeout=800
# lab: packages=dash
# shellcheck source=../lib.sh
. "$LAB/lib.sh"

tree=$(export_directory root)
echo content >"$tree/file"
udc=dummy_udc.0
# run CODE NAME [ARG...]: runs the gadget's script under $shell and compares the exit code
run() {
    check_of="$shell: "
    # shellcheck disable=SC2086 # "busybox ash" is two words
    check_code "$1" "$shell: $2" timeout 180 $shell "$gadget_script" "${@:3}"
}
status_is() {
    # shellcheck disable=SC2086
    check_equal "$shell: status --json: $1" "$2" "$($shell "$gadget_script" status --json --tag board-0 | python3 -c "
import json, sys
print(json.load(sys.stdin)['$1'])")"
}

for shell in dash "busybox ash"; do
    run 0 "--help" --help
    said "up --mount"
    run 2 "no verb"
    run 2 "unknown verb" sideways
    run 2 "unknown option" up --nonsense
    run 2 "option without a value" up --tag
    run 2 "tag of 32 characters" up --udc $udc --tag 12345678901234567890123456789012
    run 2 "tag with a slash" up --udc $udc --tag a/b
    run 2 "buflen too small" up --udc $udc --buflen 4095
    run 2 "buflen too large" up --udc $udc --buflen 1048577
    run 2 "buflen no number" up --udc $udc --buflen much
    run 2 "id no id" up --udc $udc --id 1d6b
    run 2 "comma in aname" up --udc $udc --aname a,b
    run 4 "no such controller" up --udc nothing.0
    said_like "there are: dummy_udc.0 usbip-vudc.0$"
    run 2 "-o without options" up --udc $udc -o
    said "'-o' needs a value"
    run 2 "several controllers and none named" up
    said "usbip-vudc.0"
    run 11 "status: not up" status
    run 0 "down: not up" down

    run 0 "up without waiting" up --tag board-0 --udc $udc --serial s-1 --buflen 65536 --id 1d6b:0104 --no-wait
    run 0 "up again waits for the host" up --tag board-0 --timeout 60
    said "already up"
    status_is up True
    status_is state configured
    status_is serial s-1
    status_is id 1d6b:0104
    status_is buflen 65536
    status_is down_is_safe False
    check_equal "$shell: serial on the host" s-1 "$(cat "$(board_device 0)/serial")"
    run 5 "same controller, other tag" up --tag other --udc $udc
    said "in use by gadget"
    run 5 "tag that is a prefix of another" up --tag board --udc $udc
    run 9 "down: configured and never mounted" down --tag board-0

    usb_permissions
    host_serve 0 "$tree" || fail "$shell: serve"
    aname=()
    [ ! -e /run/lab/aname-0 ] || aname=(--aname "$(cat /run/lab/aname-0)")
    mkdir -p /run/board
    run 0 "up --mount" up --tag board-0 --mount /run/board ${aname[@]+"${aname[@]}"}
    check_equal "$shell: the file" content "$(cat /run/board/file)"
    check "$shell: default options" grep -q '/run/board 9p .*access=client.*trans=usbg' /proc/mounts
    said_like "mounted on /run/board$"
    run 0 "up --mount again" up --tag board-0 --mount /run/board ${aname[@]+"${aname[@]}"}
    said "already mounted"
    status_is mounts "['/run/board']"
    run 8 "down: mounted" down --tag board-0
    umount /run/board
    status_is down_is_safe True

    # The second mount must be of a new function: see the script's top. p9fwd sees the board come back, p9_fwd.py does not.
    [ "$LAB_HOST" = p9fwd ] || (
        trap - EXIT
        wait_for 60 grep -q "has configured" /run/lab/out
        wait_for 60 board_device 0 >/dev/null
        usb_permissions
        host_stop 0
        host_serve 0 "$tree"
        sleep 600 # its child's parent: host_stop comes from outside
    ) >/dev/null 2>&1 &
    run 0 "up --mount after an unmount" up --tag board-0 --mount /run/board ${aname[@]+"${aname[@]}"}
    said "anew"
    status_is serial s-1
    status_is buflen 65536
    # Parallel use is what broke the second mount of one function.
    check_equal "$shell: parallel use" 8 \
        "$(timeout 60 sh -c 'for i in 1 2 3 4 5 6 7 8; do cat /run/board/file & done; wait' | grep -cx content)"
    umount /run/board
    run 0 "down" down --tag board-0
    host_stop 0
    run 0 "down again" down --tag board-0
    check "$shell: nothing is left" test ! -e /sys/kernel/config/usb_gadget/board-0

    # A host that does not configure it: as with a cable that only charges.
    echo 0 >/sys/bus/usb/devices/usb1/authorized_default
    run 6 "no host" up --tag board-0 --udc $udc --timeout 2
    said "no host has configured"
    run 0 "down: not configured" down --tag board-0
    echo 1 >/sys/bus/usb/devices/usb1/authorized_default

    run 0 "up with defaults" up --udc $udc --timeout 60
    check "$shell: a serial number was found" grep -q 'serial [0-9A-Za-z]' /run/lab/out
    # Configured and never mounted: stays up to the end of the kernel for the last shell; mount it for the next.
    if [ "$shell" = dash ]; then
        usb_permissions
        host_serve 0 "$tree"
        run 0 "mount with the default tag" up --mount /run/board ${aname[@]+"${aname[@]}"}
        umount /run/board
        host_stop 0
        run 0 "down with the default tag" down
    fi
done
