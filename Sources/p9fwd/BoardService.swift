import CommandSupport
import Glibc
import LinuxFiles
import P9Wire
import Synchronization
import USBLink

/// Serves one board: waits for it, carries its requests to a responder, says what happened, and waits again.
///
/// The board has a thread of its own; the main thread waits for signals.
struct BoardService: Sendable {
    var selector: GadgetSelector
    /// Whether to end when the board has gone, instead of waiting for it to come back.
    var once: Bool
    /// How long to wait for the board to appear at first, in seconds; nil is for ever.
    var timeout: Double?
    /// How much to tell: 0, or 1 for every message.
    var verbose: Int

    /// Runs until the board has gone (with `once`) or a signal asks for the end.
    ///
    /// At the first signal the request in hand is still answered; a second one ends the process at once.
    /// - Parameter makeResponder: called once, on the board's thread.
    /// - Throws: `CommandFailure`, and what `makeResponder` throws.
    func run<Server: Responder>(makeResponder: @escaping @Sendable (StopRequest) throws -> Server) throws {
        let signals = SignalWaiter()
        let stop = StopRequest()
        let outcome = Outcome()
        do throws(Errno) {
            try startThread {
                outcome.result = Result { try serve(with: try makeResponder(stop), until: stop) }
                signals.wake()
            }
        } catch {
            throw CommandFailure(.failure, "can't start a thread: \(error.text)")
        }
        while true {
            if let result = outcome.result { return try result.get() }
            if case .end = signals.wait() {
                // 130 is what shells report of a command that Ctrl-C ended.
                if stop.isRequested { exit(130) }
                stop.request()
            }
        }
    }

    private func serve(with responder: some Responder, until stop: StopRequest) throws {
        var selector = selector
        var timeout = timeout
        var msize = 0
        var isFirst = true
        while let (gadget, waited) = try find(selector, timeout, stop) {
            let hasJustCome = waited || !isFirst
            isFirst = false
            // The board that comes back is the one at this port; it may be another one's turn at any other.
            selector = GadgetSelector(path: gadget.path)
            timeout = nil
            let link: GadgetLink
            do throws(USBError) {
                // udev may be busy with all that came with the board.
                link = try GadgetLink(gadget, msize: msize, patience: hasJustCome ? 10 : 1)
            } catch {
                if error == .noDevice, !once {
                    // It has gone again, or its device node is yet to come.
                    _ = usleep(250_000)
                    continue
                }
                throw USBFailure.opening(gadget, error)
            }
            StandardError.say("serving the board at port \(gadget.path) (\(gadget.title))")
            for interface in link.detachedInterfaces {
                StandardError.say("took usb-storage off its interface \(interface): it would reset the board")
            }
            link.notify = { StandardError.say($0.sentence) }
            if verbose > 0 { link.trace = trace }
            let end = link.run(answering: responder, until: stop)
            // A board that was unplugged and plugged in again while idle goes on without a Tversion.
            msize = link.msize
            let statistics = link.statistics
            StandardError.say(
                "\(statistics.requests) requests, \(statistics.bytesFromBoard) bytes from the board, "
                    + "\(statistics.bytesToBoard) bytes to it"
            )
            if end == .stopped { return }
            try conclude(end, gadget)
        }
    }

    /// One line per message, such as "<- Tread tag 3, 23 bytes".
    private func trace(_ direction: GadgetLink.Direction, _ frame: RawSpan) {
        StandardError.write("\(direction == .fromBoard ? "<-" : "->") \(describe(frame))\n")
    }

    /// Finds the board, or waits for it; nil if the service is to stop.
    /// - Returns: the board, and whether it came while this waited.
    private func find(_ selector: GadgetSelector, _ timeout: Double?, _ stop: StopRequest) throws -> (Gadget, Bool)? {
        if stop.isRequested { return nil }
        let search = GadgetSearch(selector)
        do {
            var found = try search.look()
            var hasJustCome = false
            if case .none = found {
                hasJustCome = true
                StandardError.say("waiting for a board\(selector.phrase) to appear")
                found = try search.wait(until: timeout.map { .now + .seconds($0) }, stop: stop)
            }
            switch found {
            case .found(let gadget): return (gadget, hasJustCome)
            case .several(let gadgets): throw USBFailure.several(gadgets)
            case .none: throw USBFailure.timeout(selector, seconds: timeout ?? 0)
            case .stopped: return nil
            }
        } catch let error as USBError {
            throw USBFailure.noUSB(error)
        }
    }

    /// Tells why a link has ended; returns if the next thing is to wait for the board.
    private func conclude(_ end: LinkEnd, _ gadget: Gadget) throws {
        let board = "the board at port \(gadget.path)"
        let failure: CommandFailure
        switch end {
        case .stopped:
            return
        case .gone(midRequest: false):
            failure = CommandFailure(.deviceGone, "\(board) is gone")
        case .gone(midRequest: true):
            failure = CommandFailure(
                .deviceGone,
                "\(board) is gone in the middle of a request",
                advice: "If only the cable was pulled, its files stay stuck until you reboot it."
            )
        case .wedged(.replyNotTaken):
            failure = CommandFailure(
                .deviceGone,
                "\(board) did not take a reply",
                advice: "It may wait for ever now. If it hangs, reboot it."
            )
        case .wedged(.requestLost):
            failure = CommandFailure(
                .deviceGone,
                "\(board) sent something that is not a 9P message",
                advice: "It probably waits for a reply that nobody can give. If it hangs, reboot it."
            )
        case .failed(let error):
            failure = CommandFailure(
                .failure,
                "the USB transfers of \(board) fail: \(error)",
                advice: error == .noMemory
                    ? "The kernel's limit for USB buffers is in /sys/module/usbcore/parameters/usbfs_memory_mb."
                    : "If it hangs, reboot it; if this happens again, try another cable or port."
            )
        }
        if once { throw failure }
        StandardError.say(failure.message)
        if let advice = failure.advice { StandardError.write(advice + "\n") }
        // A device that fails at once must not keep a processor busy.
        switch end {
        case .failed, .wedged: sleep(1)
        case .stopped, .gone: break
        }
    }

    /// How a service ended, for the main thread.
    private final class Outcome: Sendable {
        private let state = Mutex<Result<Void, any Error>?>(nil)

        var result: Result<Void, any Error>? {
            get { state.withLock { $0 } }
            set { state.withLock { $0 = newValue } }
        }
    }
}

extension Gadget {
    /// What the gadget calls itself, such as "Pengutronix e.K. 9PFS Gadget", or its id.
    fileprivate var title: String {
        let names = [manufacturer, product].compactMap { $0 }
        return names.isEmpty ? id : names.joined(separator: " ").printable
    }
}

extension LinkNotice {
    fileprivate var sentence: String {
        switch self {
        case .requestRefused(.malformed):
            "the board sent a malformed message, which was refused; if the board hangs, reboot it"
        case .requestRefused(.tooLong):
            "the board sent a message that is too long, which was refused: was it mounted before this process began?"
        case .replyReplaced(let type):
            "the server's reply to a message of type \(type) was not valid; the board got an I/O error instead"
        case .noMemory(let msize):
            "no memory for USB transfers of msize \(msize): mount with a smaller msize, or raise "
                + "/sys/module/usbcore/parameters/usbfs_memory_mb"
        }
    }
}
