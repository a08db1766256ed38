# The one table of what a kernel and a board need for all this, and of what each missing piece means.
# `usb9pfs-gadget check` reads it on the board, scripts/boot/check-kernel on the host, before there is a board.
# shellcheck shell=sh disable=SC2154,SC2034 # the settings are set in one file and read in others
#
# Set before check_begin (check_defaults does, all to the usual):
#   check_purpose    root (the root file system comes over the cable) or network (Ethernet over the cable only)
#   check_functions  what the gadget is to have, in words: usb9pfs ecm ncm rndis eem acm mass_storage hid; empty: by purpose
#   check_board      rpi4, rpi5, zero2w, or empty: any board
#   check_driver     who is usb9pfs: program (p9gadget), kernel (the kernel's own driver), or auto: one of the two is enough
#   check_overlay    yes: the root is to be an overlay on tmpfs
#   check_modules    yes: the initramfs carries the kernel's modules and loads them; no: it carries none
#   json             yes: one JSON object at check_end instead of lines

# Options: purpose|option|level|what it is for|what to do. A level says what a missing option is: `fail` or `warn`. With
# `built-in` a module is `fail` as well, even if the initramfs carries it. The purposes `program` and `kernel` are the two drivers
# of usb9pfs.
check_options() {
    cat <<'END'
any|CONFIGFS_FS|fail|the gadget is made in configfs|
any|USB_GADGET|fail|the device side of USB|
any|USB_CONFIGFS|fail|gadgets by configfs, without a driver of their own|
program|USB_CONFIGFS_F_FS|fail|FunctionFS, by which a program is a gadget's function|
program|NET_9P|fail|the 9P client|
program|NET_9P_FD|fail|9P over sockets|
program|UNIX|built-in|sockets between programs|
kernel|NET_9P_USBG|fail|9P over a USB gadget|
kernel|NET_9P|fail|the 9P client|
kernel|USB_GADGET|fail|the device side of USB|
root|9P_FS|fail|the 9P file system|
root|9P_FS_POSIX_ACL|warn|access control lists; without it the board sees none|
root|9P_FS_SECURITY|warn|file capabilities (ping) and security labels; without it the board sees none|
root|BLK_DEV_INITRD|built-in|an initramfs, which makes the gadget and mounts the root|
root|BINFMT_ELF|built-in|programs|
root|BINFMT_SCRIPT|built-in|the initramfs begins with a script|
root|DEVTMPFS|built-in|/dev before there is a udev|
root|PROC_FS|built-in|the initramfs reads /proc/mounts and /proc/cmdline|
root|SYSFS|built-in|the state of the gadget is in /sys/class/udc|
root|TMPFS|built-in|/run, and what an overlay is written to|
overlay|OVERLAY_FS|fail|usb9pfs.overlay=tmpfs: a root that forgets|
overlay|TMPFS_XATTR|warn|an overlay's marks on tmpfs, such as that of a directory made anew|
ecm|USB_CONFIGFS_ECM|fail|Ethernet for Linux and macOS hosts|
ncm|USB_CONFIGFS_NCM|fail|Ethernet for Linux, macOS and Windows 10|
rndis|USB_CONFIGFS_RNDIS|fail|Ethernet for Windows 7|
eem|USB_CONFIGFS_EEM|fail|Ethernet for Linux hosts with the fewest endpoints|
acm|USB_CONFIGFS_ACM|fail|a serial console on the host|
mass_storage|USB_CONFIGFS_MASS_STORAGE|fail|a disk on the host|
hid|USB_CONFIGFS_F_HID|fail|a keyboard or mouse on the host|
END
}

