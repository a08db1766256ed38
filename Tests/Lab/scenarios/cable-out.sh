#!/usr/bin/env bash
# a cable that is pulled where Linux 6.12 does not survive it: usb9pfs left out until a mount is asked for; a mount that waits
# lab: timeout=700
# lab: packages=dash
# shellcheck source=../gadgets.sh
. "$LAB/gadgets.sh"
tree=$(export_directory root)
echo content >"$tree/file"
[ "$LAB_HOST" = p9fwd ] || fail "this scenario is about p9fwd" # the other one does not see a board come back
port() { echo "$1" | tee /sys/devices/platform/dummy_hcd.0/usb*/*-0:1.0/usb*-port1/disable >/dev/null; }
# Not by the controller's own state: while the gadget goes and comes back that is a left-over.
# shellcheck disable=SC2086 # "busybox ash" is two words
configured() { $shell "$gadget_script" status --tag board-0 && board_device 0; }
pull() {
    port 1
    check "$shell: the cable is out, $1" wait_for 60 board_gone 0
}
put_back() {
    port 0
    check "$shell: and in again" wait_for 60 configured
}
# mounts NAME: the host that serves sees the board come back with usb9pfs.
mounts() {
    # shellcheck disable=SC2086 # "busybox ash" is two words
    $shell "$gadget_script" up --tag board-0 --mount /run/board --timeout 60 >/run/lab/mount.log 2>&1 &
    mounting=$!
    check "$shell: $1: the mount waits for the program" wait_for 60 mount_waits
    wait_for 60 board_device 0 >/dev/null
    usb_permissions
    host_serve 0 "$tree" || fail "serve"
    wait $mounting
    check_equal "$shell: $1" "0 content" "$? $(cat /run/board/file)"
}

mkdir -p /run/tmp/without
cat >/run/tmp/without/mkdir <<END
#!/bin/sh
case \$* in */functions/usb9pfs.*) echo "mkdir: cannot create directory: No such file or directory" >&2 && exit 1 ;; esac
exec $(command -v mkdir) "\$@"
END
chmod 755 /run/tmp/without/mkdir

for shell in dash "busybox ash" bash; do
    run 0 "usb9pfs alone, put off" up --tag board-0 --udc $udc --no-wait --defer-usb9pfs
    said "when a mount is asked for"
    check_equal "$shell: nothing is made" "" "$(ls $gadgets)"
    run 0 "with a network, put off" up --tag board-0 --udc $udc --function usb9pfs --function ecm --defer-usb9pfs --timeout 60
    take_status
    status_is functions ecm
    status_is down_is_safe True
    interface=${status[network.0.interface]}
    pull "with nobody's mount"
    put_back
    pull "once more"
    put_back
    run 0 "asked again" up --tag board-0 --function usb9pfs --function ecm --defer-usb9pfs --no-wait
    run 5 "asked for others" up --tag board-0 --function usb9pfs --function ncm --defer-usb9pfs --no-wait
    mkdir -p $gadgets/other/functions/usb9pfs.board-0-too
    run 5 "the kernel would take another's usb9pfs for it" up --tag board-0 --mount /run/board
    take_status
    status_is functions ecm
    check_equal "$shell: which costs no network" $udc "$(cat $gadgets/board-0/UDC)"
    rmdir $gadgets/other/functions/* $gadgets/other
    # A kernel without usb9pfs, as far as mkdir can tell; busybox ash takes its own.
    if [ "$shell" != "busybox ash" ]; then
        PATH=/run/tmp/without:$PATH run 3 "the kernel has no usb9pfs" up --tag board-0 --mount /run/board
        said NET_9P_USBG
        take_status
        status_is functions ecm
        check_equal "$shell: which costs no network either" "$udc board-0" "$(cat $gadgets/board-0/UDC) $(ls $gadgets)"
    fi
    mounts "the first mount"
    take_status
    status_is functions "ecm usb9pfs"
    status_is network.0.interface "$interface"
    run 8 "usb9pfs out, mounted" down --tag board-0 --only-usb9pfs
    umount /run/board
    run 0 "usb9pfs out" down --tag board-0 --only-usb9pfs
    run 0 "usb9pfs out, again" down --tag board-0 --only-usb9pfs
    host_stop 0
    take_status
    status_is functions ecm
    check "$shell: the host has it back" wait_for 60 configured
    pull "after the unmount"
    put_back
    pull "once more"
    put_back
    mounts "the next mount"
    umount /run/board
    down
    host_stop 0

    run 0 "usb9pfs alone" up --tag board-0 --udc $udc --function usb9pfs --no-wait
    said "panics when the cable is pulled"
    mounts "its mount"
    umount /run/board
    run 0 "usb9pfs out of usb9pfs alone" down --tag board-0 --only-usb9pfs
    check_equal "$shell: nothing is left" "" "$(ls $gadgets; ls /run/usb9pfs-gadget)"
    host_stop 0
done

# Pulled while the mount waits: for good. One for the whole kernel, so with the last shell. The second waits with the first.
up --function usb9pfs
take_status
status_is down_is_safe False
status_is mount_is_lost False
$shell "$gadget_script" up --tag board-0 --mount /run/board >/run/lab/first.log 2>&1 &
first=$!
check "$shell: a mount that nobody answers" wait_for 60 mount_waits
$shell "$gadget_script" up --tag board-0 --mount /run/board >/run/lab/second.log 2>&1 &
second=$!
check "$shell: a second that waits with it" wait_for 60 grep -q "waits for the host's answer already" /run/lab/second.log
port 1
check "$shell: the cable is out" wait_for 60 board_gone 0
wait $first
check_equal "$shell: up ends" 13 $?
wait $second
check_equal "$shell: so does who waited with it" 13 $?
check "$shell: and says what helps" grep -q "reboot it" /run/lab/first.log
port 0
off() { board_gone 0 && [ "$(cat /sys/class/udc/$udc/state)" != configured ]; }
check "$shell: put back, the board goes off the bus" wait_for 60 off
port 1
sleep 1
port 0
take_status
status_is mount_is_lost True
status_is down_is_safe False
run 13 "another mount" up --tag board-0 --mount /run/board
run 9 "down" down --tag board-0
said "reboot"
run 11 "status for a person" status --tag board-0
said "reboot it"
check_equal "no warning in the kernel log" "" "$(dmesg | grep -E 'WARNING:|BUG:|Oops|Call Trace')"
