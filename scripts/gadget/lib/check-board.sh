# The checks that need the board itself: its controllers, its device tree, what its kernel does.
# shellcheck shell=sh disable=SC2154,SC2034 # the settings are set in one file and read in others

# shellcheck source=check.sh
. "$USB9PFS_GADGET_LIB/check.sh"
# shellcheck source=check-tree.sh
. "$USB9PFS_GADGET_LIB/check-tree.sh"

device_tree=/sys/firmware/devicetree/base

# The running kernel's configuration, wherever it is kept.
running_configuration() {
    [ -r /proc/config.gz ] || load configs
    release=$(uname -r)
    for file in /proc/config.gz "/boot/config-$release" "/lib/modules/$release/config" "/usr/lib/modules/$release/config"; do
        if [ -r "$file" ]; then
            printf '%s\n' "$file"
            return
        fi
    done
}

# Without a configuration: what the kernel shows of itself.
check_running_kernel() {
    check_result skip "configuration" "this kernel does not carry its own, nor is it in /boot: checked is what can be seen" \
        "For all checks set CONFIG_IKCONFIG_PROC=y, or name the configuration: --kernel-config FILE"
    grep -qw configfs /proc/filesystems || load configfs
    if grep -qw configfs /proc/filesystems; then
        check_result ok "configfs" "the gadget is made in it"
    else
        check_result fail "configfs" "not in this kernel" "Set CONFIG_CONFIGFS_FS=y"
    fi
    check_wants_usb9pfs || return 0
    grep -qw 9p /proc/filesystems || load 9p
    if grep -qw 9p /proc/filesystems; then
        check_result ok "9p" "the file system"
    else
        check_result fail "9p" "no such file system in this kernel" "Set CONFIG_9P_FS=y"
    fi
    if ! read -r _ </proc/kallsyms 2>/dev/null; then
        check_result skip "usb9pfs" "not known: the kernel tells neither its configuration nor its symbols"
        return
    fi
    load usb_f_fs
    load 9pnet_fd
    load 9pnet_usbg
    candidates=$check_driver
    [ "$check_driver" != auto ] || candidates="program kernel"
    for candidate in $candidates; do
        ! running_kernel_has "$candidate" || check_can="$check_can $candidate"
    done
    for candidate in $candidates; do
        result=skip
        [ -n "$check_can" ] || result=fail
        case $candidate:"$check_can " in
            program:*" program "*) check_result ok "usb9pfs" "p9gadget: FunctionFS and 9P over sockets" ;;
            program:*) check_result $result "usb9pfs" "p9gadget: no FunctionFS in this kernel, or no 9P over sockets" \
                "Set CONFIG_USB_CONFIGFS_F_FS=y, CONFIG_NET_9P_FD=m and CONFIG_9P_FS=m" ;;
            kernel:*" kernel "*) check_result ok "usb9pfs" "the kernel's driver: 9P over a USB gadget" ;;
            kernel:*) check_result $result "usb9pfs" "the kernel's driver: not in this kernel" \
                "Set CONFIG_NET_9P_USBG=y, and CONFIG_NET_9P=y and CONFIG_USB_GADGET=y with it" ;;
        esac
    done
}

# By the kernel's symbols, which those of loaded modules are among.
running_kernel_has() {
    case $1 in
        kernel) grep -q ' usb9pfs_' /proc/kallsyms ;;
        program) grep -q ' ffs_alloc_inst\>' /proc/kallsyms && grep -q ' p9_fd_create_unix\>' /proc/kallsyms ;;
    esac
}

# p9gadget itself, where the kernel will do for it.
check_program() {
    case "$check_can " in *" program "*) ;; *) return 0 ;; esac
    find_program
    if [ -n "$program" ]; then
        check_result ok "p9gadget" "it is $program"
        return
    fi
    case $check_can in
        *" kernel") check_result skip "p9gadget" "it is not here; the kernel's driver will do" ;;
        *) check_result fail "p9gadget" "it is not here, neither in PATH nor in $USB9PFS_GADGET_LIB, and the kernel has no driver of its own" \
            "'scripts/gadget/install --arch ARCH' puts it into a root file system, 'scripts/boot/mkinitramfs --program FILE' into an initramfs" ;;
    esac
    check_can=${check_can#" program"}
}

check_controllers() {
    present=$(controllers)
    if [ -n "$present" ]; then
        for controller in $present; do
            holder=$(holder_of "$controller")
            check_result ok "controller $controller" "a USB device controller, ${holder:+in use by gadget }${holder:-free}"
        done
    else
        why='' fix="Its driver must be in the kernel (see above) and in device mode. $check_overlay_hint"
        for bound in /sys/bus/platform/drivers/dwc_otg/*.usb; do
            [ ! -e "$bound" ] || why=": ${bound##*/} is held by dwc_otg, Raspberry Pi's driver for host mode only"
        done
        for bound in /sys/bus/platform/drivers/dwc2/*.usb; do
            [ ! -e "$bound" ] || why=": the driver dwc2 has ${bound##*/}, but in host mode"
        done
        check_result fail "controller" "no USB device controller in $udc_class$why" "$fix" controller
    fi
    [ ! -d "$device_tree" ] || check_device_tree "$device_tree"
    case $(read_line "$device_tree/model") in
        *"Raspberry Pi 5"* | *"Compute Module 5"*)
            # Two dwc2 wires lead out of a BCM2712; those behind the RP1 are host controllers.
            case " $(printf '%s' "$present" | tr '\n' ' ') " in
                *" 1000480000.usb "*) check_result ok "USB-C of BCM2712" "1000480000.usb: it needs neither the RP1 nor its network" ;;
                *) check_result fail "USB-C of BCM2712" "1000480000.usb is not there, which is part of the processor, not of the RP1" \
                    "$check_overlay_hint; and a device tree of Raspberry Pi's kernel, Linux's own lack it in 6.12 and in 7.3" controller ;;
            esac
            [ -z "$check_lines" ] || check_rp1_network
            ;;
    esac
}

