internal import LinuxFiles

/// The line of a terminal that stands below all messages, such as how far some work has come.
///
/// Messages are written in its place, and it comes again below them.
final class StandingLine: Sendable {
    private let queue: MessageQueue
    /// Empty if none stands.
    private let line = Monitor("")

    /// Back to the line's beginning; what is there is erased.
    private static let erase = "\r\u{1b}[K"

    init(_ queue: MessageQueue) {
        self.queue = queue
    }

    /// - Parameter text: shorter than the terminal is wide, without an end; takes the place of the one before. Left out
    ///   where the terminal is blocked.
    func stand(_ text: String) {
        line.updateQuietly { line in
            line = text
            queue.add(Self.erase + text, .nowOrNever)
        }
    }

    func removeStandingLine() {
        line.updateQuietly { line in
            guard !line.isEmpty else { return }
            line = ""
            queue.add(Self.erase, .neverWait)
        }
    }

    /// Adds whole lines of text.
    func add(_ text: String, _ manner: MessageQueue.Manner) {
        // Under the lock, so that no line comes again that was just removed; a wait is for afterwards.
        let isAdded = line.updateQuietly { line in
            guard !line.isEmpty else { return false }
            queue.add(Self.erase + text + line, .neverWait)
            return true
        }
        if !isAdded {
            queue.add(text, manner)
        } else if case .wait = manner {
            queue.add("", .wait)
        }
    }
}
