internal import Glibc
internal import LinuxFiles

/// Making connections.
extension FrameSocket {
    /// How long a connection attempt may take, in seconds per address.
    private static let connectTimeout = 10
    /// A host that lost its power says nothing. It is asked after this many seconds of silence, and the connection ends after
    /// this many unanswered questions: ten minutes, as in the server, so that a cable may be out for a while.
    private static let keepAliveSeconds: CInt = 30
    private static let keepAliveProbes: CInt = 20

    /// Connects to a TCP port; tries all addresses of the host. The corresponding C functions are `getaddrinfo` and
    /// `connect`.
    /// - Parameters:
    ///   - port: 1...65535, or the name of a service.
    ///   - milliseconds: how often to look out while it waits for the resolver or the host.
    /// - Throws: `FrameSocketError.unknownHost`, `.system` with the last address's error, such as ECONNREFUSED, or
    ///   ETIMEDOUT after 10 seconds; and what `lookout` throws.
    public static func connect(
        tcp host: String,
        port: String,
        lookingEvery milliseconds: Int = 250,
        _ lookout: Lookout = { (_) throws(FrameSocketError) in }
    ) throws(FrameSocketError) -> FrameSocket {
        let addresses = try HostAddresses(of: host, port: port, lookingEvery: milliseconds, lookout)
        return try addresses.firstSuccess { address throws(FrameSocketError) in
            let descriptor = try connect(
                family: address.ai_family,
                address.ai_addr,
                address.ai_addrlen,
                Pace(milliseconds),
                lookout
            )
            // A request and its reply take turns: waiting for more to send only adds to the round trip.
            System.setNoDelay(descriptor.raw)
            System.setKeepAlive(descriptor.raw, idle: keepAliveSeconds, probes: keepAliveProbes)
            return FrameSocket(owning: descriptor)
        }
    }

    /// Connects to a Unix socket. The corresponding C function is `connect`.
    /// - Parameter milliseconds: how often to look out while the server takes no connections.
    /// - Throws: `FrameSocketError.pathTooLong`, or `.system`, such as with ENOENT, or ETIMEDOUT after 10 seconds; and what
    ///   `lookout` throws.
    public static func connect(
        unix path: String,
        lookingEvery milliseconds: Int = 250,
        _ lookout: Lookout = { (_) throws(FrameSocketError) in }
    ) throws(FrameSocketError) -> FrameSocket {
        let address: SocketAddress
        do throws(Errno) {
            address = try SocketAddress(unix: path)
        } catch {
            throw .pathTooLong
        }
        let descriptor = try address.withUnsafePointer { (pointer, size) throws(FrameSocketError) in
            try connect(family: AF_UNIX, pointer, size, Pace(milliseconds), lookout)
        }
        return FrameSocket(owning: descriptor)
    }

    private static func connect(
        family: CInt,
        _ address: UnsafePointer<sockaddr>,
        _ length: socklen_t,
        _ initialPace: Pace,
        _ lookout: Lookout
    ) throws(FrameSocketError) -> OwnedDescriptor {
        let raw = socket(family, CInt(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue), 0)
        guard raw >= 0 else { throw .system(.last) }
        let descriptor = OwnedDescriptor(owning: raw)
        var pace = initialPace
        let deadline = ContinuousClock.now + .seconds(connectTimeout)
        func look(_ wait: Wait) throws(FrameSocketError) {
            try lookout(wait)
            if ContinuousClock.now >= deadline { throw .system(.ETIMEDOUT) }
        }
        while Glibc.connect(raw, address, length) != 0 {
            switch Errno.last {
            case .EAGAIN:
                // A Unix socket whose queue of connections is full; poll(2) can't wait for that.
                usleep(UInt32(min(try pace.look(look), 50)) * 1000)
                continue
            case Errno(rawValue: EINPROGRESS):
                try pace.wait(for: POLLOUT, on: raw, isMidMessage: false, look)
                try throwError(of: raw)
            case .EINTR: continue
            case let error: throw .system(error)
            }
            break
        }
        _ = fcntl(raw, F_SETFL, fcntl(raw, F_GETFL) & ~O_NONBLOCK)
        return descriptor
    }

    /// The outcome of a connection attempt that took its time.
    private static func throwError(of socket: CInt) throws(FrameSocketError) {
        var error: CInt = 0
        var size = socklen_t(MemoryLayout<CInt>.size)
        guard getsockopt(socket, SOL_SOCKET, SO_ERROR, &error, &size) == 0 else { throw .system(.last) }
        if error != 0 { throw .system(Errno(rawValue: error)) }
    }
}
