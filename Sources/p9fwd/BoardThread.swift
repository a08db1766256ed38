import CommandSupport
import LinuxFiles
import Synchronization
import USBHost

/// Runs a board's work on a thread of its own while the main thread waits for signals.
enum BoardThread {
    /// Returns when the work does. At the first signal the work is asked to stop; a second one ends the process at once.
    /// - Throws: what the work throws.
    static func run(_ work: @escaping @Sendable (StopRequest) throws -> Void) throws {
        let signals = SignalWaiter()
        let stop = StopRequest()
        let outcome = Outcome()
        do throws(Errno) {
            try startThread {
                outcome.result = Result { try work(stop) }
                signals.wake()
            }
        } catch {
            throw CommandFailure(.failure, "can't start a thread: \(error.text)")
        }
        while true {
            if let result = outcome.result { return try result.get() }
            if case .end = signals.wait() {
                if stop.isRequested { ProcessEnd.interrupt() }
                stop.request()
            }
        }
    }

    /// How the work ended, for the main thread.
    private final class Outcome: Sendable {
        private let state = Mutex<Result<Void, any Error>?>(nil)

        var result: Result<Void, any Error>? {
            get { state.withLock { $0 } }
            set { state.withLock { $0 = newValue } }
        }
    }
}
