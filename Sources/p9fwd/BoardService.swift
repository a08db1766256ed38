import CommandSupport
import LinuxFiles
import P9Wire
import RPiBoot
import USBHost
import USBLink

/// Serves one board: waits for it, loads it if it needs that, carries its requests to a responder, says what happened,
/// and waits again.
///
/// The board has a thread of its own; the main thread waits for signals.
struct BoardService: Sendable {
    var selector: DeviceSelector
    /// Whether to end when the board has gone, instead of waiting for it to come back.
    var once: Bool
    /// How long to wait for the board to appear at first, in seconds; nil is for ever.
    var timeout: Double?
    /// How much to tell: 0, or 1 for every message.
    var verbose: Int
    /// What a Raspberry Pi in boot mode is loaded from before it can be served; nil leaves it alone.
    var bootDirectory: BootDirectory?

    /// Runs until the board has gone (with `once`) or a signal asks for the end.
    ///
    /// At the first signal the request in hand is still answered; a second one ends the process at once.
    /// - Parameter makeResponder: called once, on the board's thread; nil if a signal asked for the end meanwhile.
    /// - Throws: `CommandFailure`, and what `makeResponder` throws.
    func run<Server: Responder & SendableMetatype>(
        makeResponder: @escaping @Sendable (StopRequest) throws -> Server?
    ) throws {
        try BoardThread.run { stop in
            if let responder = try makeResponder(stop) { try serve(with: responder, until: stop) }
        }
    }

    private func serve(with responder: some Responder, until stop: StopRequest) throws {
        var selector = selector
        var timeout = timeout
        var msize = 0
        var isFirst = true
        let loader = bootDirectory.map { BoardLoader(BootReport($0, verbose: verbose > 0)) }
        let watch = MountWatch(responder) {
            StandardError.tell(Self.staleMount)
        }
        let ports = try loader.map { loader in try PortShare(selector, tell: loader.report.passedOver) }
        while let (board, waited) = try find(selector, loader, ports, timeout, stop) {
            let hasJustCome = waited || !isFirst
            isFirst = false
            let gadget: Gadget
            switch board {
            case .gadget(let found):
                gadget = found
            case .several(let gadgets, let loadable):
                throw USBFailure.several(gadgets, loadable)
            case .loadable(let device):
                guard let loader, let ports else { continue }
                try ports.reserve(device.path)
                msize = 0
                do throws(CommandFailure) {
                    try load(device, loader, hasJustCome, stop)
                } catch {
                    guard error.cause == .busy, ports.passesOver else { throw error }
                    ports.leave(device)
                    continue
                }
                // What is loaded comes back at the same port, with another id and perhaps another serial number.
                selector = DeviceSelector(path: device.path)
                ports.settle()
                continue
            }
            try ports?.reserve(gadget.path)
            let link: GadgetLink
            do throws(USBError) {
                // udev may be busy with all that came with the board.
                let patience = hasJustCome || gadget.hasYoungNode ? 10.0 : 1
                link = try GadgetLink(gadget, msize: msize, patience: patience, until: stop)
            } catch {
                if stop.isRequested { return }
                if error == .noDevice, !once {
                    // It has gone again, or its device node is yet to come.
                    pause(milliseconds: 250)
                    continue
                }
                if error == .busy, let ports, ports.passesOver {
                    ports.leave(gadget)
                    continue
                }
                throw USBFailure.opening(gadget, error)
            }
            // The board that comes back is the one at this port; it may be another one's turn at any other.
            selector = DeviceSelector(path: gadget.path)
            ports?.settle()
            timeout = nil
            StandardError.say("serving the board at port \(gadget.path) (\(gadget.title))")
            for interface in link.detachedInterfaces {
                StandardError.say("took usb-storage off its interface \(interface): it would reset the board")
            }
            link.notify = { [unowned link] notice in
                // Too long for a session that there is not: an earlier process had it.
                if notice == .requestRefused(.tooLong), link.msize == 0 {
                    watch.tellOfStaleMount()
                } else {
                    StandardError.say(notice.sentence)
                }
            }
            if verbose > 0 { link.trace = trace }
            let end = link.run(answering: watch, until: stop)
            // A board that was unplugged and plugged in again while idle goes on without a Tversion.
            msize = link.msize
            let statistics = link.statistics
            StandardError.say(
                "\(statistics.requests) requests, \(statistics.bytesFromBoard) bytes from the board, "
                    + "\(statistics.bytesToBoard) bytes to it"
            )
            if end == .stopped { break }
            try conclude(end, gadget)
        }
        // Unplugged or not: it is idle, and doesn't know yet.
        if watch.isMounted, let port = selector.path { StandardError.tell(Self.leftMount(port)) }
    }

