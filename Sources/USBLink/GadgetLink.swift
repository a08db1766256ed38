internal import CLibUSB
internal import P9Wire
public import USBHost

/// Carries requests from one board to a responder and the replies back, on the thread that calls `run`.
///
/// Per request: an IN transfer ends with the whole T-message, the other IN transfer is submitted, the responder writes
/// its reply into the OUT transfer's buffer, the OUT transfer is submitted. No allocation, no copy, no other thread.
///
/// A board must not mount twice without making its gadget anew: each mount lets a client of Linux 6.12 send one more
/// request before the first one's reply (`p9_usbg_create` in `net/9p/trans_usbg.c` completes `received`), which it can't
/// cope with itself, whatever the host does.
public final class GadgetLink {
    public let gadget: Gadget
    public private(set) var statistics = LinkStatistics()
    /// Called with every request and every reply.
    public var trace: ((Direction, RawSpan) -> Void)?
    /// Called with what went wrong.
    public var notify: ((LinkNotice) -> Void)?

    public enum Direction: Sendable {
        case fromBoard
        case toBoard
    }

    /// The msize a server had better not exceed, in bytes. A link has three buffers of this size, and the kernel gives
    /// all of usbfs 16 MiB (`usbcore.usbfs_memory_mb`).
    public static let maximumMsize = 1 << 20

    /// The buffers' msize as long as none is negotiated: the gadget's default buflen.
    private static let initialMsize = 16384

    private let context: USBContext
    private let claimed: ClaimedInterface
    private var exchange: Exchange
    private var framing: RequestFraming
    /// The IN transfer that brings the next message.
    private var incoming: BulkTransfer
    /// Whether `incoming` was submitted and its outcome has not been looked at; it may have ended meanwhile.
    private var isReading = false
    /// The IN transfer whose message is being executed.
    private var executing: BulkTransfer
    private let reply: BulkTransfer
    /// How long what has begun to arrive may take to end, once the link is to stop.
    private var endPatience = Patience(milliseconds: 1000)

    /// The negotiated msize in bytes; 0 before the first Tversion.
    public var msize: Int { exchange.msize }

    /// Claims the gadget's interface, and takes usb-storage off the other ones of the same device.
    /// - Parameters:
    ///   - msize: what an earlier link has negotiated, for a board that is still mounted; else 0.
    ///   - patience: seconds to wait for permission: udev grants it a moment after the device has appeared.
    ///   - stop: ends that wait.
    /// - Throws: `USBError.accessDenied`, `.busy` if another process has the interface, `.noDevice`.
    public init(_ gadget: Gadget, msize: Int = 0, patience: Double = 1, until stop: StopRequest? = nil) throws(USBError)
    {
        self.gadget = gadget
        context = try USBContext()
        claimed = try ClaimedInterface(
            gadget,
            interface: gadget.bulk.interface,
            alternateSetting: gadget.bulk.alternateSetting,
            in: context,
            patience: patience,
            until: stop
        )
        let packet = gadget.bulk.maxPacketSize
        let size = RequestFraming.bufferSize(msize: Self.initialMsize, maxPacketSize: packet)
        exchange = Exchange(maxPacketSize: packet, msize: msize)
        framing = RequestFraming(maxPacketSize: packet, bufferSize: size)
        incoming = try BulkTransfer(claimed, endpoint: gadget.bulk.requests, bufferSize: size)
        executing = try BulkTransfer(claimed, endpoint: gadget.bulk.requests, bufferSize: size)
        reply = try BulkTransfer(claimed, endpoint: gadget.bulk.replies, bufferSize: Self.initialMsize)
    }

    /// The interfaces of the device that lost usb-storage or uas.
    public var detachedInterfaces: [Int] { claimed.detachedInterfaces }

    /// Answers requests until the link ends; to be called once.
    public func run(answering responder: some Responder, until stop: StopRequest) -> LinkEnd {
        let claimed = claimed
        responder.serve { [weak claimed] in claimed?.isGone ?? true }
        return stop.interrupting(context) {
            defer { retire() }
            do throws(Ended) {
                try loop(responder, stop)
            } catch {
                return error.end
            }
        }
    }

