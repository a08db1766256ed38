internal import Glibc

/// The address of a machine, IPv4 or IPv6, without the port.
public struct HostAddress: Hashable, Sendable {
    /// 4 or 16 bytes, in network order; an IPv4-mapped IPv6 address is given as IPv4.
    private let bytes: [UInt8]

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

extension System {
    /// Who is at the other end of a TCP connection; nil for any other socket.
    ///
    /// The corresponding C function is `getpeername`.
    public static func peer(of socket: CInt) -> HostAddress? {
        var storage = sockaddr_storage()
        var size = socklen_t(MemoryLayout<sockaddr_storage>.size)
        return withUnsafeMutableBytes(of: &storage) { bytes -> HostAddress? in
            guard let base = bytes.baseAddress,
                getpeername(socket, base.assumingMemoryBound(to: sockaddr.self), &size) == 0
            else { return nil }
            let family = CInt(bytes.load(as: sa_family_t.self))
            // sin_addr and sin6_addr.
            switch family {
            case AF_INET: return HostAddress(Array(bytes[4..<8]))
            case AF_INET6: return HostAddress(Array(bytes[8..<24]))
            default: return nil
            }
        }
    }
}
