internal import LinuxFiles

/// A descriptor that several fids and requests use; closed when the last of them lets go.
///
/// Another thread may let go at any moment (Tclunk, parking). Who uses `raw` keeps the object in a variable, and says
/// `defer { extendLifetime(...) }`: else it may end right after `raw` was read, and the number be another file's.
final class SharedDescriptor: Sendable {
    private let owned: OwnedDescriptor
    private let account: Budget.Account?

    /// - Parameter client: holds the descriptor while it is open.
    init(_ owned: consuming OwnedDescriptor, countedBy client: ClientDescriptors? = nil) {
        self.owned = owned
        account = client?.account
        account?.add(1)
    }

    deinit {
        account?.give(1)
    }

    var raw: CInt { owned.raw }
}
