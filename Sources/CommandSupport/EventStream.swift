internal import Glibc
internal import LinuxFiles

/// The events of `--json`: one object in a line each, as they happen; the keys "version" and "event" first.
///
/// A reader that stops reading delays only the main thread: events are lost then, and an event "lost" with their number,
/// "count", takes their place when the reader goes on.
public final class EventStream {
    private let isEnabled: Bool
    private let onStandardError: Bool
    private var nextProgress: ContinuousClock.Instant

    private static let standardOutput = MessageQueue(STDOUT_FILENO) { lost in
        line("lost", [("count", .integer(lost))])
    }

    /// A stream of JSON lines, if the user asked for one.
    /// - Parameters:
    ///   - isEnabled: whether there was `--json`; else nothing is sent.
    ///   - onStandardError: where standard output is for something else.
    public init(isEnabled: Bool, onStandardError: Bool = false) {
        self.isEnabled = isEnabled
        self.onStandardError = onStandardError
        nextProgress = .now + .seconds(1)
    }

    /// Prints an event; does nothing without `--json`.
    /// - Parameters:
    ///   - event: its name, such as "found"; names and keys are stable.
    ///   - members: what else stands in the object, in this order.
    public func send(_ event: String, _ members: [(key: String, value: JSONValue)]) {
        guard isEnabled else { return }
        add(Self.line(event, members), StandardError.isMainThread ? .wait : .neverWait)
    }

    private static func line(_ event: String, _ members: [(key: String, value: JSONValue)]) -> String {
        let own: [(key: String, value: JSONValue)] = [("version", .integer(1)), ("event", .string(event))]
        return JSONValue.object(own + members).line + "\n"
    }

    private func add(_ line: String, _ manner: MessageQueue.Manner) {
        if onStandardError { StandardError.add(line, manner) } else { Self.standardOutput.add(line, manner) }
    }

    /// Sends the last event of work that failed.
    /// - Returns: what the command ends with.
    public func failure(_ failure: CommandFailure) -> CommandFailure {
        send("error", failure.members)
        return failure
    }

    /// Sends an event "progress": at most one a second, none in the first second, and none while the reader doesn't read.
    /// - Parameter members: called where one is sent.
    public func sendProgress(_ members: () -> [(key: String, value: JSONValue)]) {
        guard isEnabled, ContinuousClock.now >= nextProgress else { return }
        nextProgress = .now + .seconds(1)
        add(Self.line("progress", members()), .nowOrNever)
    }

    /// Waits, before the process ends, for the reader of standard output; not for long if it doesn't read.
    static func finish() { standardOutput.finish() }
}
