public import CommandSupport
public import ImageEntries
internal import LinuxFiles

extension SignalWaiter {
    /// From now on SIGINT, SIGTERM and SIGHUP ask an import or export to stop and to leave nothing behind. A second one ends
    /// the process at once: what the command prints may wait for a reader that doesn't read.
    /// - Throws: `CommandFailure` if there can be no more threads.
    public static func cancelOnSignals(_ cancellation: Cancellation) throws {
        let signals = SignalWaiter()
        do throws(Errno) {
            try startThread {
                while case .woken = signals.wait() {}
                cancellation.request()
                while case .woken = signals.wait() {}
                ProcessEnd.interrupt()
            }
        } catch {
            throw CommandFailure(.failure, "can't start a thread: \(error.text)")
        }
    }
}