# Drivers of USB device controllers: option|options one of which puts it into device mode ("-": it has no other)|where
check_drivers() {
    cat <<'END'
USB_DWC2|USB_DWC2_DUAL_ROLE USB_DWC2_PERIPHERAL|Raspberry Pi, STM32, older Rockchip
USB_DWC3|USB_DWC3_DUAL_ROLE USB_DWC3_GADGET|i.MX8, Rockchip, Qualcomm, Amlogic, ZynqMP, Layerscape
USB_CHIPIDEA|USB_CHIPIDEA_UDC|i.MX6, i.MX7, i.MX8MM, Zynq
USB_MUSB_HDRC|USB_MUSB_DUAL_ROLE USB_MUSB_GADGET|BeagleBone, Allwinner
USB_CDNS3|USB_CDNS3_GADGET|K3 (AM62, AM64, J7), SiFive
USB_CDNSP_PCI|USB_CDNSP_GADGET|Cadence over PCI
USB_MTU3|USB_MTU3_DUAL_ROLE USB_MTU3_GADGET|MediaTek
USB_TEGRA_XUDC|-|Tegra
USB_RENESAS_USBHS_UDC|-|Renesas R-Car
USB_RENESAS_USB3|-|Renesas R-Car, USB 3
USB_RENESAS_USBF|-|Renesas RZ/N1
USB_ATMEL_USBA|-|AT91, SAMA5
USB_AT91|-|AT91
USB_ASPEED_VHUB|-|Aspeed
USB_ASPEED_UDC|-|Aspeed
USB_BDC_UDC|-|Broadcom set-top boxes
USB_SNP_UDC_PLAT|-|Broadcom iProc
USB_ISP1760|USB_ISP1760_DUAL_ROLE USB_ISP1760_GADGET_ROLE|ISP1761
USB_FSL_USB2|-|Freescale MPC
USB_MAX3420_UDC|-|MAX3420 on SPI
USB_GR_UDC|-|LEON
USB_LPC32XX|-|LPC32xx
USB_PXA27X|-|PXA27x
USB_DUMMY_HCD|-|an emulated controller, for tests
END
}

check_defaults() {
    check_purpose=root check_functions='' check_board='' check_driver=auto check_overlay=no check_modules=yes
}

# check_begin [CONFIG]: CONFIG is a kernel's configuration, as text or compressed by gzip. 1 if it holds none.
check_begin() {
    check_lines='' check_json='' check_failed_kernel=0 check_failed_controller=0 check_warnings=0
    check_release='' check_can='' check_faults='' check_conditions=''
    check_newline='
'
    [ -n "${1:-}" ] || return 0
    # zcat takes no plain text, and busybox's says so only on standard error.
    check_lines=$({ zcat "$1" 2>/dev/null || cat "$1"; } | sed -n 's/^CONFIG_\([A-Za-z0-9_]*\)=\([ym]\)$/\1=\2/p')
    [ -n "$check_lines" ] || return 1
    check_lines=$check_newline$check_lines$check_newline
    # "# Linux/arm64 6.12.117 Kernel Configuration"
    check_release=$({ zcat "$1" 2>/dev/null || cat "$1"; } | sed -n 's/^# Linux\/[^ ]* \([0-9][^ ]*\) Kernel Configuration$/\1/p' | head -n 1)
}

# check_is_before MAJOR MINOR: whether the configuration is an older Linux's; 1 as well if it does not say whose it is.
check_is_before() {
    check_major=${check_release%%.*}
    check_minor=${check_release#*.}
    check_minor=${check_minor%%[!0-9]*}
    case $check_major:$check_minor in
        *[!0-9:]* | :* | *:) return 1 ;;
    esac
    [ "$check_major" -lt "$1" ] || { [ "$check_major" = "$1" ] && [ "$check_minor" -lt "$2" ]; }
}

# Adds a function, written as for `usb9pfs-gadget up`: what follows a colon is ignored here.
check_add_function() {
    case ${1%%:*} in
        usb9pfs | ecm | ncm | rndis | eem | acm | mass_storage | hid) check_functions="$check_functions ${1%%:*}" ;;
        *) bad_arguments "there is no function '$1'; there are: usb9pfs ecm ncm rndis eem acm mass_storage hid" ;;
    esac
}

check_set_driver() {
    case $1 in
        auto | program | kernel) check_driver=$1 ;;
        *) bad_arguments "--driver is auto, program or kernel, not '$1'" ;;
    esac
}

# Sets `value` to y, m or n. No command substitution: a process for each option takes seconds on a small board.
check_option() {
    case $check_lines in
        *"$check_newline$1=y$check_newline"*) value=y ;;
        *"$check_newline$1=m$check_newline"*) value=m ;;
        *) value=n ;;
    esac
}

# check_is OPTION VALUE
check_is() {
    check_option "$1"
    [ "$value" = "$2" ]
}

