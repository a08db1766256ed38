# What the scenarios for the initramfs of a distribution share: `. "$LAB/initramfs-boots.sh"`, after lib.sh.
# shellcheck shell=bash
#
# The boots are those of Tests/Lab/scenarios/{initramfs-tools,dracut,dracut-systemd}.sh. Their command lines are those of
# docs/initramfs-distributions.md.
# shellcheck source=../as-written.sh
. "$LAB/../as-written.sh"

tree=/run/image

# The host's end of the cable has no power until host_plug.
host_unplug() { echo 0 >/sys/bus/usb/devices/usb1/authorized_default; }
host_plug() {
    wait_for 60 board_device 0 >/dev/null || fail "no board" "$(show_console)"
    echo 1 >/sys/bus/usb/devices/usb1/authorized_default
    echo 1 >"$(board_device 0)/authorized"
}

show_console() { console | tail -n 25; }

# board_says NAME PATTERN: waits for it on the console.
board_says() {
    if wait_for $((LAB_TIMEOUT / 2)) console_says "$2"; then ok "$1"; else fail "$1" "no '$2' on the console:
$(show_console)"; fi
}

# The board's root, once its init runs.
# shellcheck disable=SC2154 # board_init is lib.sh's
root_mount() { awk '$2 == "/" { line = $1 " " $3 " " $4 } END { print line }' "/proc/$board_init/mounts"; }
# Written by busybox' init, or by tell_multi_user's unit.
started() { [ -s "/proc/$board_init/root/run/lab-reached" ]; }
board_starts() {
    if wait_for $((LAB_TIMEOUT - 40)) started; then ok "$1 after $(uptime_seconds) s"; else fail "$1" "$(show_console)"; fi
}
has_option() { root_mount | grep -qE "[ ,]$1(,|$)"; }
writes_are_refused() { ! in_board touch /written 2>/run/lab/refusal && grep -q 'Read-only' /run/lab/refusal; }

# A board without a cable, then with one, then with a program on the host: rsinit's form, which has no root=.
boot_rsinit() {
    check "the documented command line" boots_as_written docs/initramfs-distributions.md "The command line" 1.1
    host_unplug
    board_power_on
    board_says "without a cable the board waits" 'waiting for a host to configure'
    host_plug
    board_says "without a program on the host it waits" 'this waits until a program on the host serves it'
    check "the tag is the controller's name" grep -q '^dummy_udc.0$' <(ls /sys/kernel/config/usb_gadget)
    usb_permissions
    host_serve 0 $tree || fail "serve"
    board_starts "the root's init runs"
    check_equal "the root is 9p, with the controller as its tag" "dummy_udc.0 9p" "$(root_mount | cut -d ' ' -f 1,2)"
    check "read-only, as nothing else was said" has_option ro
    check "rootflags are applied" has_option cache=0xf
    check "a write is refused" writes_are_refused
}

# To multi-user, or to busybox' init where the image is that.
boot_barebox() {
    check "the documented command line" boots_as_written docs/initramfs-distributions.md "The command line" 1.2
    local goal="the root's init runs"
    if [ -e $tree/usr/lib/systemd/systemd ]; then
        goal="multi-user"
        tell_multi_user $tree/etc/systemd/system
    fi
    board_power_on
    board_says "the gadget is up" "'board-7' is up on 'dummy_udc.0'"
    board_says "and mounted by its tag" 'this waits until a program on the host serves it'
    usb_permissions
    host_serve 0 $tree || fail "serve"
    board_starts "$goal"
    check_equal "the root is 9p, with root= as its tag" "board-7 9p" "$(root_mount | cut -d ' ' -f 1,2)"
    check "writable" has_option rw
    check "msize is that of rootflags" has_option msize=65536
    check "the board writes" in_board sh -c 'echo text >/root/written'
    check_equal "and the host has it" text "$(cat $tree/root/written)"
    [ "$goal" != multi-user ] || check_equal "systemctl --failed" "" "$(in_board systemctl --failed --no-legend --plain)"
}

# The kernel documentation's options; its access=0 must not be taken as it stands. Writes stay on the board.
boot_kernel() {
    check "the documented command line" boots_as_written docs/initramfs-distributions.md "The command line" 1.3 \
        /srv/rootfs=/run/image
    before=$(find $tree -printf '%p %s %T@\n' | sort | sha256sum)
    board_power_on
    board_says "access=0 is replaced, and said so" 'access=0 in rootflags'
    wait_for 60 board_device 0 >/dev/null || fail "no board" "$(show_console)"
    usb_permissions
    host_serve 0 $tree || fail "serve"
    board_starts "the root's init runs"
    check_equal "the root is an overlay" "overlay" "$(root_mount | cut -d ' ' -f 2)"
    check "over the 9p mount" grep -q '^usb 9p ro,.*cache=0xf.*trans=usbg' <(awk '$3 == "9p" { print $1, $3, $4 }' "/proc/$board_init/mounts")
    check "the board writes" in_board sh -c 'echo text >/written && rm /etc/inittab'
    check_equal "the host's tree is as before" "$before" "$(find $tree -printf '%p %s %T@\n' | sort | sha256sum)"
}

# boot_wrong_root PROMPT: the shell that the distribution gives, and what leaving it does.
boot_wrong_root() {
    board_power_on
    wait_for $((LAB_TIMEOUT / 2)) board_device 0 >/dev/null || fail "no board" "$(show_console)"
    usb_permissions
    host_serve 0 $tree || fail "serve"
    board_says "the failed mount is explained" 'what aname= in rootflags names is not what the host serves'
    board_says "a shell, as usb9pfs.shell asks for" "$1"
}

boot_wrong_tag() {
    board_power_on
    board_says "the tag is refused, with the reason" 'root=/dev/mmcblk0p2 is not a tag of a USB gadget'
    board_says "and a shell given" "$1"
    check_equal "no gadget was made" "" "$(ls /sys/kernel/config/usb_gadget)"
}

image_mount $tree || fail "image"