    private struct Ended: Error {
        let end: LinkEnd

        init(_ end: LinkEnd) {
            self.end = end
        }
    }

    private func loop(_ responder: some Responder, _ stop: StopRequest) throws(Ended) -> Never {
        resize(msize: msize)
        while true {
            if !isReading {
                if stop.isRequested {
                    // What has begun to arrive must be answered before the link may stop; if it ever ends.
                    guard framing.isMidMessage else { throw Ended(.stopped) }
                    if endPatience.isOver { throw Ended(.wedged(.requestLost)) }
                }
                try read()
            }
            switch try awaitStep(stop) {
            case .nothing, .incomplete:
                break
            case .request(let size, let isEnded):
                swap(&incoming, &executing)
                // The next transfer waits at the host controller before the board can want it, except where its size is
                // what the request is about. Before the end of this message is taken, the board doesn't listen.
                let isVersion = executing.buffer[4] == MessageType.tversion.rawValue
                if !isVersion, !isEnded || !stop.isRequested { readAhead() }
                let outcome = execute(size, responder)
                try send(isVersion ? resizeForVersion(outcome) : outcome, stop)
            case .refused(let refusal, let isEnded):
                statistics.requestsRefused += 1
                notify?(.requestRefused(refusal.reason == .tooLong ? .tooLong : .malformed))
                if !isEnded || !stop.isRequested { readAhead() }
                try send(exchange.refuse(refusal, into: reply.buffer), stop)
            }
        }
    }

    /// Submits the incoming transfer for the rest of its buffer.
    private func read() throws(Ended) {
        do throws(USBError) {
            try incoming.submit(framing.offset..<framing.bufferSize)
            isReading = true
        } catch {
            throw Ended(error == .noDevice ? .gone(midRequest: framing.isMidMessage) : .failed(error))
        }
    }

    /// Submits the incoming transfer while a request is in hand, which must be answered in any case: what goes wrong here
    /// goes wrong again when the reply is sent, or when `loop` reads next.
    private func readAhead() {
        try? read()
    }

    /// Waits until the incoming transfer has ended, and says what it brought.
    private func awaitStep(_ stop: StopRequest) throws(Ended) -> RequestFraming.Step {
        while incoming.isInFlight {
            // A message that has begun is read to its end: the board can't send it again.
            if stop.isRequested, !framing.isMidMessage || endPatience.isOver { incoming.cancel() }
            context.handleEvents(milliseconds: stop.isRequested ? 50 : 60_000)
        }
        isReading = false
        let isCancelled = incoming.status == LIBUSB_TRANSFER_CANCELLED
        guard isCancelled || incoming.status == LIBUSB_TRANSFER_COMPLETED else {
            throw failure(of: incoming, midRequest: framing.isMidMessage || incoming.count > 0)
        }
        if isCancelled, incoming.count == 0, framing.isMidMessage { throw Ended(.wedged(.requestLost)) }
        return framing.received(
            incoming.count,
            in: UnsafeRawBufferPointer(incoming.buffer).bytes,
            interrupted: isCancelled
        )
    }

    /// Has a request answered.
    private func execute(_ size: Int, _ responder: some Responder) -> Exchange.Outcome {
        let frame = UnsafeRawBufferPointer(rebasing: executing.buffer[..<size])
        statistics.bytesFromBoard += UInt64(size)
        trace?(.fromBoard, frame.bytes)
        let outcome = exchange.answer(frame.bytes, with: responder, into: reply.buffer)
        if case .replaced = outcome {
            statistics.repliesReplaced += 1
            notify?(.replyReplaced(requestType: frame[4]))
        }
        return outcome
    }

    /// Gives the transfers buffers for a new msize, and submits the incoming one, before the board is told: if the kernel
    /// has no memory for it, the mount must fail.
    /// - Returns: what to send.
    private func resizeForVersion(_ outcome: Exchange.Outcome) throws(Ended) -> Exchange.Outcome {
        resize(msize: msize)
        do throws(Ended) {
            try read()
            return outcome
        } catch {
            guard error.end == .failed(.noMemory) else { throw error }
            notify?(.noMemory(msize: msize))
            exchange.forgetVersion()
            resize(msize: 0)
            try read()
            return replyNoMemory()
        }
    }

