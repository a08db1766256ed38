public import ArgumentParser
internal import Glibc
internal import LinuxFiles

extension ParsableCommand {
    /// Parses the command line, runs the command, and exits with the code of its cause.
    ///
    /// A `CommandFailure` goes to standard error as "program: message" and its advice, and so does what the argument parser
    /// finds wrong; `--help` is its own business.
    public static func runAndExit() -> Never {
        StandardError.noteMainThread()
        // Neither a closed terminal nor a limit may end a process that owes a board an answer.
        System.ignoreBrokenPipes()
        System.ignoreFileSizeSignal()
        do {
            try refuseBytes()
            try refuseUnknownCommand()
            var command = try parseAsRoot()
            try command.run()
            try flushOutput()
            ProcessEnd.exit(ExitCause.success.rawValue)
        } catch let failure as CommandFailure {
            StandardError.tell(failure)
            ProcessEnd.exit(failure.cause.rawValue)
        } catch {
            let text = Self.fullMessage(for: error)
            let mark = "Error: "
            guard text.hasPrefix(mark) else {
                ProcessEnd.sayAll()
                Self.exit(withError: error)
            }
            StandardError.say(String(text.dropFirst(mark.count)))
            ProcessEnd.exit(Self.exitCode(for: error).rawValue)
        }
    }

    /// Swift replaces the bytes of an argument that are not UTF-8, so that it would name another file.
    private static func refuseBytes() throws {
        for index in 1..<max(1, Int(CommandLine.argc)) {
            guard let argument = CommandLine.unsafeArgv[index], String(validatingCString: argument) == nil else {
                continue
            }
            let text = UnsafeRawBufferPointer(start: argument, count: strlen(argument))
                .map { byte in
                    let digits = String(byte, radix: 16)
                    return 0x20..<0x7f ~= byte
                        ? String(UnicodeScalar(byte)) : "\\x" + (digits.count < 2 ? "0" : "") + digits
                }
                .joined()
            throw CommandFailure(
                .badInput,
                "the argument '\(text)' is not UTF-8",
                advice: "A file with a name of other bytes can be reached by its directory, as with p9serve ls DIR or\n"
                    + "p9serve chown -R; or rename it."
            )
        }
    }

    /// The argument parser takes a mistyped command for an argument too many.
    private static func refuseUnknownCommand() throws {
        var arguments = CommandLine.arguments.dropFirst()
        if arguments.first == "help" { arguments.removeFirst() }
        let names = configuration.subcommands.map { $0.configuration.commandName ?? $0._commandName } + ["help"]
        guard names.count > 1, let first = arguments.first, !first.isEmpty, !first.hasPrefix("-"),
            !names.contains(first)
        else { return }
        let near = names.map { (name: $0, distance: distance(Array(first), Array($0))) }
            .filter { $0.distance <= 2 && $0.distance < $0.name.count }
            .min { $0.distance < $1.distance }
        throw CommandFailure(
            .badInput,
            "unknown command '\(first)'" + (near.map { "; did you mean \($0.name)?" } ?? ""),
            advice: "There are: \(names.joined(separator: ", "))."
        )
    }

    /// How many letters must be put in, left out or changed to make one word of another.
    private static func distance(_ one: [Character], _ other: [Character]) -> Int {
        var row = Array(0...other.count)
        for (index, letter) in one.prefix(64).enumerated() {
            var diagonal = row[0]
            row[0] = index + 1
            for column in other.indices {
                let changed = diagonal + (letter == other[column] ? 0 : 1)
                diagonal = row[column + 1]
                row[column + 1] = min(changed, row[column] + 1, diagonal + 1)
            }
        }
        return row[other.count]
    }

    /// What was printed may still wait in a buffer, and a full disk is only noticed when that is written.
    private static func flushOutput() throws {
        StandardError.flushOutput()
        guard let error = StandardError.outputFailure else { return }
        // The program that closed the pipe, such as `head`, has all that it wanted.
        if error == .EPIPE { ProcessEnd.exit(ExitCause.failure.rawValue) }
        throw CommandFailure(.failure, "can't write the output: \(error.text)")
    }
}
