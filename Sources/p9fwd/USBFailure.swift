import CommandSupport
import RPiBoot
import USBHost
import USBLink

/// What a user is told about failures of the USB link.
enum USBFailure {
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
            "no permission to open \(gadget.node), the board at port \(gadget.path)",
            advice: adviceForRules
        )
    }

    static func noUSB(_ error: USBError) -> CommandFailure {
        CommandFailure(
            .failure,
            "can't look at the USB ports: \(error)",
            advice: "Is there a /dev/bus/usb? A container or virtual machine must be given the host's USB devices."
        )
    }

    static func several(_ gadgets: [Gadget]) -> CommandFailure {
        CommandFailure(
            .badInput,
            "\(gadgets.count) boards are plugged in; choose one with --path or --serial",
            advice: GadgetTable(gadgets).text + "For example: --path \(gadgets[0].path)"
        )
    }

    static func several(_ gadgets: [Gadget], _ loadable: [BootDevice]) -> CommandFailure {
        guard !loadable.isEmpty else { return several(gadgets) }
        let ports = gadgets.map { "\($0.path)  a board that wants its files" } + loadable.map(\.title)
        return CommandFailure(
            .badInput,
            "\(ports.count) boards are plugged in; choose one with --path or --serial",
            advice: ports.map { "  \($0)\n" }.joined() + "For example: --path \(loadable[0].path)"
        )
    }

    static func timeout(_ selector: DeviceSelector, seconds: Double) -> CommandFailure {
        CommandFailure(
            .timeout,
            "no board\(selector.phrase) appeared within \(seconds.formattedSeconds)",
            advice: "\(StandardError.programName) list shows the boards that are there."
        )
    }

    /// Why a gadget can't be opened or claimed.
    static func opening(_ gadget: Gadget, _ error: USBError) -> CommandFailure {
        switch error {
        case .accessDenied:
            permission(gadget)
        case .busy:
            CommandFailure(
                .busy,
                "another process serves the board at port \(gadget.path)",
                advice: "Find it with: fuser -v \(gadget.node)"
            )
        case .noDevice:
            CommandFailure(.deviceGone, "the board at port \(gadget.path) has just gone")
        default:
            CommandFailure(.failure, "can't open the board at port \(gadget.path): \(error)")
        }
    }
}

extension DeviceSelector {
    /// The description with a space before it, or nothing.
    var phrase: String { description.isEmpty ? "" : " " + description }
}

extension Double {
    /// Seconds for a sentence, such as "5 seconds" and "0.5 seconds".
    var formattedSeconds: String {
        self == rounded() && magnitude < 1e9 ? "\(Int(self)) second\(self == 1 ? "" : "s")" : "\(self) seconds"
    }
}
