internal import Glibc
internal import Synchronization

/// Takes the signals that ask a process to end, on one thread, as plain events instead of handlers.
///
/// Make it first thing in the main thread: the signals are blocked there and in all threads made later, and stay pending
/// until `wait` takes them.
public final class SignalWaiter: Sendable {
    /// What `wait` waits for.
    public enum Event: Sendable {
        /// SIGINT, SIGTERM or SIGHUP: somebody wants the process to end. A SIGHUP that was ignored at the start, as after
        /// nohup(1), does not count. Signals within a second after the first one are the same wish.
        case end
        /// `wake` was called.
        case woken
    }

    /// The signal that `wake` sends to the process itself; one that comes from elsewhere does no harm.
    private static let wakeUp = SIGUSR2

    private let signals: sigset_t
    private let firstEnd = Mutex<ContinuousClock.Instant?>(nil)
    /// What comes this soon after the first signal is the same wish: a terminal that is closed sends SIGHUP more than once.
    private static let burst = Duration.seconds(1)

    /// Blocks the signals in the calling thread.
    public init() {
        var signals = sigset_t()
        sigemptyset(&signals)
        for signal in Self.endSignals + [Self.wakeUp] { sigaddset(&signals, signal) }
        pthread_sigmask(SIG_BLOCK, &signals, nil)
        self.signals = signals
    }

    /// The signals that ask for the end.
    ///
    /// sigwait takes ignored signals too, so an ignored SIGHUP is left out. SIGINT stays in: a shell without job control
    /// makes all that it starts in the background ignore it, and no user has asked for that.
    private static var endSignals: [CInt] { isIgnored(SIGHUP) ? [SIGINT, SIGTERM] : [SIGINT, SIGTERM, SIGHUP] }

    /// Whether a signal that asks for the end waits to be taken: no thread is in `wait` now.
    static var isEndPending: Bool {
        var pending = sigset_t()
        sigemptyset(&pending)
        return sigpending(&pending) == 0 && endSignals.contains { sigismember(&pending, $0) == 1 }
    }

    /// Runs `body` with all signals blocked, for threads that are made in it: they may begin before there is a waiter, and
    /// signals must not end them. A terminal that lets no background process write (`stty tostop`) writes for a thread that
    /// blocks SIGTTOU, instead of stopping the process.
    static func withoutSignals<Failure: Error>(_ body: () throws(Failure) -> Void) throws(Failure) {
        var signals = sigset_t()
        sigfillset(&signals)
        // An ignored signal stays ignored and unblocked: a blocked one would look as if somebody waited for it.
        if isIgnored(SIGHUP) { sigdelset(&signals, SIGHUP) }
        var before = sigset_t()
        pthread_sigmask(SIG_BLOCK, &signals, &before)
        defer { pthread_sigmask(SIG_SETMASK, &before, nil) }
        try body()
    }

    private static func isIgnored(_ signal: CInt) -> Bool {
        var action = sigaction()
        guard sigaction(signal, nil, &action) == 0, let handler = action.__sigaction_handler.sa_handler else {
            return false
        }
        return unsafeBitCast(handler, to: Int.self) == unsafeBitCast(SIG_IGN, to: Int.self)
    }

    /// Waits for the next event. The corresponding C function is `sigwait`.
    public func wait() -> Event {
        var signals = signals
        var signal: CInt = 0
        while true {
            // The only error is a bad signal number in the set.
            _ = sigwait(&signals, &signal)
            if signal == Self.wakeUp { return .woken }
            MessageQueue.hurry()
            if isOwnWish(.now) { return .end }
        }
    }

    private func isOwnWish(_ now: ContinuousClock.Instant) -> Bool {
        firstEnd.withLock { first in
            guard let first else {
                first = now
                return true
            }
            return now - first >= Self.burst
        }
    }

    /// Lets `wait` return, from any thread; remembered if nobody waits yet.
    public func wake() {
        kill(getpid(), Self.wakeUp)
    }
}
