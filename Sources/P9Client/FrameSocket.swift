internal import Glibc
public import LinuxFiles

/// A stream socket that carries whole 9P messages: TCP, Unix, or any other that is already connected.
///
/// For one thread at a time in each direction. It blocks, except in the methods that take a `Lookout`. Closed when its owner
/// goes away.
public struct FrameSocket: ~Copyable, Sendable {
    let descriptor: OwnedDescriptor

    /// Takes over a connected stream socket.
    public init(owning descriptor: consuming OwnedDescriptor) {
        self.descriptor = descriptor
    }

    /// Lets `receive` and `send` end with `timedOut` when nothing moves for this long; 0 waits for ever.
    public func setTimeout(milliseconds: Int) {
        var time = timeval(tv_sec: milliseconds / 1000, tv_usec: milliseconds % 1000 * 1000)
        for option in [SO_RCVTIMEO, SO_SNDTIMEO] {
            _ = setsockopt(descriptor.raw, SOL_SOCKET, option, &time, socklen_t(MemoryLayout<timeval>.size))
        }
    }

    /// Whether something (a message's beginning, or the connection's end) can be received within a time. The
    /// corresponding C function is `poll`.
    public func isReadable(withinMilliseconds milliseconds: Int) -> Bool {
        var entry = pollfd(fd: descriptor.raw, events: Int16(POLLIN), revents: 0)
        return poll(&entry, 1, CInt(clamping: milliseconds)) > 0
    }

    /// Sends one message. The corresponding C function is `send`.
    /// - Throws: `.closed`, `.timedOut` after `setTimeout`, else `.system` with the errno.
    public func send(_ frame: RawSpan) throws(FrameSocketError) {
        try send(frame, flags: 0) { (_) throws(FrameSocketError) in throw .timedOut }
    }

    /// Receives one whole message. The corresponding C function is `recv`.
    /// - Parameter frame: room for the largest message that is expected, 7 bytes or more.
    /// - Returns: the message's size in bytes, 7 or more.
    /// - Throws: `.closed`, `.timedOut` after `setTimeout`, `.badSize` for a message that doesn't fit, else `.system`
    ///   with the errno.
    public func receive(into frame: UnsafeMutableRawBufferPointer) throws(FrameSocketError) -> Int {
        try receive(into: frame, flags: CInt(MSG_WAITALL)) { (_) throws(FrameSocketError) in throw .timedOut }
    }

    /// - Parameter onBlock: called when no byte can move; the parameter is how many have.
    func send(
        _ frame: RawSpan,
        flags: CInt,
        onBlock: (Int) throws(FrameSocketError) -> Void
    ) throws(FrameSocketError) {
        var sent = 0
        while sent < frame.byteCount {
            // If the other side has gone this gives an error instead of a SIGPIPE.
            let count = frame.extracting(droppingFirst: sent).withUnsafeBytes {
                Glibc.send(descriptor.raw, $0.baseAddress, $0.count, flags | CInt(MSG_NOSIGNAL))
            }
            if count < 0 { try handle(.last) { () throws(FrameSocketError) in try onBlock(sent) } }
            sent += max(count, 0)
        }
    }

    /// - Parameter onBlock: called when no byte can move; the parameter is how many have.
    func receive(
        into frame: UnsafeMutableRawBufferPointer,
        flags: CInt,
        onBlock: (Int) throws(FrameSocketError) -> Void
    ) throws(FrameSocketError) -> Int {
        let headerSize = 7
        guard frame.count >= headerSize else { throw .badSize(frame.count) }
        var filled = 0
        func fill(to end: Int) throws(FrameSocketError) {
            while filled < end {
                let rest = UnsafeMutableRawBufferPointer(rebasing: frame[filled..<end])
                let count = recv(descriptor.raw, rest.baseAddress, rest.count, flags)
                if count == 0 { throw .closed }
                if count < 0 { try handle(.last) { () throws(FrameSocketError) in try onBlock(filled) } }
                filled += max(count, 0)
            }
        }
        try fill(to: headerSize)
        let size = Int(UInt32(littleEndian: frame.loadUnaligned(as: UInt32.self)))
        guard size >= headerSize, size <= frame.count else { throw .badSize(size) }
        try fill(to: size)
        return size
    }

    private func handle(
        _ error: Errno,
        onBlock: () throws(FrameSocketError) -> Void
    ) throws(FrameSocketError) {
        switch error {
        case .EINTR: break
        case .EAGAIN: try onBlock()
        case .EPIPE, .ECONNRESET: throw .closed
        default: throw .system(error)
        }
    }
}
