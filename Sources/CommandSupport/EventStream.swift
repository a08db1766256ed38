internal import LinuxFiles

/// The events of `--json`: one object in a line each, as they happen; the keys "version" and "event" first.
public final class EventStream {
    private let isEnabled: Bool
    private let onStandardError: Bool
    private var nextProgress: ContinuousClock.Instant

    /// - Parameter onStandardError: where standard output is for something else.
    public init(isEnabled: Bool, onStandardError: Bool = false) {
        self.isEnabled = isEnabled
        self.onStandardError = onStandardError
        nextProgress = .now + .seconds(1)
    }

    public func send(_ event: String, _ members: [(key: String, value: JSONValue)]) {
        guard isEnabled else { return }
        let own: [(key: String, value: JSONValue)] = [("version", .integer(1)), ("event", .string(event))]
        let line = JSONValue.object(own + members).line + "\n"
        // Who reads wants it now, not when a buffer is full.
        var text = line
        text.withUTF8 { text in
            try? System.send(onStandardError ? 2 : 1, UnsafeRawBufferPointer(text))
        }
    }

    /// Sends the last event of work that failed.
    /// - Returns: what the command ends with.
    public func failure(_ failure: CommandFailure) -> CommandFailure {
        send("error", failure.members)
        return failure
    }

    /// At most one a second.
    public func sendProgress(_ members: () -> [(key: String, value: JSONValue)]) {
        guard isEnabled, ContinuousClock.now >= nextProgress else { return }
        nextProgress = .now + .seconds(1)
        send("progress", members())
    }
}
