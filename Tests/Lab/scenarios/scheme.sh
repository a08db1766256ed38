#!/usr/bin/env bash
# schemes for libusbgx: loaded by Debian's library they make the gadget that up makes; usb9pfs is refused by 0.2.0
# lab: timeout=800
# lab: packages=libusbgx2 dash
# shellcheck source=../lib.sh
. "$LAB/lib.sh"
udc=dummy_udc.0
scheme=from-scheme
gadgets=/sys/kernel/config/usb_gadget
truncate -s 1M /run/tmp/disk

# What matters of a gadget in configfs, in a form that can be compared: values by path, links by target. Not the kernel's own,
# such as the interface's name, nor what a scheme can't say.
shape() {
    (
        cd "$gadgets/$1" || exit
        find . -type f ! -name UDC ! -name ifname ! -name port_num ! -name forced_eject ! -name inquiry_string -print0 |
            sort -z | while IFS= read -r -d '' file; do printf '%s: %s\n' "$file" "$(tr -d '\000' <"$file" 2>/dev/null)"; done
        find . -type l | sort
    ) | sed '/MaxPower/d; s,\(interface.ncm/compatible_id:\).*,\1,'
}
load() { python3 "$LAB/scenarios/scheme.py" load "$1" "$scheme" $udc; }
unload() { python3 "$LAB/scenarios/scheme.py" unload "$scheme"; }

compare() { # compare NAME OPTION...: up and the scheme's gadget side by side
    local title=$1 up
    shift
    check "$title: up" "$gadget_script" up --tag original --udc $udc --serial s-1 --timeout 60 "$@"
    # Its driver complains of a board that goes while it asks.
    check "$title: the host has its network interface" wait_for 60 host_interface
    up=$(shape original)
    check "$title: down" "$gadget_script" down --tag original
    check "$title: the host sees it go" wait_for 60 board_gone 0
    "$gadget_script" scheme --tag $scheme --serial s-1 "$@" >"/run/tmp/$scheme.scheme" || fail "$title: scheme"
    check "$title: libusbgx loads the scheme" load /run/tmp/$scheme.scheme
    check "$title: the host sees it" wait_for 60 host_interface
    check_equal "$title: the same gadget" "$up" "$(shape $scheme)"
    check_equal "$title: bound" $udc "$(cat $gadgets/$scheme/UDC)"
    check "$title: unload" unload
    check "$title: gone" wait_for 60 board_gone 0
}
compare ncm --function ncm
compare ecm --function ecm --product 'A "quoted" \product'
compare rndis --function rndis --host-mac 06:00:00:00:00:01 --dev-mac 02:00:00:00:00:01
compare "eem, two terminals and a disk" --id 1d6b:0104 --function eem --function acm --function acm --function mass_storage:/run/tmp/disk

"$gadget_script" scheme --function ncm >/run/tmp/ncm.scheme || fail "scheme with ncm"
"$gadget_script" scheme --tag $scheme --function usb9pfs --function ecm --serial s-1 >/run/tmp/9p.scheme || fail "scheme with usb9pfs"
check "a scheme with usb9pfs says that it can't set buflen" grep -q '^# - buflen' /run/tmp/9p.scheme
check "with ncm that it can't set the ID for Windows" grep -q '^# - the compatible ID' /run/tmp/ncm.scheme
check "and that 0.2.0 refuses it" grep -q '0.2.0, as in Debian 12, refuses' /run/tmp/9p.scheme
check "which it does" sh -c "! python3 '$LAB/scenarios/scheme.py' load /run/tmp/9p.scheme $scheme $udc 2>/run/tmp/refusal"
check "by its name" grep -q 'import: USBG_ERROR_NOT_SUPPORTED' /run/tmp/refusal
check_equal "and leaves nothing" "" "$(ls $gadgets)"
for shell in dash "busybox ash" bash; do
    # shellcheck disable=SC2086 # "busybox ash" is two words
    check_equal "$shell: the same scheme" "$(cat /run/tmp/9p.scheme)" \
        "$($shell "$gadget_script" scheme --tag $scheme --function usb9pfs --function ecm --serial s-1)"
done
refused() { ! "$gadget_script" scheme "$@" >/run/tmp/refusal 2>&1; }
check "hid is refused" refused --function hid:/run/tmp/disk
check "a read-only disk is refused" refused --function mass_storage:/run/tmp/disk,ro --function ncm
check "a mount is not for a scheme" refused --mount /mnt
dmesg_clean
