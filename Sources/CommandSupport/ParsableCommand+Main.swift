public import ArgumentParser
internal import Glibc
internal import LinuxFiles

extension ParsableCommand {
    /// Parses the command line, runs the command, and exits with the code of its cause.
    ///
    /// A `CommandFailure` goes to standard error as "program: message" and its advice; all other errors, and `--help`,
    /// are the argument parser's business.
    public static func runAndExit() -> Never {
        // Neither a closed terminal nor a limit may end a process that owes a board an answer.
        System.ignoreBrokenPipes()
        System.ignoreFileSizeSignal()
        do {
            var command = try parseAsRoot()
            try command.run()
            try flushOutput()
            Glibc.exit(ExitCause.success.rawValue)
        } catch let failure as CommandFailure {
            StandardError.say(failure.message)
            if let advice = failure.advice { StandardError.write(advice + "\n") }
            Glibc.exit(failure.cause.rawValue)
        } catch {
            Self.exit(withError: error)
        }
    }

    /// What was printed may still wait in a buffer, and a full disk is only noticed then.
    private static func flushOutput() throws {
        guard fflush(nil) != 0 else { return }
        let error = Errno.last
        // Whoever closed the pipe, as `head` does, has what it wanted.
        if error == .EPIPE { Glibc.exit(ExitCause.failure.rawValue) }
        throw CommandFailure(.failure, "can't write the output: \(error.text)")
    }
}
