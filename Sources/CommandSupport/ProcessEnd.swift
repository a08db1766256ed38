internal import Glibc

/// How a process ends: with all that it had to say, if anybody reads it.
public enum ProcessEnd {
    /// Ends the process when its messages and events are written, or their readers have had some time.
    public static func exit(_ code: Int32) -> Never {
        sayAll()
        Glibc.exit(code)
    }

    /// Ends the process from any thread, even if others wait for a blocked standard output: somebody has asked for the second
    /// time.
    public static func interrupt() -> Never {
        MessageQueue.hurry()
        sayAll()
        _exit(ExitCause.interrupted.rawValue)
    }

    /// To be called where the process may end by other ways.
    static func sayAll() {
        StandardError.removeStandingLine()
        EventStream.finish()
        StandardError.queue.finish()
    }
}
