internal import Synchronization

/// Asks an import, from any thread, to stop and to remove what it made so far.
public final class Cancellation: Sendable {
    private let requested = Atomic(false)

    /// Not requested yet.
    public init() {}

    /// Whether the work is to end.
    public var isRequested: Bool { requested.load(ordering: .relaxed) }

    /// Returns at once; the import ends with `ImageError.Code.cancelled` within half a second, and the time it takes
    /// to remove the files.
    public func request() {
        requested.store(true, ordering: .relaxed)
    }

    /// How long a thread may sleep before it looks at `isRequested` again, in milliseconds.
    package static let pollInterval: CInt = 200
}