# check_result ok|warn|fail|skip NAME TEXT [WHAT TO DO [kernel|controller]]
check_result() {
    [ "$1" != fail ] || check_faults="$check_faults${check_faults:+, }$2"
    case $1:${5:-kernel} in
        fail:kernel) check_failed_kernel=$((check_failed_kernel + 1)) ;;
        fail:*) check_failed_controller=$((check_failed_controller + 1)) ;;
        warn:*) check_warnings=$((check_warnings + 1)) ;;
    esac
    if [ "$json" = yes ]; then
        check_json="$check_json${check_json:+, }{\"check\": $(json_string "$2"), \"result\": \"$1\", \"text\": $(json_string "$3"),"
        check_json="$check_json \"fix\": $(json_string "${4:-}")}"
    else
        printf '%-4s  %s: %s%s\n' "$1" "$2" "$3" "${4:+. $4}"
    fi
}

# Whether a mount of the host's directory is wanted.
check_wants_usb9pfs() {
    case "$check_purpose $check_functions " in
        "root "* | *" usb9pfs "*) ;;
        *) return 1 ;;
    esac
}

# Sets $verdict: what comes of it all, in words.
check_verdict() {
    if [ -n "$check_faults" ]; then
        verdict="does not work: $check_faults"
        return
    fi
    verdict="works as it is"
    [ -z "$check_conditions" ] || verdict="works, $check_conditions"
    case $check_can in
        " program") verdict="$verdict, by p9gadget" ;;
        " kernel") verdict="$verdict, by the kernel's driver" ;;
        " program kernel") verdict="$verdict, by p9gadget or the kernel's driver" ;;
    esac
}

# Ends the report; 0, 3 if the kernel lacks a part, 4 if the fault is with the controller only.
check_end() {
    check_failed=$((check_failed_kernel + check_failed_controller)) check_ok=true
    [ $check_failed = 0 ] || check_ok=false
    check_verdict
    if [ "$json" = yes ]; then
        drivers=
        for driver in $check_can; do drivers="$drivers${drivers:+, }\"$driver\""; done
        printf '{"version": 1, "purpose": "%s", "source": %s, "ok": %s, "verdict": %s, "drivers": [%s], "warnings": %s, "checks": [%s]}\n' \
            "$check_purpose" "$(json_string "$1")" "$check_ok" "$(json_string "$verdict")" "$drivers" "$check_warnings" "$check_json"
    else
        printf '%s: %s (%s failed, %s to know about)\n' "$1" "$verdict" "$check_failed" "$check_warnings"
    fi
    [ "$check_failed_kernel" = 0 ] || return 3
    [ "$check_failed_controller" = 0 ] || return 4
}

# check_state OPTION LEVEL WHAT-FOR HINT: sets $result, $text and $fix for check_result, and $value.
check_state() {
    check_option "$1"
    result=ok text=$3 fix='' level=$2
    [ "$level" != built-in ] || level=fail
    case $value in
        m)
            if [ "$2" = built-in ]; then
                result=fail text="$3; a module is of no use here" fix="Set CONFIG_$1=y${4:+ ($4)}"
            elif [ "$check_purpose" = network ]; then
                text="$3; a module: load it before the gadget is made"
            elif [ "$check_modules" = yes ]; then
                text="$3; a module, which the initramfs must carry"
            else
                result=$level text="$3; a module, and nothing can load it before there is a root"
                fix="Set CONFIG_$1=y${4:+ ($4)}, or carry it in the initramfs (without --no-modules)"
            fi
            ;;
        n) result=$level fix="Set CONFIG_$1=y${4:+ ($4)}" ;;
    esac
}

check_one() {
    check_state "$@"
    check_result "$result" "$1=$value" "$text" "$fix"
}

# Whether the kernel's own driver has to be built in, and what it needs with it. Before Linux 6.13 NET_9P_USBG could not be a
# module. With NET_9P=m and USB_GADGET=y Kconfig kept NET_9P_USBG=y, and the build descended into net/9p for modules only: the
# driver was neither in the kernel nor a module, though the configuration had it.
check_kernel_driver_is_built_in() {
    check_option NET_9P_USBG
    case $value:$check_release in
        y:* | n:) return 0 ;;
        m:*) return 1 ;;
        *) check_is_before 6 13 ;;
    esac
}

