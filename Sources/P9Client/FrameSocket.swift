internal import Glibc
public import LinuxFiles

/// A stream socket that carries whole 9P messages: TCP, Unix, or any other that is already connected.
///
/// Blocking, for one thread at a time in each direction. Closed when its owner goes away.
public struct FrameSocket: ~Copyable, Sendable {
    private let descriptor: OwnedDescriptor

    /// Takes over a connected stream socket.
    public init(owning descriptor: consuming OwnedDescriptor) {
        self.descriptor = descriptor
    }

    /// How long a connection attempt may take, in seconds per address.
    private static let connectTimeout = 10

    /// Connects to a TCP port; tries all addresses of the host. The corresponding C functions are `getaddrinfo` and
    /// `connect`.
    /// - Parameter port: 1...65535, or the name of a service.
    /// - Throws: `FrameSocketError.unknownHost`, or `.system` with the last address's error, such as ECONNREFUSED.
    public static func connect(tcp host: String, port: String) throws(FrameSocketError) -> FrameSocket {
        var hints = addrinfo()
        hints.ai_socktype = CInt(SOCK_STREAM.rawValue)
        hints.ai_flags = AI_ADDRCONFIG
        var list: UnsafeMutablePointer<addrinfo>?
        let code = getaddrinfo(host, port, &hints, &list)
        guard code == 0, let list else { throw .unknownHost(String(cString: gai_strerror(code))) }
        defer { freeaddrinfo(list) }

        var failure = Errno(rawValue: EADDRNOTAVAIL)
        var next: UnsafeMutablePointer<addrinfo>? = list
        while let address = next {
            next = address.pointee.ai_next
            do throws(Errno) {
                let descriptor = try connect(
                    family: address.pointee.ai_family,
                    address.pointee.ai_addr,
                    address.pointee.ai_addrlen
                )
                // A request and its reply take turns: waiting for more to send only adds to the round trip.
                var on: CInt = 1
                _ = setsockopt(descriptor.raw, CInt(IPPROTO_TCP), TCP_NODELAY, &on, socklen_t(MemoryLayout<CInt>.size))
                return FrameSocket(owning: descriptor)
            } catch {
                failure = error
            }
        }
        throw .system(failure)
    }

    /// Connects to a Unix socket. The corresponding C function is `connect`.
    /// - Throws: `FrameSocketError.pathTooLong`, or `.system`, such as with ENOENT.
    public static func connect(unix path: String) throws(FrameSocketError) -> FrameSocket {
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        let fits = withUnsafeMutableBytes(of: &address.sun_path) { room in
            guard path.utf8.count < room.count else { return false }
            room.copyBytes(from: path.utf8)
            return true
        }
        guard fits else { throw .pathTooLong }
        do throws(Errno) {
            let descriptor = try withUnsafePointer(to: &address) { pointer throws(Errno) in
                try pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { pointer throws(Errno) in
                    try connect(family: AF_UNIX, pointer, socklen_t(MemoryLayout<sockaddr_un>.size))
                }
            }
            return FrameSocket(owning: descriptor)
        } catch {
            throw .system(error)
        }
    }

    private static func connect(
        family: CInt,
        _ address: UnsafePointer<sockaddr>,
        _ length: socklen_t
    ) throws(Errno) -> OwnedDescriptor {
        let raw = socket(family, CInt(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        guard raw >= 0 else { throw .last }
        let descriptor = OwnedDescriptor(owning: raw)
        // On Linux the send timeout bounds connect as well (socket(7)); EINPROGRESS says that it is over.
        setTimeout(raw, SO_SNDTIMEO, milliseconds: connectTimeout * 1000)
        guard Glibc.connect(raw, address, length) == 0 else {
            let error = Errno.last
            throw error.rawValue == EINPROGRESS ? .ETIMEDOUT : error
        }
        setTimeout(raw, SO_SNDTIMEO, milliseconds: 0)
        return descriptor
    }

    /// Lets `receive` and `send` fail with `timedOut` when nothing moves for so long; 0 waits for ever.
    public func setTimeout(milliseconds: Int) {
        Self.setTimeout(descriptor.raw, SO_RCVTIMEO, milliseconds: milliseconds)
        Self.setTimeout(descriptor.raw, SO_SNDTIMEO, milliseconds: milliseconds)
    }

    private static func setTimeout(_ socket: CInt, _ option: CInt, milliseconds: Int) {
        var time = timeval(tv_sec: milliseconds / 1000, tv_usec: milliseconds % 1000 * 1000)
        _ = setsockopt(socket, SOL_SOCKET, option, &time, socklen_t(MemoryLayout<timeval>.size))
    }

    /// Whether something (a message's beginning, or the connection's end) can be received within a time. The
    /// corresponding C function is `poll`.
    public func isReadable(withinMilliseconds milliseconds: Int) -> Bool {
        var entry = pollfd(fd: descriptor.raw, events: Int16(POLLIN), revents: 0)
        return poll(&entry, 1, CInt(clamping: milliseconds)) > 0
    }

    /// Sends one message. The corresponding C function is `send`.
    public func send(_ frame: RawSpan) throws(FrameSocketError) {
        let error = frame.withUnsafeBytes { bytes -> Errno? in
            var rest = bytes[...]
            while !rest.isEmpty {
                let part = UnsafeRawBufferPointer(rebasing: rest)
                // The error is wanted, and not a SIGPIPE, if the other side has gone.
                let count = Glibc.send(descriptor.raw, part.baseAddress, part.count, CInt(MSG_NOSIGNAL))
                if count < 0 {
                    if Errno.last == .EINTR { continue }
                    return .last
                }
                rest = rest.dropFirst(count)
            }
            return nil
        }
        if error == .EAGAIN { throw .timedOut }
        if let error { throw error == .EPIPE || error == .ECONNRESET ? .closed : .system(error) }
    }

    /// Receives one whole message. The corresponding C function is `recv`.
    /// - Parameter frame: room for the largest message that is expected, 7 bytes or more.
    /// - Returns: the message's size in bytes, 7 or more.
    public func receive(into frame: UnsafeMutableRawBufferPointer) throws(FrameSocketError) -> Int {
        let headerSize = 7
        guard frame.count >= headerSize else { throw .badSize(frame.count) }
        try receiveAll(UnsafeMutableRawBufferPointer(rebasing: frame[..<headerSize]))
        let size = Int(UInt32(littleEndian: frame.loadUnaligned(as: UInt32.self)))
        guard size >= headerSize, size <= frame.count else { throw .badSize(size) }
        try receiveAll(UnsafeMutableRawBufferPointer(rebasing: frame[headerSize..<size]))
        return size
    }

    private func receiveAll(_ buffer: UnsafeMutableRawBufferPointer) throws(FrameSocketError) {
        var filled = 0
        while filled < buffer.count {
            let rest = UnsafeMutableRawBufferPointer(rebasing: buffer[filled...])
            let count = recv(descriptor.raw, rest.baseAddress, rest.count, CInt(MSG_WAITALL))
            if count == 0 { throw .closed }
            if count < 0 {
                switch Errno.last {
                case .EINTR: continue
                case .EAGAIN: throw .timedOut
                case .ECONNRESET: throw .closed
                case let error: throw .system(error)
                }
            }
            filled += count
        }
    }
}
