public import CommandSupport

/// What went wrong with some of several files: as coreutils do, a command goes on with the others, and its exit code is the
/// worst at the end.
public final class PathFailures {
    /// The last failure, not reported yet: it ends the command, if no other follows.
    private var last: CommandFailure?
    private var worst = ExitCause.success

    /// No failure yet.
    public init() {}

    /// Does something with a file.
    /// - Throws: errors other than `CommandFailure`, such as wrong arguments.
    public func attempt(_ body: () throws -> Void) throws {
        do {
            try body()
        } catch let failure as CommandFailure {
            note(failure)
        }
    }

    /// Says a failure and remembers the worst exit code.
    public func note(_ failure: CommandFailure) {
        if failure.cause.rawValue > worst.rawValue { worst = failure.cause }
        // With -R a name that the board doesn't have is as wrong for every file.
        guard failure != last else { return }
        if let last { StandardError.tell(last) }
        last = failure
    }

    /// Ends the command if a file failed.
    /// - Throws: the last failure, with the worst code.
    public func finish() throws {
        if let failure { throw failure }
    }

    /// What `--json` adds to a document of the files that could be looked at.
    public var members: [(key: String, value: JSONValue)] {
        failure.map { [("error", .object($0.members))] } ?? []
    }

    private var failure: CommandFailure? {
        guard var last else { return nil }
        last.cause = worst
        return last
    }
}