# check_state for the needs of the kernel's own driver.
check_kernel_driver_state() {
    need=$2
    ! check_kernel_driver_is_built_in || [ "$1" = NET_9P_USBG ] || need=built-in
    check_state "$1" "$need" "$3" "$4"
    [ "$1" = NET_9P_USBG ] || return 0
    if [ "$value" = y ] && check_is NET_9P m; then
        value=y result=fail text="$3; it is set, but with CONFIG_NET_9P=m it is left out of the build" fix="Set CONFIG_NET_9P=y"
        return
    fi
    check_option "$1"
    [ "$value" = n ] || return 0
    if check_is_before 6 12; then
        text="$3, which is new in Linux 6.12; this is $check_release" fix="Take a newer kernel"
    elif check_kernel_driver_is_built_in; then
        fix="Set CONFIG_NET_9P_USBG=y (it is new in Linux 6.12, and before 6.13 it needs NET_9P=y and USB_GADGET=y)"
        ! check_is USB_GADGET m || fix="Set CONFIG_NET_9P_USBG=y (with CONFIG_USB_GADGET=m it can't be chosen: set that to y first)"
    fi
    value=n
}

# check_driver_rows DRIVER HOW: what a driver of usb9pfs needs. HOW is count: $lacks tells what is missing, and nothing is said;
# ok: all of it is there, and said; fail or skip: what is missing is said, as that.
check_driver_rows() {
    lacks=
    case $1 in program) by="p9gadget: " ;; *) by="the kernel's driver: " ;; esac
    # A here-document and not a pipe: the counters must outlive the loop.
    while IFS='|' read -r when option level what hint; do
        [ "$when" = "$1" ] || continue
        case $when in
            kernel) check_kernel_driver_state "$option" "$level" "$what" "$hint" ;;
            *) check_state "$option" "$level" "$what" "$hint" ;;
        esac
        [ "$result" = ok ] || lacks="$lacks${lacks:+, }$option=$value"
        case $2:$result in
            ok:*) check_result ok "$option=$value" "$by$text" ;;
            fail:fail | skip:fail) check_result "$2" "$option=$value" "$by$text" "$fix" ;;
        esac
        # What a driver needs that this Linux does not have yet is of no interest.
        if [ "$option:$value" = NET_9P_USBG:n ] && check_is_before 6 12; then break; fi
    done <<END
$(check_options)
END
}

check_usb9pfs_drivers() {
    candidates=$check_driver check_can=
    [ "$check_driver" != auto ] || candidates="program kernel"
    for candidate in $candidates; do
        check_driver_rows "$candidate" count
        [ -n "$lacks" ] || check_can="$check_can $candidate"
    done
    for candidate in $candidates; do
        case "$check_can " in
            " ") check_driver_rows "$candidate" fail ;;
            *" $candidate "*) check_driver_rows "$candidate" ok ;;
            *) check_driver_rows "$candidate" skip ;;
        esac
    done
}

# Adds to what the verdict says after "works,".
check_condition() { check_conditions="$check_conditions${check_conditions:+, }$1"; }

check_kernel_options() {
    check_wanted="any $check_purpose $check_functions"
    ! check_wants_usb9pfs || check_wanted="$check_wanted root"
    [ "$check_overlay" != yes ] || check_wanted="$check_wanted overlay"
    while IFS='|' read -r when option level what hint; do
        case " $check_wanted " in
            *" $when "*) check_one "$option" "$level" "$what" "$hint" ;;
        esac
    done <<END
$(check_options)
END
    if check_wants_usb9pfs; then
        check_usb9pfs_drivers
        ! check_is 9P_FS_POSIX_ACL n || check_condition "without access control lists"
        ! check_is 9P_FS_SECURITY n || check_condition "without file capabilities"
    fi
    case " $check_functions " in
        *" ecm "* | *" ncm "* | *" rndis "* | *" eem "*) return ;;
    esac
    network=
    for option in USB_CONFIGFS_ECM USB_CONFIGFS_NCM USB_CONFIGFS_RNDIS USB_CONFIGFS_EEM; do
        ! check_is "$option" y || network="$network $option"
    done
    if [ -n "$network" ]; then
        check_result ok "Ethernet" "functions for a network over the cable:$network"
    elif [ "$check_purpose" = network ]; then
        check_result fail "Ethernet" "no function for a network over the cable" "Set CONFIG_USB_CONFIGFS_ECM=y or CONFIG_USB_CONFIGFS_NCM=y"
    else
        check_result warn "Ethernet" "no function for a network over the cable beside the file system" \
            "If there is to be one set CONFIG_USB_CONFIGFS_ECM=y or CONFIG_USB_CONFIGFS_NCM=y"
    fi
}

