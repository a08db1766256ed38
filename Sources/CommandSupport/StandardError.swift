internal import Glibc
internal import LinuxFiles
internal import Synchronization

/// Messages for people, on standard error; standard output is for results.
///
/// A terminal that is blocked, or a pipe that nobody reads, delays only the main thread, for a second at most: see
/// `MessageQueue`.
public enum StandardError {
    /// Says "program: message" in a line of its own. Control characters are escaped: a message may have names and texts of a
    /// board in it, which must not reach the terminal as commands.
    public static func say(_ message: String) {
        write(line(message))
    }

    /// Says a failure as `say` does, and its advice.
    public static func tell(_ failure: CommandFailure) {
        write(line(failure.message) + (failure.advice.map { escaped($0) + "\n" } ?? ""))
    }

    /// Writes text as it is.
    public static func write(_ text: String) {
        add(text, isMainThread ? .wait : .neverWait)
    }

    /// Writes text that is of use only now, such as how far some work has come; leaves it out where standard error is blocked.
    public static func show(_ text: String) {
        add(text, .nowOrNever)
    }

    /// Shows a line that stands below all that is said, on a terminal, until the next one takes its place or
    /// `removeStandingLine` is called.
    /// - Parameter line: shorter than the terminal is wide, without an end.
    public static func stand(_ line: String) {
        lines.stand(line)
    }

    /// Removes the line that stands, if there is one.
    public static func removeStandingLine() {
        lines.removeStandingLine()
    }

    private static let lines = StandingLine(queue)

    static let queue = MessageQueue(STDERR_FILENO) { lost in
        line((lost == 1 ? "1 message was" : "\(lost) messages were") + " lost while standard error was blocked")
    }

    /// Adds a message. A thread other than the main one has a board or a client to answer.
    static func add(_ text: String, _ manner: MessageQueue.Manner) {
        // What was printed before is also to be seen before, even where standard output is a pipe. Only the main thread
        // prints; others would wait with it for whoever reads the pipe.
        if isMainThread { flushOutput() }
        lines.add(text, manner)
    }

    /// What the first flush of standard output that failed says; what was printed is lost then, and no later flush fails.
    static var outputFailure: Errno? { firstFailure.updateQuietly { $0 } }

    private static let firstFailure = Monitor<Errno?>(nil)

    /// Writes what was printed and waits in a buffer. The corresponding C function is `fflush`.
    static func flushOutput() {
        guard fflush(nil) != 0 else { return }
        let error = Errno.last
        firstFailure.updateQuietly { $0 = $0 ?? error }
    }

    private static let mainThread = Atomic<pthread_t>(0)

    /// Makes the calling thread the one that prints results, and may wait for their readers.
    static func noteMainThread() { mainThread.store(pthread_self(), ordering: .relaxed) }

    static var isMainThread: Bool { mainThread.load(ordering: .relaxed) == pthread_self() }

    static func line(_ message: String) -> String { "\(programName): \(escaped(message))\n" }

    /// The lines of a text, each as a terminal shows it and never obeys it.
    private static func escaped(_ text: String) -> String {
        // By bytes: CR LF is one character.
        text.utf8.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
            .map { printable($0) }
            .joined(separator: "\n")
    }

    /// The name the program was called by, without its directory.
    public static let programName: String = {
        let path = CommandLine.arguments.first ?? ""
        return path.split(separator: "/").last.map(String.init) ?? "usb9pfs"
    }()
}
