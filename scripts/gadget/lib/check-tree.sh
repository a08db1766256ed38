# The checks of device trees, and of what is peculiar to a Raspberry Pi 5. Sourced after check.sh.
# shellcheck shell=sh disable=SC2154,SC2034 # the settings are set in one file and read in others

# Whether it is Raspberry Pi's own kernel, or Ubuntu's of it: no other has this option.
check_is_raspberry_pis() { ! check_is MFD_RP1 n; }

# The Raspberry Pi 5's Ethernet is in the RP1, behind PCIe. Without its drivers the cable can be the network.
check_rp1_network() {
    missing='' modules='' bridge=MISC_RP1
    ! check_is_raspberry_pis || bridge=MFD_RP1
    for option in $bridge COMMON_CLK_RP1 PINCTRL_RP1 PCIE_BRCMSTB MACB; do
        check_option "$option"
        case $value in
            n) missing="$missing CONFIG_$option" ;;
            m) modules="$modules $option" ;;
        esac
    done
    if [ -n "$missing" ]; then
        check_result warn "network of the RP1" "no driver for a Raspberry Pi 5's Ethernet in this kernel; not set:$missing" \
            "The cable can be its network, beside the root: an Ethernet function in the gadget, such as --function ncm"
    else
        check_result ok "network of the RP1" "drivers for a Raspberry Pi 5's Ethernet${modules:+, as modules:$modules}"
    fi
}

# Which device tree a Raspberry Pi 5 needs with this kernel. Linux's own were looked at in 6.12 and 7.3.
check_rpi5_device_tree() {
    d0="for boards with the processor's D0 stepping bcm2712d0-rpi-5-b.dtb or bcm2712-d-rpi-5-b.dtb"
    if check_is_raspberry_pis; then
        check_result ok "device tree" "this is Raspberry Pi's kernel, and wants Raspberry Pi's bcm2712-rpi-5-b.dtb; $d0"
        return
    fi
    check_condition "with Raspberry Pi's device tree"
    check_result warn "device tree" "Linux's own bcm2712-rpi-5-b.dtb and bcm2712-d-rpi-5-b.dtb have no USB-C controller, in 6.12 and in 7.3" \
        "Give this kernel Raspberry Pi's bcm2712-rpi-5-b.dtb; $d0. Nobody has tried that on a board"
    ! check_is_before 6 12 || check_result warn "processor" "this is Linux $check_release; 6.12 is the first that was looked at for a BCM2712" \
        "Take a newer kernel, or Raspberry Pi's"
}

# check_device_tree DIR: a device tree unpacked into files, such as /proc/device-tree. Looks at what says dr_mode, and at
# dwc2, whose driver goes by the kernel's configuration when the device tree says nothing. One controller in device mode is
# enough: those of a Raspberry Pi 5's RP1, and the second one of many boards, are for host mode.
check_device_tree() {
    tree_model=$(read_line "$1/model")
    tree_nodes='' tree_usable='' tree_unusable='' tree_dwc2=''
    for property in $(find "$1/" -name compatible -type f 2>/dev/null | sort); do
        node=${property%/compatible}
        kinds=$(tr '\000' ' ' <"$property")
        case " $kinds " in
            *" brcm,bcm2835-usb "* | *" brcm,bcm2708-usb "* | *" snps,dwc2 "*) tree_dwc2=yes ;;
            *) [ -e "$node/dr_mode" ] || continue ;;
        esac
        tree_nodes=yes
        name=${node#"$1"}
        mode=$(read_line "$node/dr_mode")
        case $(read_line "$node/status") in
            "" | okay | ok) ;;
            *)
                tree_unusable="$tree_unusable$name is disabled${tree_model:+ on $tree_model}$check_newline"
                continue
                ;;
        esac
        case $mode in
            peripheral) check_result ok "device tree" "the USB controller $name is in device mode" ;;
            otg | "") check_result ok "device tree" \
                "the USB controller $name takes its mode from the cable's ID pin (dr_mode ${mode:-unset}); 'peripheral' is surer" ;;
            *)
                tree_unusable="$tree_unusable$name is in $mode mode (dr_mode)$check_newline"
                continue
                ;;
        esac
        tree_usable=yes
    done
    case $tree_dwc2:$tree_model in
        :*"Raspberry Pi 5"* | :*"Compute Module 5"*)
            # Those that it has are the RP1's, which are hosts.
            check_result fail "device tree" "'$tree_model' has no node for the USB-C controller (dwc2 in BCM2712)" \
                "Linux's own device trees for BCM2712 have none, in 6.12 and in 7.3: use the one of Raspberry Pi's kernel" controller
            return
            ;;
    esac
    while read -r why; do
        if [ -z "$why" ]; then
            continue
        elif [ -n "$tree_usable" ]; then
            check_result skip "device tree" "the USB controller $why, but another is not"
        else
            check_result fail "device tree" "the USB controller $why" "$check_overlay_hint" controller
        fi
    done <<END
$tree_unusable
END
    [ -n "$tree_nodes" ] ||
        check_result skip "device tree" "no USB controller that can change its mode${tree_model:+ on $tree_model}"
}

check_overlay_hint="On a Raspberry Pi: 'dtoverlay=dwc2,dr_mode=peripheral' in config.txt, dwc2 has no kernel parameter for it; \
elsewhere dr_mode in the device tree"