# The controller's driver: one that is built in and does device mode.
check_driver_options() {
    drivers='' wrong_mode='' modules=''
    while IFS='|' read -r driver modes boards; do
        case $check_board:$driver in
            :* | *:USB_DWC2) ;;
            *) continue ;;
        esac
        check_option "$driver"
        found=$value
        [ "$found" != n ] || continue
        mode=
        for option in $modes; do
            if [ "$option" = - ] || check_is "$option" y; then mode=$option; fi
        done
        if [ -z "$mode" ]; then
            wrong_mode="$wrong_mode${wrong_mode:+; }$driver=$found does host mode only: set one of $modes"
        elif [ "$found" = m ]; then
            modules="$modules $driver"
        else
            drivers="$drivers $driver"
        fi
    done <<END
$(check_drivers)
END
    if [ -n "$drivers" ]; then
        check_result ok "device controller" "drivers in the kernel:$drivers${modules:+; as modules:$modules}"
        [ -n "$check_board" ] || [ -z "$modules" ] ||
            check_result warn "device controller" "whether one of$drivers is this board's can't be known here" \
                "'usb9pfs-gadget check' on the board knows; --for names a board"
    elif [ -n "$modules" ] && { [ "$check_purpose" = network ] || [ "$check_modules" = yes ]; }; then
        check_result ok "device controller" "drivers as modules, which must be loaded first:$modules"
    elif [ -n "$modules" ]; then
        check_result fail "device controller" "drivers as modules only, and nothing can load them before there is a root:$modules" \
            "Set the board's to y, or carry it in the initramfs (without --no-modules)"
    elif [ -n "$wrong_mode" ]; then
        check_result fail "device controller" "$wrong_mode"
    elif [ -n "$check_board" ]; then
        check_result fail "device controller" "CONFIG_USB_DWC2 is not set, the driver of a Raspberry Pi's USB-C or OTG port" \
            "Set CONFIG_USB_DWC2=y and CONFIG_USB_DWC2_DUAL_ROLE=y"
    else
        check_result fail "device controller" "no driver of a USB device controller" \
            "Set the board's, such as CONFIG_USB_DWC2=y with CONFIG_USB_DWC2_DUAL_ROLE=y, or CONFIG_USB_DWC3, USB_CHIPIDEA, USB_MUSB_HDRC"
    fi
}

check_decompressors() {
    [ "$check_purpose" = root ] || return 0
    have=
    for option in RD_GZIP RD_ZSTD RD_XZ RD_LZ4 RD_LZO RD_LZMA RD_BZIP2; do
        ! check_is "$option" y || have="$have $option"
    done
    case " $have " in
        *" RD_GZIP "*) check_result ok "initramfs compression" "the kernel unpacks:$have" ;;
        *) check_result warn "initramfs compression" "the kernel does not unpack gzip, the usual one${have:+, but only:$have}" \
            "Set CONFIG_RD_GZIP=y, or compress the initramfs otherwise or not at all" ;;
    esac
}

# check_page_size KIB. fs/9p/vfs_super.c makes readahead buflen / page size, rounded down: with the driver's own buflen of
# 16384 and pages of 16 KiB there is no readahead.
check_page_size() {
    case $1 in
        4) check_result ok "page size" "4 KiB" ;;
        *) check_result warn "page size" "$1 KiB. Readahead is (buflen - 24) / page size, rounded down: none with a buflen of 16384" \
            "Use a buflen of $((16 * $1 * 1024)) or more (16 pages). Programs that were built for 4 KiB only don't start there" ;;
    esac
}

check_configured_page_size() {
    if check_is ARM64_16K_PAGES y; then
        check_page_size 16
    elif check_is ARM64_64K_PAGES y || check_is PPC_64K_PAGES y; then
        check_page_size 64
    else
        check_page_size 4
    fi
}

check_configuration() {
    check_kernel_options
    check_driver_options
    check_decompressors
}
