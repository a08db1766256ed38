#!/usr/bin/env bash
# usb9pfs-gadget up --mount: after a failed mount, in two places, after the cable was out, broken off while it waits
# lab: timeout=900
# lab: packages=dash
# shellcheck source=../gadgets.sh
. "$LAB/gadgets.sh"
tree=$(export_directory root)
echo content >"$tree/file"
place="/run/a place"
mkdir -p "$place"
[ "$LAB_HOST" = p9fwd ] || fail "this scenario is about p9fwd" # the other one does not see a board come back
port() { echo "$1" | tee /sys/devices/platform/dummy_hcd.0/usb*/*-0:1.0/usb*-port1/disable >/dev/null; }
# shellcheck disable=SC2016 # expanded by the inner shell
parallel_use() { timeout 60 sh -c 'for i in 1 2 3 4 5 6 7 8; do cat "$1" & done; wait' sh "$1/file"; }
mounts() { grep -c "^board-0 " /proc/mounts; }

for shell in dash "busybox ash"; do
    up --function usb9pfs
    usb_permissions
    host_serve 0 "$tree" || fail "serve"
    run 7 "an export that is not there" up --tag board-0 --mount /run/board --aname nothing
    run 0 "the mount after it" up --tag board-0 --mount /run/board
    said "anew"
    check_equal "$shell: parallel use" "8" "$(parallel_use /run/board | grep -cx content)"
    run 0 "the same place, written otherwise" up --tag board-0 --mount /run/../run/board/
    said "already mounted"
    run 8 "a second place" up --tag board-0 --mount "$place"
    said "mounted on /run/board already"
    umount /run/board

    # The host configures it again, and so the driver is as dangerous as before the first mount.
    check "$shell: the cable is watched" wait_for 60 test -e /run/usb9pfs-gadget/board-0.watching
    port 1
    check "$shell: the cable is out" wait_for 60 board_gone 0
    port 0
    check "$shell: and in again" wait_for 60 board_device 0
    check "$shell: configured" wait_for 60 grep -qx configured /sys/class/udc/$udc/state
    run 9 "down after that" down --tag board-0
    said "since"
    run 0 "the mount after it, in a place with a space" up --tag board-0 --mount "$place" --timeout 60
    check_equal "$shell: parallel use" "8" "$(parallel_use "$place" | grep -cx content)"
    run 0 "the same again" up --tag board-0 --mount "$place"
    said "already mounted"
    run 8 "down while mounted" down --tag board-0
    umount "$place"
    down
    host_stop 0

    up --function usb9pfs
    rm -f /run/lab/first.log /run/lab/second.log # the last shell's
    # shellcheck disable=SC2086 # "busybox ash" is two words
    $shell "$gadget_script" up --tag board-0 --mount /run/board >/run/lab/first.log 2>&1 &
    first=$!
    check "$shell: a mount that nobody answers" wait_for 60 mount_waits
    # shellcheck disable=SC2086
    $shell "$gadget_script" up --tag board-0 --mount /run/board >/run/lab/second.log 2>&1 &
    second=$!
    check "$shell: asked again, waits for the same" wait_for 60 grep -q "waits for the host's answer already" /run/lab/second.log
    kill -TERM $first
    wait $first
    check_equal "$shell: the first is broken off" 130 $?
    run 9 "down meanwhile" down --tag board-0
    usb_permissions
    host_serve 0 "$tree" || fail "serve"
    wait $second
    check_equal "$shell: the second has its mount" "0 content 1" "$? $(cat /run/board/file) $(mounts)"
    umount /run/board
    check "$shell: the cable is watched, even if who asked for the mount has gone" wait_for 60 test -e /run/usb9pfs-gadget/board-0.watching
    down
    host_stop 0
done
