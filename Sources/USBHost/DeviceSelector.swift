/// Which device is meant, where a machine may have several: every part that is given must match.
public struct DeviceSelector: Hashable, Sendable {
    /// The port, such as "2-1.1.2".
    public var path: String?
    /// The serial number string.
    public var serial: String?
    /// Vendor and product id.
    public var id: DeviceID?

    /// Selects the devices that have all of these; without any, all devices.
    public init(path: String? = nil, serial: String? = nil, id: DeviceID? = nil) {
        self.path = path
        self.serial = serial
        self.id = id
    }
}

extension DeviceSelector: CustomStringConvertible {
    /// For messages: "at port 2-1.1.2 with serial number 123", or "" if any gadget is meant.
    public var description: String {
        var parts: [String] = []
        if let path { parts.append("at port \(path)") }
        if let serial { parts.append("with serial number \(serial)") }
        if let id { parts.append("with id \(id)") }
        return parts.joined(separator: " ")
    }
}