    /// Replaces the reply in the buffer by an Rlerror(ENOMEM).
    private func replyNoMemory() -> Exchange.Outcome {
        let tag = FrameHeader(decoding: UnsafeRawBufferPointer(reply.buffer).bytes)?.tag ?? .none
        return .replaced(size: ReplyRules.writeError(12 /* ENOMEM */, tag: tag, into: reply.buffer))
    }

    /// Sends a reply, and waits until the board has taken it.
    private func send(_ outcome: Exchange.Outcome, _ stop: StopRequest) throws(Ended) {
        guard var size = outcome.size else { throw Ended(.wedged(.requestLost)) }
        do throws(USBError) {
            do throws(USBError) {
                try submitReply(size)
            } catch {
                // Nothing was sent. Large transfers need kernel memory that many boards share; an Rlerror needs none.
                guard error == .noMemory else { throw error }
                notify?(.noMemory(msize: msize))
                size = replyNoMemory().size ?? 0
                try submitReply(size)
            }
        } catch {
            throw Ended(error == .noDevice ? .gone(midRequest: true) : .failed(error))
        }
        trace?(.toBoard, UnsafeRawBufferPointer(rebasing: reply.buffer[..<size]).bytes)
        var patience = Patience(milliseconds: 2000)
        while reply.isInFlight {
            if stop.isRequested, patience.isOver { reply.cancel() }
            context.handleEvents(milliseconds: stop.isRequested ? 50 : 60_000)
        }
        // Never sent again: nobody knows how much of it the board has taken.
        guard reply.status == LIBUSB_TRANSFER_COMPLETED, reply.count == size else {
            let failure = failure(of: reply, midRequest: true)
            if case .gone = failure.end { throw failure }
            throw Ended(.wedged(.replyNotTaken))
        }
        statistics.requests += 1
        statistics.bytesToBoard += UInt64(size)
    }

    private func submitReply(_ size: Int) throws(USBError) {
        try reply.submit(0..<size, endWithZeroLengthPacket: exchange.needsZeroLengthPacket(replySize: size))
    }

    /// Gives all transfers buffers for an msize; 0 is none negotiated. A small reply stays where it is.
    private func resize(msize: Int) {
        let msize = msize > 0 ? msize : Self.initialMsize
        framing.bufferSize = RequestFraming.bufferSize(msize: msize, maxPacketSize: framing.maxPacketSize)
        incoming.resize(framing.bufferSize)
        executing.resize(framing.bufferSize)
        // The smallest msize is the largest reply to a Tversion: both are 4096.
        reply.resize(max(msize, Exchange.initialLimit), keeping: Exchange.initialLimit)
    }

    /// What a failed transfer means. A pulled cable often shows as an I/O error first.
    private func failure(of transfer: BulkTransfer, midRequest: Bool) -> Ended {
        var patience = Patience(milliseconds: 1000)
        repeat {
            if transfer.status == LIBUSB_TRANSFER_NO_DEVICE || claimed.isGone {
                return Ended(.gone(midRequest: midRequest))
            }
            context.handleEvents(milliseconds: 50)
        } while !patience.isOver
        // No clear-halt: the gadget never halts its endpoints, so a stall says that it has shut them down.
        return Ended(.failed(.inputOutput))
    }

    /// Waits for the transfers that are still submitted, so that libusb lets go of their buffers.
    private func retire() {
        for transfer in [incoming, executing, reply] {
            transfer.cancel()
            while transfer.isInFlight { context.handleEvents(milliseconds: 1000) }
        }
    }
}

/// A span of time that begins when it is first asked about.
private struct Patience {
    let milliseconds: Int
    private var deadline: ContinuousClock.Instant?

    init(milliseconds: Int) {
        self.milliseconds = milliseconds
    }

    var isOver: Bool {
        mutating get {
            guard let deadline else {
                deadline = ContinuousClock.now + .milliseconds(milliseconds)
                return false
            }
            return ContinuousClock.now >= deadline
        }
    }
}
