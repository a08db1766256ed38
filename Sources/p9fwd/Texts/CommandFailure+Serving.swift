import CommandSupport
import USBHost
import USBLink

/// What a user is told when a board can't be served.
extension CommandFailure {
    /// What to do for lack of permission: one text for all devices, with the rules and the commands of
    /// `scripts/host/70-usb9pfs.rules`.
    static let adviceForRules = #"""
        To allow it for yourself from now on, put these lines into /etc/udev/rules.d/70-usb9pfs.rules:
          SUBSYSTEM=="usb", ENV{DEVTYPE}=="usb_device", ENV{ID_USB_INTERFACES}=="*:ffff09:*", MODE="0660", GROUP="plugdev", TAG+="uaccess"
          SUBSYSTEM=="usb", ENV{DEVTYPE}=="usb_device", ATTR{idVendor}=="0a5c", ATTR{idProduct}=="2711|2712|2763|2764", MODE="0660", GROUP="plugdev", TAG+="uaccess"
          ACTION=="add", SUBSYSTEM=="usb", ENV{DEVTYPE}=="usb_interface", ATTR{bInterfaceClass}=="08", ATTRS{idVendor}=="0a5c", ATTRS{idProduct}=="2763|2764", ATTR{authorized}="0"
        and run: sudo udevadm control --reload && sudo udevadm trigger
        Over ssh, be in the group plugdev besides: sudo usermod -aG plugdev $USER, and log in anew.
        """#

    static func permission(_ gadget: Gadget) -> CommandFailure {
        CommandFailure(
            .permission,
            "no permission to open \(gadget.node), \(gadget.name)",
            advice: adviceForRules
        )
    }

    static func notOpened(_ gadget: Gadget, _ error: USBError) -> CommandFailure {
        switch error {
        case .accessDenied:
            permission(gadget)
        case .busy:
            CommandFailure(
                .busy,
                "another process serves \(gadget.name)",
                advice: "Find it with: fuser -v \(gadget.node)"
            )
        case .noDevice:
            CommandFailure(.deviceGone, "\(gadget.name) has just gone")
        default:
            CommandFailure(.failure, "can't open \(gadget.name): \(error)")
        }
    }

    static func gone(_ gadget: Gadget, _ isMidRequest: Bool) -> CommandFailure {
        guard isMidRequest else { return CommandFailure(.deviceGone, "\(gadget.name) is gone") }
        return CommandFailure(
            .deviceGone,
            "\(gadget.name) is gone in the middle of a request",
            advice: "If only the cable was pulled, its files stay stuck until you reboot it."
        )
    }

    static func wedged(_ gadget: Gadget, _ wedge: LinkEnd.Wedge) -> CommandFailure {
        switch wedge {
        case .replyNotTaken:
            CommandFailure(
                .deviceGone,
                "\(gadget.name) did not take a reply",
                advice: "It may wait for ever now. If it hangs, reboot it."
            )
        case .requestLost:
            CommandFailure(
                .deviceGone,
                "\(gadget.name) sent something that is not a 9P message",
                advice: "It probably waits for a reply that nobody can give. If it hangs, reboot it."
            )
        }
    }

    static func transfersFail(_ gadget: Gadget, _ error: USBError) -> CommandFailure {
        CommandFailure(
            .failure,
            "the USB transfers of \(gadget.name) fail: \(error)",
            advice: error == .noMemory
                ? "The kernel's limit for USB buffers is in /sys/module/usbcore/parameters/usbfs_memory_mb."
                : "If it hangs, reboot it; if this happens again, try another cable or port."
        )
    }

    /// The message for a service that ends while the board has it mounted.
    static func leftMount(port: String) -> CommandFailure {
        CommandFailure(
            .deviceGone,
            "the board at port \(port) has files mounted from here: from now on they are stale, and all it gets is errors",
            advice: "Serve it again and reboot it. Next time shut the board down, or unmount there, before Ctrl-C."
        )
    }

    /// The message for a board that goes on with files that an earlier process has served.
    static let staleMount = CommandFailure(
        .deviceGone,
        "the board was mounted before this process began, which doesn't know its files: all it gets is \"Stale file handle\"",
        advice:
            "Reboot the board: it mounts its root anew then. What is not its root can be unmounted and mounted again."
    )
}
