# Messages, the kernel's parts, configfs.
# shellcheck shell=sh disable=SC2154,SC2034 # the settings are set in one file and read in others

say() { printf '%s: %s\n' "$progname" "$*" >&2; }

# die CODE MESSAGE
die() {
    code=$1
    shift
    say "error: $*"
    exit "$code"
}

bad_arguments() { die 2 "$*; try '$progname --help'"; }

# First line of a file, without the NUL that device tree strings end with; nothing if it can't be read.
read_line() { { tr -d '\000' <"$1" | head -n 1; } 2>/dev/null; }

# "y", "m", "n", or nothing when the kernel does not carry its configuration.
kernel_option() {
    [ -r /proc/config.gz ] || return 0
    option=$(zcat /proc/config.gz 2>/dev/null | sed -n "s/^CONFIG_$1=//p")
    printf '%s\n' "${option:-n}"
}

# lacks CONFIG_NAME CONSEQUENCE: what to change in the kernel, as exactly as can be known.
lacks() {
    set_to=$(kernel_option "$1")
    die 3 "$2. The kernel needs CONFIG_$1=y${set_to:+ (this one has $set_to)}${3:+; $3}"
}

load() { modprobe -q "$1" 2>/dev/null || true; }

# A tenth of a second. Some busybox builds have no fractional sleep.
pause() { sleep 0.1 2>/dev/null || usleep 100000 2>/dev/null || sleep 1; }

require_root() { [ "$(id -u)" = 0 ] || die 10 "this needs root: it writes to $configfs"; }

require_configfs() {
    [ -r /proc/filesystems ] || die 1 "/proc is not mounted"
    [ -d /sys/kernel ] || mount -t sysfs sysfs /sys 2>/dev/null || die 1 "/sys is not mounted"
    grep -qw configfs /proc/filesystems || load configfs
    grep -qw configfs /proc/filesystems || lacks CONFIGFS_FS "there is no configfs"
    if ! grep -q " $configfs configfs " /proc/mounts; then
        mount -t configfs configfs "$configfs" || die 1 "can't mount configfs on $configfs"
    fi
    [ -d "$configfs/usb_gadget" ] || load libcomposite
    [ -d "$configfs/usb_gadget" ] ||
        lacks USB_CONFIGFS "there is no $configfs/usb_gadget" "it needs CONFIG_USB_GADGET and CONFIG_USB_LIBCOMPOSITE too"
}
