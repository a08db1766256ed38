import ArgumentParser
import CommandSupport
import LinuxFiles

/// A program whose commands do what CommandSupport is for, one each; CommandSupportTests look at what comes of it.
@main
struct CommandProbe: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "CommandProbe",
        version: softwareVersion,
        subcommands: [
            SayCommand.self, PrintCommand.self, FailCommand.self, DocumentCommand.self, EventsCommand.self,
            OpeningCommand.self, WorkCommand.self,
        ]
    )

    static func main() { runAndExit() }
}

struct SayCommand: ParsableCommand {
    static let configuration = CommandConfiguration(commandName: "say")
    @Argument var text: String

    func run() { StandardError.say(text) }
}

struct PrintCommand: ParsableCommand {
    static let configuration = CommandConfiguration(commandName: "print")
    @Argument var count: Int

    func run() {
        for number in 0..<count { print(number) }
        // Standard output may be a pipe: what was printed is to be seen before what is said after it.
        StandardError.say("printed")
    }
}

struct FailCommand: ParsableCommand {
    static let configuration = CommandConfiguration(commandName: "fail")
    @Argument var code: Int32
    @Option var advice: String?

    struct Unforeseen: Error, CustomStringConvertible {
        var description: String { "something unforeseen" }
    }

    func run() throws {
        guard let cause = ExitCause(rawValue: code) else { throw Unforeseen() }
        throw CommandFailure(cause, "it went wrong", advice: advice)
    }
}

struct DocumentCommand: ParsableCommand {
    static let configuration = CommandConfiguration(commandName: "document")
    @Flag var json = false
    @Flag var failing = false

    func run() throws {
        try CommandFailure.documented(json, version: 2) {
            if failing { throw CommandFailure(.timeout, "too late", advice: "Begin earlier.") }
            JSONValue.printDocument(version: 2, [("boards", .array([.object([("path", "1-1")])]))])
        }
    }
}

struct EventsCommand: ParsableCommand {
    static let configuration = CommandConfiguration(commandName: "events")
    @Flag var disabled = false
    @Flag var onStandardError = false
    /// Sends as much progress as it can until so many events of it were sent; prints the milliseconds that took.
    @Option var progress: Int?

    func run() throws {
        let events = EventStream(isEnabled: !disabled, onStandardError: onStandardError)
        if let progress {
            let start = ContinuousClock.now
            var sent = 0
            while sent < progress {
                events.sendProgress {
                    sent += 1
                    return [("sent", .integer(sent))]
                }
                System.sleep(milliseconds: 1)
            }
            StandardError.write("\((ContinuousClock.now - start) / .milliseconds(1))\n")
            return
        }
        events.send("found", [("path", "1-1"), ("text", "\u{1b}[2J\n")])
        throw events.failure(CommandFailure(.deviceGone, "it is gone"))
    }
}

struct OpeningCommand: ParsableCommand {
    static let configuration = CommandConfiguration(commandName: "opening")
    @Flag var failing = false
    @Flag var silent = false

    func run() throws {
        let messages = OpeningMessages()
        if !silent { for line in ["first", "the reason\nwhat to do"] { messages.say(line) } }
        if failing { throw messages.failure(.permission) ?? CommandFailure(.failure, "nobody knows why") }
        StandardError.say("open")
        messages.finish()
        messages.say("later")
    }
}

/// Work that goes on until somebody ends it.
struct WorkCommand: ParsableCommand {
    static let configuration = CommandConfiguration(commandName: "work")
    @Flag(help: "Go on after the first signal.") var stubborn = false
    @Flag(help: "End at once, without a signal.") var brief = false
    @Flag(help: "Fail.") var failing = false

    func run() throws {
        let isStopping = Monitor(false)
        let (stubborn, brief, failing) = (stubborn, brief, failing)
        try SignalWaiter.run {
            StandardError.say("asked to stop")
            isStopping.update { $0 = true }
        } work: {
            StandardError.say("working")
            if !brief { isStopping.wait { $0 && !stubborn ? () : nil } }
            if failing { throw CommandFailure(.serverError, "the work failed") }
            StandardError.say("the work is done")
        }
        StandardError.say("the command is done")
    }
}
