internal import CLinux
internal import Glibc

/// Sockets and pipes.
extension System {
    /// Reads what is there, waiting for the first byte.
    /// - Returns: bytes read; 0 at the end of the stream.
    ///
    /// The corresponding C function is `read`.
    public static func receive(_ descriptor: CInt, into buffer: UnsafeMutableRawBufferPointer) throws(Errno) -> Int {
        while true {
            do throws(Errno) {
                return try retrying { Glibc.read(descriptor, buffer.baseAddress, buffer.count) }
            } catch .EAGAIN {
                try waitUntilReady(descriptor, POLLIN)
            }
        }
    }

    /// Waits until a read would not block; end and failure of a stream count as well.
    /// - Returns: false if the time ran out.
    ///
    /// The corresponding C function is `poll`.
    public static func waitUntilReadable(_ descriptor: CInt, milliseconds: CInt) throws(Errno) -> Bool {
        var request = pollfd(fd: descriptor, events: CShort(POLLIN), revents: 0)
        return try retrying { poll(&request, 1, milliseconds) } > 0
    }

    /// Waits until a write of at most PIPE_BUF bytes would not block; a failure of the stream counts as well.
    /// - Returns: false if the time ran out.
    ///
    /// The corresponding C function is `poll`.
    public static func waitUntilWritable(_ descriptor: CInt, milliseconds: CInt) throws(Errno) -> Bool {
        var request = pollfd(fd: descriptor, events: CShort(POLLOUT), revents: 0)
        return try retrying { poll(&request, 1, milliseconds) } > 0
    }

    /// Writes all of a buffer.
    ///
    /// The corresponding C function is `write`.
    public static func send(_ descriptor: CInt, _ buffer: UnsafeRawBufferPointer) throws(Errno) {
        var rest = buffer
        while rest.count > 0 {
            do throws(Errno) {
                let sent = try retrying { Glibc.write(descriptor, rest.baseAddress, rest.count) }
                rest = UnsafeRawBufferPointer(rebasing: rest[sent...])
            } catch .EAGAIN {
                try waitUntilReady(descriptor, POLLOUT)
            }
        }
    }

    /// For a descriptor that somebody else has made non-blocking, and may still use that way.
    private static func waitUntilReady(_ descriptor: CInt, _ events: CInt) throws(Errno) {
        var request = pollfd(fd: descriptor, events: CShort(events), revents: 0)
        _ = try retrying { poll(&request, 1, -1) }
    }

    /// Makes a write to a closed pipe or socket `EPIPE` instead of the end of the process. Process-wide.
    public static func ignoreBrokenPipes() {
        _ = signal(SIGPIPE, SIG_IGN)
    }

    /// Makes a write beyond the limit of file sizes `EFBIG` instead of the end of the process. Process-wide.
    public static func ignoreFileSizeSignal() {
        _ = signal(SIGXFSZ, SIG_IGN)
    }

    /// The corresponding C function is `accept4`.
    public static func accept(_ listener: CInt) throws(Errno) -> OwnedDescriptor {
        OwnedDescriptor(owning: try retrying { clinux_accept4(listener, CInt(SOCK_CLOEXEC.rawValue)) })
    }

    /// Sends small replies without waiting for the peer's acknowledgement of earlier ones. Ignored on other streams than TCP.
    public static func setNoDelay(_ socket: CInt) {
        var yes: CInt = 1
        _ = setsockopt(socket, CInt(IPPROTO_TCP), TCP_NODELAY, &yes, socklen_t(MemoryLayout<CInt>.size))
    }

    /// Has the kernel find out whether the peer is still there while nothing is sent: one that was switched off says
    /// nothing. Ignored on other streams than TCP.
    /// - Parameters:
    ///   - idle: seconds of silence before the first probe, and between two probes.
    ///   - probes: how many unanswered ones end the connection. A peer that was started anew answers the first one with a
    ///     reset.
    ///
    /// The corresponding socket options are SO_KEEPALIVE, and TCP_KEEPIDLE, TCP_KEEPINTVL and TCP_KEEPCNT of `tcp(7)`.
    public static func setKeepAlive(_ socket: CInt, idle: CInt, probes: CInt) {
        let options: [(level: CInt, name: CInt, value: CInt)] = [
            (SOL_SOCKET, SO_KEEPALIVE, 1), (CInt(IPPROTO_TCP), TCP_KEEPIDLE, idle),
            (CInt(IPPROTO_TCP), TCP_KEEPINTVL, idle), (CInt(IPPROTO_TCP), TCP_KEEPCNT, probes),
        ]
        for var option in options {
            _ = setsockopt(socket, option.level, option.name, &option.value, socklen_t(MemoryLayout<CInt>.size))
        }
    }

    /// Whether a descriptor is a listening socket, a connected one, or none.
    public static func socketState(_ descriptor: CInt) -> SocketState {
        var isListening: CInt = 0
        var size = socklen_t(MemoryLayout<CInt>.size)
        guard getsockopt(descriptor, SOL_SOCKET, SO_ACCEPTCONN, &isListening, &size) == 0 else { return .none }
        return isListening != 0 ? .listening : .connected
    }

    /// What a descriptor is, as a socket.
    public enum SocketState: Sendable {
        case none
        case connected
        case listening
    }

    /// Ends the receiving half, or both halves, of a socket; a thread that waits on it wakes.
    ///
    /// The corresponding C function is `shutdown`.
    public static func shutDown(_ socket: CInt, receivingOnly: Bool) {
        _ = shutdown(socket, CInt(receivingOnly ? SHUT_RD : SHUT_RDWR))
    }

    /// Whether a descriptor number is open in this process.
    public static func isOpen(_ descriptor: CInt) -> Bool {
        fcntl(descriptor, F_GETFD) != -1
    }

    /// The corresponding C function is `isatty`.
    public static func isTerminal(_ descriptor: CInt) -> Bool {
        isatty(descriptor) == 1
    }
}
