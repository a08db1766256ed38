internal import P9Wire
internal import USBHost

/// Carries requests from one board to a responder and the replies back, over any transport, on the thread that calls `run`.
///
/// Per request: an IN transfer ends with the whole T-message, the other IN transfer is submitted, the responder writes
/// its reply into the OUT transfer's buffer, the OUT transfer is submitted. No allocation, no copy, no other thread.
final class RequestLoop<Transport: BulkTransport> {
    private(set) var statistics = LinkStatistics()
    var trace: ((GadgetLink.Direction, RawSpan) -> Void)?
    var notify: ((LinkNotice) -> Void)?

    /// The negotiated msize in bytes; 0 before the first Tversion.
    var msize: Int { exchange.msize }

    private let transport: Transport
    private let pair: BulkPair
    private var exchange: Exchange
    private var reader: RequestReader<Transport>
    private let reply: Transport.Transfer

    /// The buffers' msize as long as none is negotiated: the gadget's default buflen.
    private static var initialMsize: Int { 16384 }

    /// - Parameter msize: what an earlier link has negotiated, for a board that is still mounted; else 0.
    /// - Throws: `USBError.noMemory`.
    init(_ transport: Transport, _ pair: BulkPair, msize: Int) throws(USBError) {
        self.transport = transport
        self.pair = pair
        exchange = Exchange(maxPacketSize: pair.maxPacketSize, msize: msize)
        reader = try RequestReader(transport, pair, msize: Self.initialMsize)
        reply = try transport.makeTransfer(endpoint: pair.replies, bufferSize: Self.initialMsize)
    }

    /// Answers requests until the link ends; to be called once.
    /// - Parameter respond: as `Responder.respond`. A closure, so that the compiler makes this code for one transport: it
    ///   would not do that for a method that is generic over the responder besides.
    func run(answering respond: Respond, until stop: StopRequest) -> LinkEnd {
        stop.interrupting(transport) {
            guard pair.followsMounts else { return serveMount(answering: respond, until: stop) }
            return serveMounts(answering: respond, until: stop)
        }
    }

    /// Answers the requests of one mount after the other.
    private func serveMounts(answering respond: Respond, until stop: StopRequest) -> LinkEnd {
        var mounts = MountWait(transport, alternateSetting: pair.alternateSetting, notify)
        while true {
            if let end = mounts.awaitNext(until: stop) { return end }
            let end = serveMount(answering: respond, until: stop)
            guard end == .failed(.inputOutput) || end == .wedged(.replyNotTaken), !stop.isRequested else { return end }
            if end == .wedged(.replyNotTaken) { dropReply() }
            // The endpoints are shut down. The next mount begins with a Tversion.
            exchange = Exchange(maxPacketSize: pair.maxPacketSize, msize: 0)
        }
    }

    /// Answers the requests of one mount.
    private func serveMount(answering respond: Respond, until stop: StopRequest) -> LinkEnd {
        defer {
            reader.retire()
            transport.retire(reply)
        }
        do throws(LinkEnded) {
            try answerRequests(by: respond, until: stop)
        } catch {
            return error.end
        }
    }

    private func answerRequests(by respond: Respond, until stop: StopRequest) throws(LinkEnded) -> Never {
        resize(msize: msize)
        while true {
            switch try reader.next(until: stop) {
            case .nothing, .incomplete:
                break
            case .request(let size, let isEnded):
                let request = UnsafeRawBufferPointer(rebasing: reader.buffer[..<size])
                // The next transfer waits at the host controller before the board can want it, except where its size is
                // what the request is about.
                let isVersion = request[4] == MessageType.tversion.rawValue
                if !isVersion, !isEnded || !stop.isRequested { reader.readAhead() }
                let outcome = answer(request, by: respond)
                try send(isVersion ? resizeForVersion(outcome) : outcome, until: stop)
            case .refused(let refusal, let isEnded):
                statistics.requestsRefused += 1
                notify?(.requestRefused(refusal.reason == .tooLong ? .tooLong : .malformed))
                if !isEnded || !stop.isRequested { reader.readAhead() }
                try send(exchange.refuse(refusal, into: reply.buffer), until: stop)
            }
        }
    }

    /// Has a request answered.
    private func answer(_ request: UnsafeRawBufferPointer, by respond: Respond) -> Exchange.Outcome {
        statistics.bytesFromBoard += UInt64(request.count)
        trace?(.fromBoard, request.bytes)
        let outcome = exchange.answer(request.bytes, with: respond, into: reply.buffer)
        if case .replaced = outcome {
            statistics.repliesReplaced += 1
            notify?(.replyReplaced(requestType: request[4]))
        }
        return outcome
    }
}

// MARK: - Buffers

