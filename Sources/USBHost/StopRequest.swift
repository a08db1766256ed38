internal import Synchronization

/// Asks a link, from any thread, to stop when it has answered the current request.
///
/// One object belongs to one board's thread; it may be asked before the link runs.
public final class StopRequest: Sendable {
    /// Who is to be woken.
    private struct Waiting: @unchecked Sendable {  // EventSource.interrupt may be called from any thread
        var source: (any EventSource)?
    }

    private let requested = Atomic(false)
    private let waiting = Mutex(Waiting())

    /// Not requested yet.
    public init() {}

    /// Whether the link is to stop.
    public var isRequested: Bool { requested.load(ordering: .acquiring) }

    /// Returns at once; the link may need a moment.
    public func request() {
        requested.store(true, ordering: .releasing)
        waiting.withLock { waiting in
            // Sticky: a wait that begins after this call returns at once, so the wake-up can't be missed.
            waiting.source?.interrupt()
        }
    }

    /// Runs `body` with the source's waits interrupted by `request`.
    /// - Throws: what `body` throws.
    package func interrupting<Result: ~Copyable, Failure: Error>(
        _ source: some EventSource,
        _ body: () throws(Failure) -> Result
    ) throws(Failure) -> Result {
        let waiting = Waiting(source: source)
        self.waiting.withLock { $0 = waiting }
        defer { self.waiting.withLock { $0 = Waiting() } }
        return try body()
    }
}
