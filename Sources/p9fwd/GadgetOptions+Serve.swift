import BoardHost
import CommandSupport
import RPiBoot
import USBHost
import USBLink

extension GadgetOptions {
    /// Serves the board that the options mean, and tells of it: what `serve` and `connect` do on the board's thread.
    func serve(
        by responder: some Responder,
        loadingFrom choice: BootChoice? = nil,
        tree: String = "",
        _ waiting: WaitingOptions,
        until stop: StopRequest
    ) throws(CommandFailure) {
        let isVerbose = verbose > 0
        let files: BootFiles?
        do throws(BoardFailure) {
            files = if let choice { try BootFiles(choice, tree: tree) } else { nil }
        } catch {
            throw CommandFailure(error)
        }
        let report = BoardReport(bootDirectory: { files?.path(for: $0) ?? "" }, isVerbose: isVerbose)
        let service = BoardService(
            selector,
            once: waiting.once,
            timeout: waiting.timeout,
            on: USBBoardBus(),
            report: report.tell
        )
        let trace: ((GadgetLink.Direction, RawSpan) -> Void)? = isVerbose ? { BoardReport.trace($0, $1) } : nil
        do throws(BoardFailure) {
            try service.serve(
                by: responder,
                loadingFrom: files,
                until: stop,
                trace: trace
            )
        } catch {
            throw CommandFailure(error)
        }
    }
}
