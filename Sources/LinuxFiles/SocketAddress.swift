public import Glibc

/// What a socket is bound or connected to: a port of an IPv4 or IPv6 address, or a Unix socket's path.
///
/// The corresponding C type is `sockaddr_storage`.
public struct SocketAddress: Hashable, Sendable {
    private let bytes: [UInt8]

    /// `sin_port` and `sin6_port` are at the same place, in network order.
    private static let portOffset = 2

    /// Copies an address, such as one that `getaddrinfo` gives.
    public init(_ address: UnsafePointer<sockaddr>, size: socklen_t) {
        bytes = Array(UnsafeRawBufferPointer(start: address, count: Int(size)))
    }

    /// The address of a Unix socket.
    /// - Throws: `ENAMETOOLONG` for a path beyond 107 bytes.
    public init(unix path: String) throws(Errno) {
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        let fits = withUnsafeMutableBytes(of: &address.sun_path) { room in
            guard path.utf8.count < room.count else { return false }
            room.copyBytes(from: path.utf8)
            return true
        }
        guard fits else { throw .ENAMETOOLONG }
        bytes = withUnsafeBytes(of: &address) { Array($0) }
    }

    /// `AF_INET`, `AF_INET6` or `AF_UNIX`.
    public var family: CInt { CInt(bytes.withUnsafeBytes { $0.loadUnaligned(as: sa_family_t.self) }) }

    /// The machine; nil for a Unix socket.
    public var host: HostAddress? {
        // sin_addr and sin6_addr.
        switch family {
        case AF_INET: HostAddress(Array(bytes[4..<8]))
        case AF_INET6: HostAddress(Array(bytes[8..<24]))
        default: nil
        }
    }

    /// Nil for a Unix socket.
    public var port: UInt16? {
        guard family == AF_INET || family == AF_INET6 else { return nil }
        return bytes.withUnsafeBytes {
            UInt16(bigEndian: $0.loadUnaligned(fromByteOffset: Self.portOffset, as: UInt16.self))
        }
    }

    /// The same machine with another port.
    public func with(port: UInt16) -> SocketAddress {
        var bytes = bytes
        bytes.withUnsafeMutableBytes {
            $0.storeBytes(of: port.bigEndian, toByteOffset: Self.portOffset, as: UInt16.self)
        }
        return SocketAddress(bytes)
    }

    private init(_ bytes: [UInt8]) { self.bytes = bytes }

    /// The machine as digits; nil for a Unix socket. The corresponding C function is `getnameinfo`.
    public var hostText: String? {
        var name = [CChar](repeating: 0, count: Int(NI_MAXHOST))
        let code = withUnsafePointer { address, size in
            getnameinfo(address, size, &name, socklen_t(name.count), nil, 0, NI_NUMERICHOST)
        }
        guard family != AF_UNIX, code == 0 else { return nil }
        return String(decoding: name.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    /// Lends it to a system call.
    /// - Throws: what `body` throws.
    public func withUnsafePointer<Result: ~Copyable, Failure: Error>(
        _ body: (UnsafePointer<sockaddr>, socklen_t) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        var storage = sockaddr_storage()
        return try withUnsafeMutableBytes(of: &storage) { (storage) throws(Failure) in
            storage.copyBytes(from: bytes)
            guard let base = storage.baseAddress else { preconditionFailure("a sockaddr_storage has bytes") }
            return try body(base.assumingMemoryBound(to: sockaddr.self), socklen_t(bytes.count))
        }
    }

    /// What a socket is bound to. The corresponding C function is `getsockname`.
    public init?(of socket: CInt) {
        self.init { getsockname(socket, $0, $1) }
    }

    /// Who is at the other end of a connection. The corresponding C function is `getpeername`.
    public init?(peerOf socket: CInt) {
        self.init { getpeername(socket, $0, $1) }
    }

    private init?(_ ask: (UnsafeMutablePointer<sockaddr>, UnsafeMutablePointer<socklen_t>) -> CInt) {
        var storage = sockaddr_storage()
        var size = socklen_t(MemoryLayout<sockaddr_storage>.size)
        let bytes = withUnsafeMutableBytes(of: &storage) { storage -> [UInt8]? in
            guard let base = storage.baseAddress, ask(base.assumingMemoryBound(to: sockaddr.self), &size) == 0,
                size >= MemoryLayout<sa_family_t>.size
            else { return nil }
            return Array(storage.prefix(Int(size)))
        }
        guard let bytes else { return nil }
        self.bytes = bytes
    }
}
