internal import LinuxFiles

/// What a tree says while it is opened. If that fails, the last of it is the reason, and says more than the errno.
public final class OpeningMessages: Sendable {
    /// Nil once the tree is open: from then on lines are to be seen at once.
    private let waiting = Monitor<[String]?>([])

    /// Nothing has been said yet.
    public init() {}

    /// Takes a line, for `FakeRootTree`'s `warn`.
    public func say(_ line: String) {
        let isNow = waiting.update { waiting in
            waiting?.append(line)
            return waiting == nil
        }
        if isNow { StandardError.say(line) }
    }

    /// The tree is open: prints what was said.
    public func finish() {
        for line in take() { StandardError.say(line) }
    }

    /// The tree can't be opened: prints all lines except the last one, which is the reason.
    /// - Returns: the failure with that reason; nil if nothing was said.
    public func failure(_ cause: ExitCause) -> CommandFailure? {
        let lines = take()
        for line in lines.dropLast() { StandardError.say(line) }
        guard let last = lines.last else { return nil }
        let parts = last.split(separator: "\n", maxSplits: 1).map(String.init)
        return CommandFailure(cause, parts.first ?? last, advice: parts.count > 1 ? parts[1] : nil)
    }

    private func take() -> [String] {
        waiting.update { waiting in
            defer { waiting = nil }
            return waiting ?? []
        }
    }
}
