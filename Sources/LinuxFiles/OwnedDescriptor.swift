internal import Glibc

/// A file descriptor that is closed when its owner goes away.
///
/// System calls take the borrowed `raw` number; only this type closes it.
public struct OwnedDescriptor: ~Copyable, Sendable {
    /// The number, for system calls.
    ///
    /// Keep the descriptor in a variable: in `use(try open(...).raw)` its last use is `raw`, so it is closed before `use` is
    /// called.
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
