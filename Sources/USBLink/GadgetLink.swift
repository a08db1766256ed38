internal import CLibUSB
internal import P9Wire

/// Carries requests from one board to a responder and the replies back, on the thread that calls `run`.
///
/// Per request: the IN transfer ends with the whole T-message, the other IN transfer is submitted, the responder writes
/// its reply into the OUT transfer's buffer, the OUT transfer is submitted. No allocation, no copy, no other thread.
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
    private var current: BulkTransfer
    /// The IN transfer that is submitted while the message of `current` is executed.
    private var ahead: BulkTransfer
    private var reply: BulkTransfer

    /// The negotiated msize in bytes; 0 before the first Tversion.
    public var msize: Int { exchange.msize }

    /// Claims the gadget's interface, and takes usb-storage off the other ones of the same device.
    /// - Parameter msize: what an earlier link has negotiated, for a board that is still mounted; else 0.
    /// - Throws: `USBError.accessDenied`, `.busy` if another process has the interface, `.noDevice`.
    public init(_ gadget: Gadget, msize: Int = 0) throws(USBError) {
        self.gadget = gadget
        context = try USBContext()
        claimed = try ClaimedInterface(gadget, in: context)
        let packet = gadget.bulk.maxPacketSize
        let size = RequestFraming.bufferSize(msize: Self.initialMsize, maxPacketSize: packet)
        exchange = Exchange(maxPacketSize: packet, msize: msize)
        framing = RequestFraming(maxPacketSize: packet, bufferSize: size)
        current = try BulkTransfer(claimed, endpoint: gadget.bulk.requests, bufferSize: size)
        ahead = try BulkTransfer(claimed, endpoint: gadget.bulk.requests, bufferSize: size)
        reply = try BulkTransfer(claimed, endpoint: gadget.bulk.replies, bufferSize: Self.initialMsize)
    }

    /// The interfaces of the device that lost usb-storage or uas.
    public var detachedInterfaces: [Int] { claimed.detachedInterfaces }

    /// Answers requests until the link ends; to be called once.
    public func run(answering responder: some Responder, until stop: StopRequest) -> LinkEnd {
        stop.interrupting(context) {
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
        try read(into: current)
        while true {
            switch try awaitStep(stop) {
            case .nothing:
                if stop.isRequested { throw Ended(.stopped) }
                try read(into: current)
            case .incomplete:
                try read(into: current)
            case .request(let size, let isEnded):
                let readsAhead = !stop.isRequested || !isEnded
                try execute(size, readsAhead, responder, stop)
                if !readsAhead { throw Ended(.stopped) }
            case .refused(let refusal):
                statistics.requestsRefused += 1
                notify?(.requestRefused(refusal.reason == .tooLong ? .tooLong : .malformed))
                // Always read ahead: the end of a refused message may still be a zero-length packet away.
                try read(into: ahead)
                try send(exchange.refuse(refusal, into: reply.buffer), stop)
                swap(&current, &ahead)
            }
        }
    }

    /// Submits an IN transfer for the rest of the buffer.
    private func read(into transfer: BulkTransfer) throws(Ended) {
        do throws(USBError) {
            try transfer.submit(framing.offset..<framing.bufferSize)
        } catch {
            throw Ended(error == .noDevice ? .gone(midRequest: framing.isMidMessage) : .failed(error))
        }
    }

    /// Waits until the current IN transfer has ended, and says what it brought.
    private func awaitStep(_ stop: StopRequest) throws(Ended) -> RequestFraming.Step {
        var patience = Patience(milliseconds: 1000)
        while current.isInFlight {
            // A message that has begun is read to its end: the board can't send it again.
            if stop.isRequested, !framing.isMidMessage || patience.isOver { current.cancel() }
            context.handleEvents(milliseconds: stop.isRequested ? 50 : 60_000)
        }
        let isCancelled = current.status == LIBUSB_TRANSFER_CANCELLED
        guard isCancelled || current.status == LIBUSB_TRANSFER_COMPLETED else {
            throw failure(of: current, midRequest: framing.isMidMessage)
        }
        if isCancelled, current.count == 0, framing.isMidMessage { throw Ended(.wedged(.requestLost)) }
        return framing.received(
            current.count,
            in: UnsafeRawBufferPointer(current.buffer).bytes,
            interrupted: isCancelled
        )
    }

    /// Has a request answered, and the reply sent.
    /// - Parameter readsAhead: whether to submit the next IN transfer meanwhile.
    private func execute(
        _ size: Int,
        _ readsAhead: Bool,
        _ responder: some Responder,
        _ stop: StopRequest
    ) throws(Ended) {
        let frame = UnsafeRawBufferPointer(rebasing: current.buffer[..<size])
        let type = frame[4]
        statistics.bytesFromBoard += UInt64(size)
        trace?(.fromBoard, frame.bytes)

        // The next transfer waits at the host controller before the board can want it, except where its size is what
        // the request is about.
        let isVersion = type == MessageType.tversion.rawValue
        if readsAhead, !isVersion { try read(into: ahead) }
        var outcome = exchange.answer(frame.bytes, with: responder, into: reply.buffer)
        if isVersion {
            resize(msize: msize, keepingReply: true)
            if readsAhead, try !readAhead() {
                let tag = FrameHeader(decoding: UnsafeRawBufferPointer(reply.buffer).bytes)?.tag ?? .none
                outcome = .answered(size: ReplyRules.writeError(12 /* ENOMEM */, tag: tag, into: reply.buffer))
            }
        }
        if case .replaced = outcome {
            statistics.repliesReplaced += 1
            notify?(.replyReplaced(requestType: type))
        }
        try send(outcome, stop)
        swap(&current, &ahead)
    }

    /// Submits the next IN transfer after a Tversion; false if the kernel has no memory for the new msize, and a small
    /// buffer is in use.
    private func readAhead() throws(Ended) -> Bool {
        do throws(Ended) {
            try read(into: ahead)
            return true
        } catch {
            guard error.end == .failed(.noMemory) else { throw error }
            notify?(.noMemory(msize: msize))
            resize(msize: 0, keepingReply: true)
            try read(into: ahead)
            return false
        }
    }

    /// Sends a reply, and waits until the board has taken it.
    private func send(_ outcome: Exchange.Outcome, _ stop: StopRequest) throws(Ended) {
        guard let size = outcome.size else { throw Ended(.wedged(.requestLost)) }
        trace?(.toBoard, UnsafeRawBufferPointer(rebasing: reply.buffer[..<size]).bytes)
        do throws(USBError) {
            try reply.submit(0..<size, endWithZeroLengthPacket: exchange.needsZeroLengthPacket(replySize: size))
        } catch {
            throw Ended(error == .noDevice ? .gone(midRequest: true) : .failed(error))
        }
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

    /// Gives all transfers buffers for an msize; 0 is none negotiated.
    private func resize(msize: Int, keepingReply: Bool = false) {
        let msize = msize > 0 ? msize : Self.initialMsize
        framing.bufferSize = RequestFraming.bufferSize(msize: msize, maxPacketSize: framing.maxPacketSize)
        current.resize(framing.bufferSize)
        ahead.resize(framing.bufferSize)
        // Replies to a request from before the Tversion may be on the wire up to this size.
        let size = max(msize, Exchange.initialLimit)
        reply.resize(size, keeping: keepingReply ? Exchange.initialLimit : 0)
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
        return Ended(.failed(USBError(rawValue: LIBUSB_ERROR_IO.rawValue)))
    }

    /// Waits for the transfers that are still submitted, so that libusb lets go of their buffers.
    private func retire() {
        for transfer in [current, ahead, reply] {
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
