internal import P9Wire
internal import USBHost

/// Brings one request after the other. Two IN transfers take turns: while one holds the current request, the other one waits
/// for the next.
struct RequestReader<Transport: BulkTransport> {
    private let transport: Transport
    private var framing: RequestFraming
    /// The transfer that brings the next message.
    private var incoming: Transport.Transfer
    /// The transfer that holds the current message.
    private var inHand: Transport.Transfer
    /// Whether `incoming` was submitted and its outcome has not been looked at; it may have ended meanwhile.
    private var isReading = false
    /// How long what has begun to arrive may take to end, once the link is to stop.
    private var endPatience = Patience(.seconds(1))

    /// - Throws: `USBError.noMemory`.
    init(_ transport: Transport, _ pair: BulkPair, msize: Int) throws(USBError) {
        self.transport = transport
        let size = RequestFraming.bufferSize(msize: msize, maxPacketSize: pair.maxPacketSize)
        framing = RequestFraming(maxPacketSize: pair.maxPacketSize, bufferSize: size)
        incoming = try transport.makeTransfer(endpoint: pair.requests, bufferSize: size)
        inHand = try transport.makeTransfer(endpoint: pair.requests, bufferSize: size)
    }

    /// The buffer that begins with the current request.
    var buffer: UnsafeRawBufferPointer { UnsafeRawBufferPointer(inHand.buffer) }

    /// Whether the next message, or a part of it, has come while the current one is dealt with, or the transfer for it has
    /// failed. True only after the transport's events were handled.
    var hasNext: Bool { isReading && !incoming.isInFlight }

    /// The tag of the next message, if it has come.
    var nextTag: Tag? {
        guard hasNext, framing.offset == 0 else { return nil }
        return FrameHeader(decoding: UnsafeRawBufferPointer(incoming.buffer).bytes.extracting(first: incoming.count))?
            .tag
    }

    /// Waits for a message, which becomes the current one.
    ///
    /// Before the end of a message is taken, the board doesn't listen for the reply: a caller reads ahead then in any case.
    mutating func next(until stop: StopRequest) throws(LinkEnded) -> RequestFraming.Step {
        if !isReading {
            // What has begun to arrive must be answered before the link may stop; if it ever ends.
            if stop.isRequested {
                guard framing.isMidMessage else { throw LinkEnded(.stopped) }
                if endPatience.isOver(at: transport.now) { throw LinkEnded(.wedged(.requestLost)) }
            }
            try read()
        }
        while incoming.isInFlight {
            // A message that has begun is read to its end: the board can't send it again.
            if stop.isRequested, !framing.isMidMessage || endPatience.isOver(at: transport.now) { incoming.cancel() }
            transport.waitForEvents(briefly: stop.isRequested)
        }
        isReading = false
        let step = try takeIncoming()
        if case .request = step { swap(&incoming, &inHand) }
        return step
    }

    /// What the incoming transfer has brought.
    private mutating func takeIncoming() throws(LinkEnded) -> RequestFraming.Step {
        let isCancelled = incoming.outcome == .cancelled
        guard isCancelled || incoming.outcome == .completed else {
            let isMidRequest = framing.isMidMessage || incoming.count > 0
            throw LinkEnded(transport.end(after: incoming.outcome, midRequest: isMidRequest))
        }
        if isCancelled, incoming.count == 0, framing.isMidMessage { throw LinkEnded(.wedged(.requestLost)) }
        return framing.received(
            incoming.count,
            in: UnsafeRawBufferPointer(incoming.buffer).bytes,
            interrupted: isCancelled
        )
    }

    /// Submits the incoming transfer for the rest of its buffer.
    mutating func read() throws(LinkEnded) {
        do throws(USBError) {
            try incoming.submit(framing.offset..<framing.bufferSize, endWithZeroLengthPacket: false)
            isReading = true
        } catch {
            throw LinkEnded(LinkEnd(submitting: error, midRequest: framing.isMidMessage))
        }
    }

    /// Submits the incoming transfer before the current request is answered, which must happen in any case: an error here
    /// comes again when the reply is sent, or at the next `next`.
    mutating func readAhead() {
        try? read()
    }

    /// Gives both transfers buffers for an msize, in bytes.
    mutating func resize(msize: Int) {
        framing.bufferSize = RequestFraming.bufferSize(msize: msize, maxPacketSize: framing.maxPacketSize)
        incoming.resize(framing.bufferSize, keeping: 0)
        inHand.resize(framing.bufferSize, keeping: 0)
    }

    /// Ends what is under way, and forgets what has begun to arrive.
    mutating func retire() {
        transport.retire(incoming)
        transport.retire(inHand)
        isReading = false
        framing = RequestFraming(maxPacketSize: framing.maxPacketSize, bufferSize: framing.bufferSize)
    }
}
