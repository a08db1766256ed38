#!/usr/bin/env bash
# the link at SuperSpeed, with packets of 1024 bytes: smoke, sizes and restart once more
# lab: super-speed=yes
# lab: mem=2G
# lab: timeout=1500
failed=
for part in smoke "sizes 64" "restart 4"; do
    # shellcheck disable=SC2086 # a scenario and its arguments
    set -- $part
    "$LAB/scenario" "$LAB/scenarios/$1.sh" "${@:2}" || failed+="$1 "
    "$LAB/../../scripts/gadget/usb9pfs-gadget" down --tag board-0 >/dev/null 2>&1 # not all take theirs down
done

# Only now: each part counts its own checks, in the same place.
# shellcheck source=../lib.sh
. "$LAB/lib.sh"
check_equal "parts that failed" "" "$failed"
board_up 0 || fail "gadget up"
check_equal "megabits per second" 5000 "$(cat "$(board_device 0)/speed")"
if [ "$LAB_HOST" = p9fwd ]; then
    check_equal "list --json" "5000 1024" "$(as_user "$P9FWD" list --json |
        python3 -c 'import json, sys; g = json.load(sys.stdin)["gadgets"][0]; print(g["speed"], g["max_packet_size"])')"
fi
