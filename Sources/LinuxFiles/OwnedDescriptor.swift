internal import Glibc

/// A file descriptor that is closed when its owner goes away.
///
/// System calls take the borrowed `raw` number; nobody closes it but this type.
public struct OwnedDescriptor: ~Copyable, Sendable {
    public let raw: CInt

    /// Takes over an open descriptor.
    public init(owning raw: CInt) {
        self.raw = raw
    }

    deinit {
        // EINTR included: Linux has freed the number by then, and a second close could hit somebody else's.
        _ = close(raw)
    }

    /// Gives the descriptor away without closing it.
    public consuming func release() -> CInt {
        let raw = self.raw
        discard self
        return raw
    }
}