# A network interface with hardware behind it, other than a gadget's own.
check_network() {
    interfaces=
    for entry in /sys/class/net/*/device; do
        [ -e "$entry" ] || continue
        case $(readlink -f "$entry") in
            */gadget*) continue ;;
        esac
        entry=${entry%/device}
        interfaces="$interfaces ${entry##*/}"
    done
    if [ -n "$interfaces" ]; then
        check_result ok "network" "interfaces of its own:$interfaces"
    else
        check_result warn "network" "this board has no network interface that works" \
            "It can have one over the cable, beside the file system: an Ethernet function in the gadget"
    fi
}

check_running_page_size() {
    page=$(sed -n 's/^KernelPageSize: *\([0-9]*\) kB/\1/p' /proc/self/smaps 2>/dev/null | head -n 1)
    if [ -n "$page" ]; then
        check_page_size "$page"
    else
        check_result skip "page size" "not known: /proc/self/smaps does not tell it"
    fi
}

# open_tree(OPEN_TREE_CLONE) of a mount that is attached nowhere: EINVAL before Linux 6.15, with any page size. Talos 1.12
# makes such mounts. Only the call itself tells, since vendors' kernels carry patches, and no busybox applet makes it. The
# numbers are those of every architecture except alpha and mips. The first call clones / into such a mount, the second
# clones that one.
probe_open_tree() {
    [ "$(id -u)" = 0 ] || { echo "needs root" && return; }
    case $(uname -m) in
        alpha* | mips*) echo "not written for $(uname -m)" && return ;;
    esac
    if command -v perl >/dev/null 2>&1; then
        perl -e 'my $root = "/"; my $empty = "";
            my $tree = syscall(428, -100, $root, 1);
            if ($tree < 0) { print "attached ", $! + 0, "\n"; exit }
            print syscall(428, $tree, $empty, 1 | 0x1000) < 0 ? "detached " . ($! + 0) : "works", "\n"' 2>/dev/null && return
    fi
    if command -v python3 >/dev/null 2>&1; then
        python3 -c 'import ctypes
libc = ctypes.CDLL(None, use_errno=True)
tree = libc.syscall(428, -100, b"/", 1)
if tree < 0: print("attached", ctypes.get_errno())
elif libc.syscall(428, tree, b"", 1 | 0x1000) < 0: print("detached", ctypes.get_errno())
else: print("works")' 2>/dev/null && return
    fi
    echo "needs perl or python3, busybox can't make this system call"
}

check_open_tree() {
    tree_name="open_tree(OPEN_TREE_CLONE)"
    tree_clone=$(probe_open_tree)
    case $tree_clone in
        works) check_result ok "$tree_name" "clones a mount that is attached nowhere, as Talos 1.12 does" ;;
        "detached 22") check_result warn "$tree_name" "EINVAL for a mount that is attached nowhere, as before Linux 6.15" \
            "Only Talos 1.12 and later makes such mounts: if it stops there take a kernel of 6.15 or later, or Talos 1.11" ;;
        detached* | attached*) check_result warn "$tree_name" "errno ${tree_clone#* } for a mount that is ${tree_clone% *}" \
            "Talos 1.12 and later needs it. A container or sandbox refuses it, too: ask the board itself" ;;
        *) check_result skip "$tree_name" "not probed: $tree_clone. Before Linux 6.15 it is EINVAL for a mount that is attached nowhere" \
            "This is $(uname -r); only Talos 1.12 and later makes such mounts" ;;
    esac
}

# With --kernel-config another kernel is in question: then the running kernel proves nothing.
do_check() {
    check_source=$check_config
    [ -n "$check_source" ] || check_source=$(running_configuration)
    check_begin "$check_source" ||
        die 2 "there is no kernel configuration in '$check_source' (no line CONFIG_...=y): name a config or config.gz"
    if [ -n "$check_source" ]; then check_configuration; else check_running_kernel; fi
    check_program
    if [ -n "$check_config" ]; then
        check_configured_page_size
    else
        check_running_page_size
        check_open_tree
    fi
    check_controllers
    check_network
    check_end "${check_source:-Linux $(uname -r)}"
}

# The verb's command line.
check_main() {
    check_defaults
    check_config=''
    while [ $# -gt 0 ]; do
        option=$1
        shift
        case $option in
            --*=*)
                set -- "${option#*=}" "$@"
                option=${option%%=*}
                ;;
        esac
        case $option in
            -h | --help) usage && exit 0 ;;
            --json) json=yes && continue ;;
            --network) check_purpose=network && continue ;;
            --overlay) check_overlay=yes && continue ;;
            --modules) check_modules=yes && continue ;;
            --no-modules) check_modules=no && continue ;;
            --kernel-config | --driver | --function) [ $# -gt 0 ] || bad_arguments "'$option' needs a value" ;;
            *) bad_arguments "unknown option '$option' for 'check'" ;;
        esac
        case $option in
            --kernel-config) check_config=$1 ;;
            --driver) check_set_driver "$1" ;;
            --function) check_add_function "$1" ;;
        esac
        shift
    done
    [ -z "$check_config" ] || [ -r "$check_config" ] || die 2 "can't read '$check_config'"
    do_check || exit $?
}
