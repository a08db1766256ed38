internal import Glibc

/// Takes the signals that ask a process to end, on one thread, as plain events instead of handlers.
///
/// Make it first thing in the main thread: the signals are blocked there and in all threads made later, and stay pending
/// until `wait` takes them.
public final class SignalWaiter: Sendable {
    public enum Event: Sendable {
        /// SIGINT, SIGTERM or SIGHUP: somebody wants the process to end.
        case end
        /// `wake` was called.
        case woken
    }

    /// The signal that `wake` sends to the process itself; one that comes from elsewhere does no harm.
    private static let wakeUp = SIGUSR2

    public init() {
        var signals = Self.signals
        pthread_sigmask(SIG_BLOCK, &signals, nil)
    }

    private static var signals: sigset_t {
        var signals = sigset_t()
        sigemptyset(&signals)
        for signal in [SIGINT, SIGTERM, SIGHUP, wakeUp] { sigaddset(&signals, signal) }
        return signals
    }

    /// Waits for the next event. The corresponding C function is `sigwait`.
    public func wait() -> Event {
        var signals = Self.signals
        var signal: CInt = 0
        // The only error is a bad signal number in the set.
        _ = sigwait(&signals, &signal)
        return signal == Self.wakeUp ? .woken : .end
    }

    /// Lets `wait` return, from any thread; remembered if nobody waits yet.
    public func wake() {
        kill(getpid(), Self.wakeUp)
    }
}
