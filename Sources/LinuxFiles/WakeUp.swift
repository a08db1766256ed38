internal import CLinux
internal import Glibc

/// Ends the waits of other threads for a descriptor, once and for all.
///
/// For descriptors that `shutdown(2)` can't wake or must not touch: pipes, and sockets that another process listens on as well.
public final class WakeUp: Sendable {
    private let event: OwnedDescriptor

    /// Makes one that nobody has woken yet.
    /// - Throws: `EMFILE`, `ENFILE`, `ENOMEM`.
    ///
    /// The corresponding C function is `eventfd`.
    public init() throws(Errno) {
        event = OwnedDescriptor(owning: try retrying { clinux_eventfd() })
    }

    /// Sticky: a wait that begins later ends at once.
    public func wake() {
        var one: UInt64 = 1
        _ = write(event.raw, &one, MemoryLayout<UInt64>.size)
    }

    /// Waits until a read would not block; end and failure of a stream count as well.
    /// - Returns: false if it was woken.
    ///
    /// The corresponding C function is `poll`.
    public func waitUntilReadable(_ descriptor: CInt) -> Bool {
        var requests = [
            pollfd(fd: event.raw, events: CShort(POLLIN), revents: 0),
            pollfd(fd: descriptor, events: CShort(POLLIN), revents: 0),
        ]
        while true {
            guard (try? retrying { poll(&requests, 2, -1) }) != nil else { return false }
            if requests[0].revents != 0 { return false }
            if requests[1].revents != 0 { return true }
        }
    }
}
