internal import Glibc

/// A USB device's directory in sysfs, which anybody may read.
package struct SysfsDevice {
    /// The port path, which is also the directory's name.
    package let path: String
    private let root = "/sys/bus/usb/devices"

    package init(path: String) {
        self.path = path
    }

    /// A text attribute without its newline, such as "manufacturer"; nil if the device has none.
    package func attribute(_ name: String) -> String? {
        let descriptor = open("\(root)/\(path)/\(name)", O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        // An attribute is one page at most; a USB string has at most 126 UTF-16 units.
        let text = String(unsafeUninitializedCapacity: 4096) { buffer in
            let count = max(0, read(descriptor, buffer.baseAddress, buffer.count))
            // The byte, not the Character: a device whose string ends in "\r" would make one of "\r\n".
            return count > 0 && buffer[count - 1] == UInt8(ascii: "\n") ? count - 1 : count
        }
        return text.isEmpty ? nil : text
    }

    /// Whether sysfs has the device; false if sysfs is not mounted.
    package var exists: Bool { access("\(root)/\(path)", F_OK) == 0 }

    /// The kernel driver bound to an interface of a configuration, such as "usb-storage"; nil if there is none.
    func driver(configuration: Int, interface: Int) -> String? {
        let link = "\(root)/\(path)/\(path):\(configuration).\(interface)/driver"
        let target = String(unsafeUninitializedCapacity: Int(PATH_MAX)) { buffer in
            buffer.withMemoryRebound(to: CChar.self) { buffer in
                guard let base = buffer.baseAddress else { return 0 }
                return max(0, readlink(link, base, buffer.count))
            }
        }
        return target.split(separator: "/").last.map(String.init)
    }
}
