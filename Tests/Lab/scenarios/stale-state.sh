#!/usr/bin/env bash
# "configured" left over from the gadget before: a host that is quicker than the script is noticed, and down does not panic
# lab: timeout=700
#
# Each tool the script starts takes a tenth of a second more here, as on a small board with slow storage.
# shellcheck source=../lib.sh
. "$LAB/lib.sh"
udc=dummy_udc.0
tree=$(export_directory root)
echo content >"$tree/file"
mkdir -p /run/tmp/slow /run/board
for tool in sed head tail tr awk cut sort; do
    printf '#!/bin/sh\nsleep 0.1\nexec %s "$@"\n' "$(command -v $tool)" >/run/tmp/slow/$tool
    chmod 755 /run/tmp/slow/$tool
done
gadget() { PATH=/run/tmp/slow:$PATH "$gadget_script" "$@" >>/run/lab/gadget.log 2>&1; }
code_of() {
    "$@"
    echo $?
}
state() { PATH=/run/tmp/slow:$PATH "$gadget_script" status --json --tag "$1" | python3 -c 'import json, sys; print(json.load(sys.stdin)["state"])'; }

check "a gadget" "$gadget_script" up --tag first --udc $udc --function ecm --timeout 60
check "and down" "$gadget_script" down --tag first
check_equal "its state is left over" configured "$(cat /sys/class/udc/$udc/state)"
check_equal "the next, not waiting for the host" 0 "$(code_of gadget up --tag second --udc $udc --no-wait)"
check "the host sees it" wait_for 60 board_device 0
configured() { [ "$(state second)" = configured ]; }
check "its state is known to be no left-over" wait_for 60 configured
check_equal "down is refused: it would panic the kernel" 9 "$(code_of gadget down --tag second)"
usb_permissions
host_serve 0 "$tree" || fail "serve"
check_equal "mount" 0 "$(code_of gadget up --tag second --mount /run/board --timeout 60 -o "$([ "$LAB_HOST" = p9fwd ] || echo "aname=$tree")")"
check_equal "the file" content "$(cat /run/board/file)"
umount /run/board
check_equal "down" 0 "$(code_of gadget down --tag second)"

# Without a cable it is a left-over as long as somebody has watched; then who knows.
echo 1 | tee /sys/devices/platform/dummy_hcd.0/usb*/*-0:1.0/usb*-port1/disable >/dev/null
check_equal "up without a cable" 0 "$(code_of gadget up --tag third --udc $udc --no-wait)"
check_equal "its state" "not attached" "$(state third)"
watcher=$(cat /run/usb9pfs-gadget/third.stale)
# Its processor time would tell little: on a slow machine it takes as long to start sleep as sleep waits.
check "after a while nobody spends all of the processor on it" wait_for 60 pgrep -x -P "$watcher" sleep
echo 0 | tee /sys/devices/platform/dummy_hcd.0/usb*/*-0:1.0/usb*-port1/disable >/dev/null
check "the cable is in after all" wait_for 60 board_device 0
configured_third() { [ "$(state third)" = configured ]; }
check "and that is noticed" wait_for 60 configured_third
host_stop 0
usb_permissions
host_serve 0 "$tree" || fail "serve"
check_equal "mount" 0 "$(code_of gadget up --tag third --mount /run/board --timeout 60 -o "$([ "$LAB_HOST" = p9fwd ] || echo "aname=$tree")")"
umount /run/board
check_equal "down" 0 "$(code_of gadget down --tag third)"
echo 1 | tee /sys/devices/platform/dummy_hcd.0/usb*/*-0:1.0/usb*-port1/disable >/dev/null
check_equal "up without a cable, and" 0 "$(code_of gadget up --tag third --udc $udc --no-wait)"
check_equal "down" 0 "$(code_of gadget down --tag third)"
check_equal "up once more" 0 "$(code_of gadget up --tag fourth --udc $udc --no-wait)"
watcher=$(cat /run/usb9pfs-gadget/fourth.stale)
check "the watcher is killed" kill -KILL "$watcher"
check "and dies" wait_for 60 test ! -e "/proc/$watcher"
check_equal "down is refused" 9 "$(code_of gadget down --tag fourth)"
check_equal "down --force" 0 "$(code_of gadget down --tag fourth --force)"
host_stop 0
dmesg_clean
