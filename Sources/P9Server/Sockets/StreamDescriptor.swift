internal import LinuxFiles

/// A connection's input, output, or both, if it is a socket; closed with the connection.
final class StreamDescriptor: Sendable {
    private let owned: OwnedDescriptor

    init(_ owned: consuming OwnedDescriptor) {
        self.owned = owned
    }

    /// Valid as long as the object is held.
    var raw: CInt { owned.raw }
}
