public import JSONText

/// The error that ends a command: what happened and on what, and what the user can do next.
public struct CommandFailure: Error, Hashable, Sendable {
    /// Decides the exit code.
    public var cause: ExitCause
    /// One sentence without the program's name and without a full stop, such as
    /// "no permission to open /dev/bus/usb/002/067".
    public var message: String
    /// What to do next, in whole lines; nil where there is nothing to say.
    public var advice: String?

    /// A failure that ends the command with this exit code.
    /// - Parameter advice: what to do next.
    public init(_ cause: ExitCause, _ message: String, advice: String? = nil) {
        self.cause = cause
        self.message = message
        self.advice = advice
    }
}

extension CommandFailure {
    /// What `--json` says of it, as an event or as the object `error` of a document. The keys are stable.
    public var members: [(key: String, value: JSONValue)] {
        [("exit_code", .integer(cause.rawValue)), ("message", .string(message)), ("hint", JSONValue(advice))]
    }

    /// Runs a command whose `--json` prints one document; for a failure that has only the object `error`.
    /// - Parameters:
    ///   - isWanted: whether there was `--json`.
    ///   - version: as of `JSONValue.printDocument`.
    /// - Throws: what `body` throws.
    public static func documented<Result>(
        _ isWanted: Bool,
        version: Int = 1,
        _ body: () throws -> Result
    ) throws -> Result {
        do {
            return try body()
        } catch let failure as CommandFailure where isWanted {
            JSONValue.printDocument(version: version, [("error", .object(failure.members))])
            throw failure
        }
    }
}
