#!/usr/bin/env bash
# every combination of functions up to 7 IN + 7 OUT endpoints binds and is configured, or is refused with the sum
# soak: 4,373 combinations of functions
# lab: timeout=900
# lab: boards=8
# lab: packages=dash
#
# A combination has at most two of a kind, and usb9pfs at most once. dummy_hcd's limit is 7 IN + 4 OUT (docs/gadget.md), so
# what needs five to seven OUT endpoints is refused here, and would be bound on a dwc2.
#
# With usb9pfs in it a combination is bound, and the host reads its descriptors, but does not configure it: a gadget that
# was configured and never mounted panics Linux 6.12 when it goes. composite.sh and everything.sh configure and mount some.
# shellcheck disable=SC2034,SC2154 # variables of the gadget's library
# shellcheck source=../lib.sh
. "$LAB/lib.sh"
export USB9PFS_GADGET_LIB=$LAB/../../scripts/gadget/lib
# shellcheck source=../../../scripts/gadget/lib/gadget.sh
. "$USB9PFS_GADGET_LIB/gadget.sh"
head -c 65536 /dev/zero >/run/disk
printf '\006\000\377\011\001\241\001\025\000\046\377\000\165\010\225\010\011\001\201\002\300' >/run/report-descriptor

# Lines "IN OUT FUNCTION...", summed by a table of its own.
python3 - >/run/lab/combinations <<'END'
import itertools
kinds = {"rndis": (2, 1), "ncm": (2, 1), "ecm": (2, 1), "eem": (1, 1), "usb9pfs": (1, 1), "acm": (2, 1),
         "mass_storage": (1, 1), "hid": (1, 0)}
for counts in itertools.product(*(range(2 if kind == "usb9pfs" else 3) for kind in kinds)):
    words = [kind for kind, count in zip(kinds, counts) for _ in range(count)]
    if words:
        print(*(sum(kinds[word][direction] for word in words) for direction in (0, 1)), *words)
END

# The script's own sum and judgement of each, for a dwc2 and for the lab's controller.
cd /run/lab || fail "cd"
wrong=0
while read -r want_in want_out words; do
    # shellcheck disable=SC2086 # a list of words
    sum_endpoints $words
    { [ "$sum_in" = "$want_in" ] && [ "$sum_out" = "$want_out" ]; } || wrong=$((wrong + 1))
    limit_in=7 limit_out=7
    if fits; then echo "$words" >>fit-dwc2; fi
    limit_out=4
    if fits; then
        case $words in
            *usb9pfs*) echo "$want_in $want_out $words" >>unconfigured ;;
            *) echo "$want_in $want_out $words" >>configured ;;
        esac
    elif [ "$sum_in" -le 8 ] && [ "$sum_out" -le 7 ]; then
        echo "$want_in $want_out $words" >>too-much
    fi
done <combinations
check_equal "the sums of all $(wc -l <combinations) combinations" 0 $wrong
check_equal "combinations that fit into 7 + 7" "$(awk '$1 <= 7 && $2 <= 7' combinations | wc -l)" "$(wc -l <fit-dwc2)"
check_equal "combinations that fit into 7 + 4" "$(awk '$1 <= 7 && $2 <= 4' combinations | wc -l)" "$(cat configured unconfigured | wc -l)"

bind() {
    # shellcheck disable=SC2086 # a list of words
    python3 "$LAB/scenarios/endpoints.py" "$LAB_BOARDS" $function_kinds
}
start=$SECONDS
check_equal "all without usb9pfs are configured by the host, with the endpoints summed" "$(wc -l <configured)" "$(bind <configured)"
echo "# $((SECONDS - start)) s"
for hub in /sys/devices/platform/dummy_hcd.*/usb*/authorized_default; do echo 0 >"$hub"; done
start=$SECONDS
check_equal "all with usb9pfs are bound, with the endpoints summed" "$(wc -l <unconfigured)" "$(bind <unconfigured)"
echo "# $((SECONDS - start)) s"
check_equal "nothing is left in configfs" "" "$(ls /sys/kernel/config/usb_gadget)"

# What is too much is refused by the script itself, with the sum, and before anything is made; every 80th.
refused() {
    local want_in=$1 want_out=$2 word arguments=()
    shift 2
    for word in "$@"; do
        case $word in
            mass_storage) word=mass_storage:/run/disk ;;
            hid) word=hid:/run/report-descriptor ;;
        esac
        arguments+=(--function "$word")
    done
    "$gadget_script" up --tag board-0 --udc dummy_udc.0 --no-wait "${arguments[@]}" >out 2>&1
    code=$?
    cat out
    [ $code = 12 ] && grep -Eq "^ +sum +$want_in IN \+ $want_out OUT$" out && grep -q Drop out &&
        [ ! -e /sys/kernel/config/usb_gadget/board-0 ]
}
while read -r -a line; do
    check "refused: ${line[*]:2}" refused "${line[@]}"
done < <(awk 'NR % 80 == 1' too-much)

# Where no limit is known the kernel decides, and its errno is explained.
many() {
    local word arguments=()
    for ((count = 0; count < 16; count++)); do arguments+=(--function "$1"); done
    ./script up --tag board-0 --udc usbip-vudc.0 --no-wait --endpoints 99+99 "${arguments[@]}" >out 2>&1
    code=$?
    cat out
    [ $code = 12 ] && grep -q "errno $2" out && [ ! -e /sys/kernel/config/usb_gadget/board-0 ]
}
for shell in dash "busybox ash" bash; do
    printf '#!/bin/sh\nexec %s %s "$@"\n' "$shell" "$gadget_script" >script
    chmod +x script
    check "$shell: 16 network functions: 19" many eem "19 ENODEV"
    check "$shell: 16 disks: 524" many mass_storage:/run/disk,ro "524 ENOTSUPP"
done