extension RequestLoop {
    /// Gives the transfers buffers for a new msize, and submits the incoming one, before the board is told: if the kernel
    /// has no memory for it, the mount must fail.
    /// - Returns: what to send.
    private func resizeForVersion(_ outcome: Exchange.Outcome) throws(LinkEnded) -> Exchange.Outcome {
        resize(msize: msize)
        do throws(LinkEnded) {
            try reader.read()
            return outcome
        } catch {
            guard error.end == .failed(.noMemory) else { throw error }
            notify?(.noMemory(msize: msize))
            let refusal = replyNoMemory()
            resize(msize: msize)
            try reader.read()
            return refusal
        }
    }

    /// Gives all transfers buffers for an msize; 0 if none was negotiated. A small reply stays where it is.
    private func resize(msize: Int) {
        let msize = msize > 0 ? msize : Self.initialMsize
        reader.resize(msize: msize)
        // The smallest msize is the largest reply to a Tversion: both are 4096.
        reply.resize(max(msize, Exchange.initialLimit), keeping: Exchange.initialLimit)
    }

    /// Replaces the reply in the buffer by an Rlerror(ENOMEM).
    private func replyNoMemory() -> Exchange.Outcome {
        forgetUnsentVersion()
        let tag = replyHeader?.tag ?? .none
        return .replaced(size: ReplyRules.writeError(12 /* ENOMEM */, tag: tag, into: reply.buffer))
    }

    /// Takes back what an unsent Rversion would have granted.
    private func forgetUnsentVersion() {
        if replyHeader?.type == MessageType.rversion.rawValue { exchange.forgetVersion() }
    }

    /// The header of the reply in the buffer.
    private var replyHeader: FrameHeader? { FrameHeader(decoding: UnsafeRawBufferPointer(reply.buffer).bytes) }
}

// MARK: - Replies

extension RequestLoop {
    /// Sends a reply, and waits until the board has taken it, or no longer wants it.
    private func send(_ outcome: Exchange.Outcome, until stop: StopRequest) throws(LinkEnded) {
        guard let wanted = outcome.size else { throw LinkEnded(.wedged(.requestLost)) }
        if pair.followsMounts {
            transport.handleEvents(milliseconds: 0)
            if isTagInUseAgain { return dropReply() }
        }
        let size = try submitReply(wanted)
        trace?(.toBoard, UnsafeRawBufferPointer(rebasing: reply.buffer[..<size]).bytes)
        let isLate = awaitReplyTaken(until: stop)
        if isLate, reply.outcome == .cancelled, reply.count == 0 { return dropReply() }
        // Never sent again: it is unknown how much of it the board has taken.
        guard reply.outcome == .completed, reply.count == size else {
            let end = transport.end(after: reply.outcome, midRequest: true)
            if case .gone = end { throw LinkEnded(end) }
            throw LinkEnded(.wedged(.replyNotTaken))
        }
        statistics.requests += 1
        statistics.bytesToBoard += UInt64(size)
    }

    /// Waits until the reply is taken or can't be.
    ///
    /// A board that gives up requests after some time may never take the reply to one of them. It is known by its next
    /// message: it has one request at a time.
    /// - Returns: whether the board has given the request up.
    private func awaitReplyTaken(until stop: StopRequest) -> Bool {
        var stopPatience = Patience(.seconds(2))
        var latePatience = Patience(.seconds(1))
        var isLate = false
        while reply.isInFlight {
            if stop.isRequested, stopPatience.isOver(at: transport.now) { reply.cancel() }
            isLate = pair.followsMounts && reader.hasNext
            if isLate, isTagInUseAgain || latePatience.isOver(at: transport.now) { reply.cancel() }
            transport.waitForEvents(briefly: stop.isRequested || isLate)
        }
        return isLate
    }

    /// Whether the board's next message has the tag of the reply in the buffer: the board would take it for the new
    /// request's.
    private var isTagInUseAgain: Bool {
        guard let next = reader.nextTag else { return false }
        return replyHeader?.tag == next
    }

    /// Counts a reply that the board doesn't want any more.
    private func dropReply() {
        forgetUnsentVersion()
        statistics.repliesTooLate += 1
        notify?(.replyTooLate)
    }

    /// - Returns: the bytes of the reply that is on its way.
    private func submitReply(_ size: Int) throws(LinkEnded) -> Int {
        do throws(USBError) {
            do throws(USBError) {
                try submit(size)
                return size
            } catch {
                // Nothing was sent. Large transfers need kernel memory that many boards share; an Rlerror needs none.
                guard error == .noMemory else { throw error }
                notify?(.noMemory(msize: msize))
                let size = replyNoMemory().size ?? 0
                try submit(size)
                return size
            }
        } catch {
            throw LinkEnded(LinkEnd(submitting: error, midRequest: true))
        }
    }

    private func submit(_ size: Int) throws(USBError) {
        try reply.submit(0..<size, endWithZeroLengthPacket: exchange.needsZeroLengthPacket(replySize: size))
    }
}
