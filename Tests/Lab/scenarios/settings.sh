#!/usr/bin/env bash
# the gadget's script: MAC addresses, the same asked again, settings from a file, --for, refusals, use as a library
# lab: timeout=900
# lab: packages=dash
# shellcheck source=../gadgets.sh
. "$LAB/gadgets.sh"

# Addresses: the same after down and up, others for another board, different at the two ends.
shell=bash
addresses() {
    run 0 "up: $*" up --tag board-0 --udc $udc --no-wait --function ncm "$@"
    take_status
    pair="${status[network.0.device_mac]} ${status[network.0.host_mac]}"
    down
}
addresses --serial one
first=$pair
addresses --serial one
check_equal "$shell: MACs of the same board" "$first" "$pair"
addresses --serial two
different() { printf '%s\n' "$@" | sort -u | wc -l; }
read -r -a all <<<"$first $pair"
check_equal "MACs of another board: all different" 4 "$(different "${all[@]}")"
check_equal "MACs are locally administered, of one interface" "" "$(printf '%s\n' "${all[@]}" | grep -v '^.[26ae]:')"
addresses
machine=$pair
addresses
check_equal "$shell: MACs by the machine's own identity" "$machine" "$pair"
addresses --dev-mac 02:00:00:00:00:01 --host-mac 02:00:00:00:00:02
check_equal "$shell: MACs as told" "02:00:00:00:00:01 02:00:00:00:00:02" "$pair"
run 0 "two networks" up --tag board-0 --udc $udc --no-wait --function ncm --function rndis --serial one
take_status
status_is functions "rndis ncm" # Windows wants RNDIS first
check_equal "two networks: four addresses" 4 "$(different "${status[network.0.device_mac]}" "${status[network.0.host_mac]}" \
    "${status[network.1.device_mac]}" "${status[network.1.host_mac]}")"
down

# The same asked again, something else asked, a file of settings.
for shell in dash "busybox ash" bash; do
    cat >/run/settings <<END
# the board at the window
  tag = board-0
function=acm
function = ncm
serial = from the file
END
    run 0 "settings from a file" up --config /run/settings --udc $udc --no-wait
    take_status
    status_is functions "ncm acm"
    status_is serial "from the file"
    run 0 "the same again" up --tag board-0 --function ncm --function acm --no-wait
    said "already up"
    run 0 "nothing in particular asked" up --tag board-0 --no-wait
    run 5 "other functions" up --tag board-0 --function ncm --no-wait
    said "it has ncm acm, asked for is ncm"
    run 5 "a mount without usb9pfs" up --tag board-0 --mount /run/board
    run 0 "down by the file" down --config /run/settings
    run 0 "the command line wins" up --config /run/settings --udc $udc --no-wait --function eem --serial here
    take_status
    status_is functions eem
    status_is serial here
    down

    echo "function = teleport" >/run/settings
    run 2 "a file with an unknown function" up --config /run/settings
    echo "colour = red" >/run/settings
    run 2 "a file with an unknown name" up --config /run/settings
    said "line 1"
    # shellcheck disable=SC2016 # must not be run
    echo 'serial = $(touch /run/ran)' >/run/settings
    run 0 "a file with a command in it" up --config /run/settings --tag board-0 --udc $udc --no-wait --function acm
    check "$shell: ... which is not run" test ! -e /run/ran
    down
done

# Refusals, each under one of the shells.
shells=(dash "busybox ash" bash)
turn=0
refused() {
    shell=${shells[turn++ % 3]}
    run 2 "$@"
}
refused "no such file of settings" up --config /run/nothing
refused "unknown function" up --function teleport
refused "mass_storage without a file" up --function mass_storage
refused "mass_storage with a missing file" up --udc $udc --function mass_storage:/run/nothing
refused "usb9pfs twice" up --function usb9pfs --function usb9pfs
refused "mount without usb9pfs" up --function ncm --mount /run/board
refused "unknown host" up --for beos
refused "--for against --function" up --for windows7 --function ncm
refused "a group's MAC" up --function ncm --dev-mac 01:00:00:00:00:01
refused "half a MAC" up --function ncm --dev-mac 02:00:00
refused "two equal MACs" up --function ncm --dev-mac 02:00:00:00:00:01 --host-mac 02:00:00:00:00:01
refused "a MAC and no network" up --function acm --dev-mac 02:00:00:00:00:01
refused "the host's MAC with eem" up --function eem --host-mac 02:00:00:00:00:01
refused "an interface without %d" up --function ncm --interface usb0
refused "a timeout that the shell would take for octal" up --timeout 08
refused "a timeout of more than nine digits" up --timeout 1234567890
refused "a buflen that the kernel would take for octal" up --buflen 065536
refused "endpoints that are none" up --endpoints seven

shell=dash
for pair in linux:ncm macos:ncm windows:ncm windows7:rndis; do
    run 0 "--for ${pair%:*}" up --tag board-0 --udc $udc --no-wait --for "${pair%:*}" --function acm
    take_status
    status_is functions "${pair#*:} acm"
    down
done

tree=$(export_directory root)
head -c 3000000 /dev/urandom >"$tree/file"

# As a library, in an initramfs: installed, sourced by busybox ash, and a failure that must not end the caller.
shell="busybox ash"
wait_for 60 board_gone 0 # that of the last gadget, which would be taken for the hook's
check_equal "install: a directory that is not there" 2 "$("$LAB/../../scripts/gadget/install" /run/newroot 2>/dev/null; echo $?)"
mkdir /run/newroot
check "install" "$LAB/../../scripts/gadget/install" /run/newroot
cat >/run/hook <<'END'
USB9PFS_GADGET_LIB=/run/newroot/usr/lib/usb9pfs-gadget
. "$USB9PFS_GADGET_LIB/gadget.sh"
hook() {
    gadget_defaults
    set_setting tag board-0 && set_setting udc "$1" && set_setting function usb9pfs && set_setting function ecm &&
        set_setting timeout 60 && set_setting mount /run/board && set_setting options cache=none
    (check_settings && do_up)
}
hook nothing.0
echo "code $?"
hook dummy_udc.0
echo "code $?"
END
(
    trap - EXIT
    wait_for 60 board_device 0 >/dev/null
    usb_permissions
    host_serve 0 "$tree"
    sleep 600 # its child's parent: host_stop comes from outside
) >/dev/null 2>&1 &
busybox ash /run/hook >/run/lab/out 2>&1
check_equal "$shell: the hook's codes" "code 4 code 0" "$(grep '^code' /run/lab/out | paste -s -d ' ')"
check "$shell: the hook's mount" cmp "$tree/file" /run/board/file
umount /run/board
host_stop 0
check_equal "the installed program" 0 "$(/run/newroot/usr/sbin/usb9pfs-gadget down --tag board-0 >/run/lab/out 2>&1; echo $?)"
check_equal "nothing is left in configfs" "" "$(ls $gadgets)"
# Not dmesg_clean: gadgets go here while the host is still asking for their descriptors, of which it complains.
check_equal "no warning in the kernel log" "" "$(dmesg | grep -E 'WARNING:|BUG:|Oops|Call Trace|blocked for more than')"
