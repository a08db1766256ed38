/// A span of time that begins when it is first asked about.
struct Patience {
    private let span: Duration
    private var deadline: ContinuousClock.Instant?

    init(_ span: Duration) {
        self.span = span
    }

    /// - Parameter now: the time of the transport that is waited for.
    mutating func isOver(at now: ContinuousClock.Instant) -> Bool {
        guard let deadline else {
            deadline = now + span
            return false
        }
        return now >= deadline
    }
}
