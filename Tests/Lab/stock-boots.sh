# What the scenarios with Debian's own kernels share: `. "$LAB/stock-boots.sh"`, after lib.sh. Debian boots from a directory to
# multi-user, reboots, boots again and powers off; initramfs-tools' own image with this project's hooks is the initramfs.
# shellcheck shell=bash

# When systemd shuts the board down it ends every process but root's whose name begins with @. In the lab the host's are among them.
# shellcheck disable=SC2016,SC2034 # for the inner shell; lib.sh's
as_user=(bash -c 'exec -a "@${1##*/}" "$@"' bash)
tree=/run/image
image_mount $tree || fail "image"
[ -e $tree/etc/systemd/system/lab-reached.service ] || tell_multi_user $tree/etc/systemd/system

reached() { [ -s /proc/1/root/run/lab-reached ]; }

stock_boot() {
    local since=$SECONDS keeper
    board_power_on
    wait_for $((LAB_TIMEOUT / 2)) board_device 0 >/dev/null || fail "no board" "$(console | tail -n 30)"
    usb_permissions
    host_serve 0 $tree || fail "serve"
    check "the board boots to multi-user$1" wait_for $((LAB_TIMEOUT / 2)) reached
    echo "# $(uname -r): multi-user $((SECONDS - since)) s after power-on"
    check "its root is p9gadget's" grep -q '^/run/usb9pfs-gadget/board.9p / 9p rw,.*trans=unix' /proc/1/mounts
    check_equal "no unit has failed" "" "$(in_board systemctl --failed --no-legend --plain)"
    [ -z "$1" ] || return 0
    keeper=$(cat /proc/1/root/run/usb9pfs-gadget/board.pid)
    check_equal "p9gadget is spared by systemd" "@" "$(head -c 1 "/proc/$keeper/cmdline")"
    check_equal "and by the kernel's out-of-memory killer" -1000 "$(cat "/proc/$keeper/oom_score_adj")"
    echo edited >$tree/etc/edited-on-the-host
    check_equal "the board sees what the host writes" edited "$(in_board cat /etc/edited-on-the-host)"
    check "the board writes" in_board sh -c 'echo text >/root/written && sync'
    check_equal "and the host has it" text "$(cat $tree/root/written)"
}

# Not before it is expected.
when_expected() { wait_for 60 test -e "$LAB_DIR/$1" && in_board systemctl --no-block "${@:2}"; }
if [ -z "${LAB_BOOTED_BEFORE:-}" ]; then
    stock_boot ""
    when_expected reboots reboot &
    board_reboots "it reboots" $((LAB_TIMEOUT / 4)) again
else
    stock_boot ", once more"
    when_expected powers-off poweroff &
    board_powers_off "it powers off"
fi
