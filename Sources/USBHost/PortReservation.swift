internal import LinuxFiles

/// Keeps a USB port for one of several processes that would take any board, from one stage of a board to the next: each stage
/// enumerates anew, and between two of them nobody has the device open.
///
/// Advisory: only processes that reserve ports themselves look at it. It is a lock on the port's directory in sysfs, which
/// anybody may open and which stays while devices come and go; the kernel drops the lock when the process ends in any way.
public final class PortReservation: Sendable {
    /// The port, such as "2-1.1.2".
    public let port: String
    /// Nil where sysfs does not have the port: then others can't be kept away.
    private let directory: OwnedDescriptor?

    /// Reserves a port until the object goes away.
    /// - Returns: nil if another process has reserved it, or another object of this one.
    ///
    /// The corresponding C function is `flock`.
    public init?(port: String) {
        self.port = port
        guard let directory = Self.open(port) else {
            self.directory = nil
            return
        }
        // A file system without locks counts as one that does not know the port.
        guard (try? System.tryLock(directory.raw)) ?? true else { return nil }
        self.directory = consume directory
    }

    /// Whether the lock is on the port as it is now: a hub that was unplugged comes back with new ones.
    public var isHeld: Bool {
        switch directory {
        case .some(let directory):
            guard let now = Self.open(port), let current = try? System.status(of: now.raw),
                let held = try? System.status(of: directory.raw)
            else { return false }
            return (held.device, held.inode) == (current.device, current.inode)
        case .none:
            return false
        }
    }

    private static func open(_ port: String) -> OwnedDescriptor? {
        guard let path = directory(of: port) else { return nil }
        return try? System.open(path, [.readOnly, .directory])
    }

    /// The port's directory, a subdirectory of its hub's: "1-0:1.0/usb1-port2" of port "1-2", "1-2:1.0/1-2-port4" of
    /// "1-2.4". Source: `usb_hub_create_port_device` in the kernel's `drivers/usb/core/port.c`.
    /// - Returns: nil for anything but a port, such as a root hub.
    static func directory(of port: String) -> String? {
        guard let end = port.lastIndex(where: { $0 == "." || $0 == "-" }) else { return nil }
        let (hub, number) = (port[..<end], port[port.index(after: end)...])
        let isOnRootHub = port[end] == "-"
        return "/sys/bus/usb/devices/"
            + (isOnRootHub ? "\(hub)-0:1.0/usb\(hub)-port\(number)" : "\(hub):1.0/\(hub)-port\(number)")
    }
}
