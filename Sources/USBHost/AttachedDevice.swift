internal import Glibc

/// A device on a USB port.
public protocol AttachedDevice {
    /// The bus number, such as 2.
    var bus: Int { get }
    /// The device's number on its bus; a new one at every enumeration.
    var address: Int { get }
    /// The port, as the kernel names it, such as "2-1.1.2".
    var path: String { get }
}

extension AttachedDevice {
    /// The device node, such as "/dev/bus/usb/002/067".
    public var node: String { "/dev/bus/usb/\(threeDigits(bus))/\(threeDigits(address))" }

    /// Whether this user may open the device node.
    package var canBeOpened: Bool { access(node, R_OK | W_OK) == 0 }

    /// Whether udev may still be busy with the device: its node is yet to come, or a few seconds old.
    public var hasYoungNode: Bool {
        var status = stat()
        guard lstat(node, &status) == 0 else { return true }
        // Which of the two is younger doesn't matter: udev's own change of the permissions counts as well.
        return (-10...10).contains(time(nil) - status.st_ctim.tv_sec)
    }

    private func threeDigits(_ value: Int) -> String {
        let digits = String(value)
        return String(repeating: "0", count: max(0, 3 - digits.count)) + digits
    }
}
