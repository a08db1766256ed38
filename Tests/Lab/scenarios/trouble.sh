#!/usr/bin/env bash
# usb9pfs-gadget on a board in trouble: /run full or read-only, configfs read-only or not mounted, no more functions, no controller
# lab: timeout=700
# lab: packages=dash
# shellcheck source=../gadgets.sh
. "$LAB/gadgets.sh"
notes=/run/usb9pfs-gadget
mkdir -p $notes
nothing_made() { check_equal "$shell: nothing is left" "" "$(ls $gadgets)"; }

for shell in dash "busybox ash" bash; do
    run 0 "a gadget that leaves its state behind" up --tag board-0 --udc $udc --function ecm --timeout 60
    down

    mount -t tmpfs -o ro tmpfs $notes
    run 1 "notes read-only: up" up --tag board-0 --udc $udc --function usb9pfs --no-wait
    said "full, or read-only"
    nothing_made
    run 11 "notes read-only: status" status --json --tag board-0
    umount $notes

    # No name can be made; then names, but nothing in them.
    mount -t tmpfs -o nr_inodes=1 tmpfs $notes
    run 1 "no name to be had in the notes: up" up --tag board-0 --udc $udc --function usb9pfs --no-wait
    said "full, or read-only"
    nothing_made
    umount $notes
    mount -t tmpfs -o nr_inodes=2 tmpfs $notes # the directory, and the lock
    run 1 "no second name to be had in the notes: up" up --tag board-0 --udc $udc --function usb9pfs --no-wait
    said "can't write to"
    nothing_made
    umount $notes
    mount -t tmpfs -o size=4k tmpfs $notes
    head -c 4096 /dev/zero >$notes/filler
    run 1 "the notes full: up after another gadget" up --tag board-0 --udc $udc --function usb9pfs --no-wait
    nothing_made
    rm $notes/filler
    run 0 "the notes full later: up" up --tag board-0 --udc $udc --function usb9pfs --timeout 60
    head -c 4096 /dev/zero >$notes/filler 2>/dev/null
    run 1 "the notes full: the mount is not begun" up --tag board-0 --mount /run/board
    said "full, or read-only"
    check_equal "$shell: no mount is under way" "" "$(pgrep -x mount)"
    rm $notes/filler
    # Configured and never mounted: its mount, then down.
    tree=$(export_directory root)
    echo content >"$tree/file"
    usb_permissions
    host_serve 0 "$tree" || fail "serve"
    run 0 "room again: the mount" up --tag board-0 --mount /run/board
    check_equal "$shell: the file" content "$(cat /run/board/file)"
    umount /run/board
    host_stop 0
    run 0 "down" down --tag board-0
    nothing_made
    umount $notes

    mount -o remount,ro /sys/kernel/config
    run 1 "configfs read-only: up" up --tag board-0 --udc $udc --function acm --no-wait
    said "can't make $gadgets/board-0"
    mount -o remount,rw /sys/kernel/config
    umount /sys/kernel/config
    run 0 "configfs not mounted: up mounts it" up --tag board-0 --udc $udc --function acm --no-wait
    down

    many=()
    for _ in 1 2 3 4 5 6 7 8 9; do many+=(--function acm); done
    run 5 "nine serial lines" up --tag board-0 --udc $udc --endpoints 99+99 "${many[@]}"
    said "eight acm"
    nothing_made
    run 12 "more than the controller has, which is not known beforehand" up --tag board-0 --udc $udc --endpoints 99+99 "${many[@]:2}"
    nothing_made
done

# A controller that goes and comes back, as with its driver. Last: this kernel makes no network on it any more.
for shell in dash "busybox ash" bash; do
    run 0 "a gadget" up --tag board-0 --udc $udc --function acm --no-wait
    echo $udc >/sys/bus/platform/drivers/dummy_udc/unbind
    take_status
    status_is up False
    run 0 "its controller has gone: down" down --tag board-0
    nothing_made
    run 4 "no such controller any more" up --tag board-0 --udc $udc --function acm
    echo $udc >/sys/bus/platform/drivers/dummy_udc/bind
    check "$shell: the controller is back" wait_for 60 test -e /sys/class/udc/$udc
    run 0 "a gadget on it" up --tag board-0 --udc $udc --function acm --no-wait
    echo $udc >/sys/bus/platform/drivers/dummy_udc/unbind
    echo $udc >/sys/bus/platform/drivers/dummy_udc/bind
    check "$shell: the controller has gone and come back" wait_for 60 test -e /sys/class/udc/$udc
    run 0 "up again" up --tag board-0 --udc $udc --function acm --timeout 60
    run 0 "and down" down --tag board-0
    nothing_made
done
check_equal "no warning in the kernel log" "" "$(dmesg | grep -E 'WARNING:|BUG:|Oops|Call Trace|blocked for more than')"