    /// What is said when this process ends under a mounted board.
    private static func leftMount(_ port: String) -> CommandFailure {
        CommandFailure(
            .deviceGone,
            "the board at port \(port) has files mounted from here: from now on they are stale, and all it gets is errors",
            advice: "Serve it again and reboot it. Next time shut the board down, or unmount there, before Ctrl-C."
        )
    }

    /// What is said when a board goes on with files that an earlier process has served.
    private static let staleMount = CommandFailure(
        .deviceGone,
        "the board was mounted before this process began, which doesn't know its files: all it gets is \"Stale file handle\"",
        advice:
            "Reboot the board: it mounts its root anew then. What is not its root can be unmounted and mounted again."
    )

    /// One line per message, such as "-> Tread tag 3, 23 bytes": from the board, and "<-" to it, as in p9serve's trace.
    private func trace(_ direction: GadgetLink.Direction, _ frame: RawSpan) {
        StandardError.write("\(direction == .fromBoard ? "->" : "<-") \(describe(frame))\n")
    }

    /// Takes one stage of a board's loading; the next one, or the gadget, is found at the same port.
    private func load(
        _ device: BootDevice,
        _ loader: BoardLoader,
        _ hasJustCome: Bool,
        _ stop: StopRequest
    ) throws(CommandFailure) {
        do throws(CommandFailure) {
            switch try loader.load(device, hasJustCome: hasJustCome, until: stop) {
            case .bootcodeTaken, .filesTaken, .stopped: break
            case .vanished: StandardError.say("\(device.title) is gone before it had all")
            }
        } catch {
            switch error.cause {
            // What is wrong with the directory stays wrong.
            case .notFound, .permission, .busy, .badInput: throw error
            default: if once { throw error }
            }
            StandardError.tell(error)
        }
    }

    /// Finds the board, or waits for it; nil if the service is to stop.
    /// - Returns: the board, and whether it came while this waited.
    private func find(
        _ selector: DeviceSelector,
        _ loader: BoardLoader?,
        _ ports: PortShare?,
        _ timeout: Double?,
        _ stop: StopRequest
    ) throws(CommandFailure) -> (BoardSearch.Board, Bool)? {
        if stop.isRequested { return nil }
        // One that went before it could be opened.
        if let ports, ports.passesOver { ports.release(except: []) }
        let search = BoardSearch(selector: selector, loads: loader.map { loader in { loader.isNew($0) } }, ports: ports)
        do throws(USBError) {
            if let board = try search.look(USBContext()) { return (board, false) }
            StandardError.say("waiting for a board\(selector.phrase) to appear")
            let deadline = timeout.map { ContinuousClock.now + .seconds($0) }
            if let board = try PortWatch.wait(until: deadline, stop: stop, look: search.look) { return (board, true) }
        } catch {
            throw USBFailure.noUSB(error)
        }
        if stop.isRequested { return nil }
        throw USBFailure.timeout(selector, seconds: timeout ?? 0)
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
        StandardError.tell(failure)
        // A device that fails at once must not keep a processor busy.
        switch end {
        case .failed, .wedged: pause(milliseconds: 1000)
        case .stopped, .gone: break
        }
    }
}

extension Gadget {
    /// What the gadget calls itself, such as "Pengutronix e.K. 9PFS Gadget", or its id.
    fileprivate var title: String {
        let names = [manufacturer, product].compactMap { $0 }
        return names.isEmpty ? id : printable(names.joined(separator: " "))
    }
}

extension LinkNotice {
    fileprivate var sentence: String {
        switch self {
        case .requestRefused(.malformed):
            "the board sent a malformed message, which was refused; if the board hangs, reboot it"
        case .requestRefused(.tooLong):
            "the board sent a message that is longer than it may be, which was refused; if the board hangs, reboot it"
        case .replyReplaced(let type):
            "the server's reply to a message of type \(type) was not valid; the board got an I/O error instead"
        case .noMemory(let msize):
            "no memory for USB transfers of msize \(msize): mount with a smaller msize, or raise "
                + "/sys/module/usbcore/parameters/usbfs_memory_mb"
        case .notMounted:
            "waiting for the board to mount"
        case .replyTooLate:
            "the board had given a request up before its reply was there; it did not get the reply"
        }
    }
}
