/// The address of a machine, IPv4 or IPv6, without the port.
public struct HostAddress: Hashable, Sendable {
    /// 4 or 16 bytes, in network order; an IPv4-mapped IPv6 address is given as IPv4.
    private let bytes: [UInt8]

    /// An IPv4 or IPv6 address in network byte order.
    /// - Returns: nil unless there are 4 or 16 bytes.
    public init?(_ bytes: [UInt8]) {
        let mapped: [UInt8] = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff]
        switch bytes.count {
        case 4: self.bytes = bytes
        case 16: self.bytes = bytes.starts(with: mapped) ? Array(bytes[12...]) : bytes
        default: return nil
        }
    }

    /// Whether this is the machine itself: 127.0.0.0/8 or ::1.
    public var isLoopback: Bool {
        bytes.count == 4 ? bytes[0] == 127 : bytes == [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]
    }
}
