internal import LinuxFiles

/// A descriptor that several handles and requests use; closed when the last of them lets go.
final class SharedDescriptor: Sendable {
    private let owned: OwnedDescriptor
    private let account: Budget.Account?

    /// - Parameter client: holds the descriptor while it is open.
    init(_ owned: consuming OwnedDescriptor, countedBy client: ClientFiles? = nil) {
        self.owned = owned
        account = client?.descriptors
        account?.add(1)
    }

    deinit {
        account?.give(1)
    }

    /// Lends the number for system calls.
    ///
    /// Another thread may let go at any moment (a handle is closed, a node parked). The descriptor stays open until `body` has
    /// returned: the number can't become another file's.
    func use<Result: ~Copyable, Failure: Error>(
        _ body: (CInt) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        defer { extendLifetime(self) }
        return try body(owned.raw)
    }
}
