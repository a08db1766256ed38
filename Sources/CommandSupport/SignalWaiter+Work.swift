internal import LinuxFiles

extension SignalWaiter {
    /// Runs work that goes on until somebody ends it on a thread of its own, while the calling one, the main thread, waits for
    /// signals. Returns when the work does.
    /// - Parameters:
    ///   - stop: asks the work to end; called at the first signal. A second one ends the process at once.
    ///   - work: runs on the new thread.
    /// - Throws: what the work throws; `CommandFailure` if there can be no thread.
    public static func run(
        stop: () -> Void,
        work: @escaping @Sendable () throws -> Void
    ) throws {
        let signals = SignalWaiter()
        let outcome = Monitor<Result<Void, any Error>?>(nil)
        do throws(Errno) {
            try startThread {
                let result = Result { try work() }
                outcome.update { $0 = result }
                signals.wake()
            }
        } catch {
            throw CommandFailure(.failure, "can't start a thread: \(error.text)")
        }
        var isStopping = false
        while true {
            if let result = outcome.update({ $0 }) { return try result.get() }
            guard case .end = signals.wait() else { continue }
            if isStopping { ProcessEnd.interrupt() }
            isStopping = true
            stop()
        }
    }
}
