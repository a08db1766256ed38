import CommandSupport
import LinuxFiles
import RootfsImage

extension SignalWaiter {
    /// From now on SIGINT, SIGTERM and SIGHUP ask an import or export to stop and to leave nothing behind. One that
    /// comes two seconds later or more ends the process at once, as what the command prints may wait for a reader that doesn't
    /// read. (A terminal that is closed sends several at a time.)
    static func cancelOnSignals(_ cancellation: Cancellation) throws {
        let signals = SignalWaiter()
        do throws(Errno) {
            try startThread {
                while case .woken = signals.wait() {}
                cancellation.request()
                let deadline = ContinuousClock.now + .seconds(2)
                while signals.wait() == .woken || ContinuousClock.now < deadline {}
                ProcessEnd.interrupt()
            }
        } catch {
            throw CommandFailure(.failure, "can't start a thread: \(error.text)")
        }
    }
}
