# Messages on the console, and what happens when nothing more can be done.
# shellcheck shell=sh disable=SC2154 # the settings are read in command-line.sh

# `quiet` never hides these: what the board waits for, what went wrong.
say() { printf 'usb9pfs: %s\n' "$*"; }

tell() { [ -n "$quiet" ] || say "$@"; }

# A fifth of a second. Some busybox builds have no fractional sleep.
pause() { sleep 0.2 2>/dev/null || sleep 1; }

# Whole seconds since the kernel started; no program is run.
seconds() {
    read -r now _ </proc/uptime
    printf '%s\n' "${now%.*}"
}

rescue_shell() {
    say "a shell; 'exit' leaves it. What can be looked at: /proc/cmdline, dmesg, usb9pfs-gadget status, ls /sys/class/udc"
    # With job control, if there is a way to a terminal of its own.
    setsid cttyhack sh 2>/dev/null || sh
}

# As the kernel does after a panic: panic=S reboots after S seconds, at once if negative; without panic= it waits.
follow_panic() {
    # The shell's `read` takes byte by byte, and /proc/sys gives all to the first read and nothing to the next.
    delay=$(cat /proc/sys/kernel/panic)
    case $delay in
        -*) say "rebooting (panic=$delay)" ;;
        0) return ;;
        *)
            say "rebooting in $delay s (panic=$delay)"
            sleep "$delay"
            ;;
    esac
    reboot -f
    echo b >/proc/sysrq-trigger # if the kernel has no reboot(2) for this machine
}

# nothing_more MESSAGE: for process 1, never returns.
nothing_more() {
    while :; do
        say "$*"
        [ -z "$shell" ] || rescue_shell
        follow_panic
        say "nothing more is tried here. On the kernel's command line, usb9pfs.shell gives a shell in this case and panic=S a reboot"
        sleep 60
    done
}
