internal import P9Wire

/// Makes requests out of bulk IN transfers. Pure logic: it sees how many bytes came, and moves none.
///
/// The gadget sends each T-message as one USB transfer, ended by a short packet, or by a zero-length packet where the
/// size is a multiple of the packet size. The host's buffer is larger than any message (`bufferSize(msize:)`), so one
/// IN transfer takes a message and its zero-length packet. The exceptions are why this type exists: a message larger
/// than the buffer (the board was mounted with a larger msize than this process knows of), a transfer that was cut
/// short because the link is to stop, and a device that sends nonsense.
struct RequestFraming {
    let maxPacketSize: Int
    /// Bytes of the buffer that transfers go to; a multiple of the packet size.
    var bufferSize: Int

    /// Where the next transfer's bytes belong in the buffer; the rest of the buffer is the transfer's length.
    private(set) var offset = 0

    /// A message that can only be answered with an error, while its rest is still to come.
    private var draining: (refusal: Refusal, received: Int, size: Int)?

    init(maxPacketSize: Int, bufferSize: Int) {
        self.maxPacketSize = maxPacketSize
        self.bufferSize = bufferSize
    }

    /// The buffer for messages of at most `msize` bytes: `roundup(msize + 1, maxPacketSize)`, which leaves room for one
    /// more packet, so that the zero-length packet ends the same transfer.
    static func bufferSize(msize: Int, maxPacketSize: Int) -> Int {
        (msize + maxPacketSize) / maxPacketSize * maxPacketSize
    }

    /// A request that is not executed.
    struct Refusal: Hashable {
        /// The request's tag; nil where not even a header came, so that no reply is possible.
        var tag: Tag?
        var reason: Reason

        enum Reason {
            /// Larger than the buffer.
            case tooLong
            /// The size field and the bytes do not agree.
            case malformed
        }
    }

    enum Step: Hashable {
        /// Nothing came, and nothing was begun: a stray zero-length packet, or a cancelled transfer.
        case nothing
        /// The message has begun; read on at `offset`.
        case incomplete
        /// The first `size` bytes of the buffer are a request. `isEnded` is false if its zero-length packet is still to
        /// be taken; until then, the gadget doesn't listen for the reply.
        case request(size: Int, isEnded: Bool)
        /// A message that is not executed has come, `isEnded` as above.
        case refused(Refusal, isEnded: Bool)
    }

    /// Whether a message has begun to arrive.
    var isMidMessage: Bool { offset > 0 || draining != nil }

    /// Takes note of a finished transfer.
    /// - Parameters:
    ///   - count: the bytes it brought, at `offset`.
    ///   - buffer: the whole buffer.
    ///   - interrupted: whether the host cancelled it, so that its end need not be the message's end.
    mutating func received(_ count: Int, in buffer: RawSpan, interrupted: Bool) -> Step {
        // A transfer ends early by a short packet (a zero-length one included) or by the host's cancelling.
        let isEnded = interrupted ? count % maxPacketSize != 0 : offset + count < bufferSize
        if var drained = draining {
            drained.received += count
            if isEnded || drained.received >= drained.size {
                draining = nil
                return .refused(drained.refusal, isEnded: isEnded)
            }
            draining = drained
            return .incomplete
        }

        let total = offset + count
        if total == 0 { return .nothing }
        guard let header = FrameHeader(decoding: buffer.extracting(first: total)) else {
            return refuse(Refusal(tag: nil, reason: .malformed), after: total, of: .max, isEnded: isEnded)
        }
        let size = Int(header.size)
        if size == total {
            offset = 0
            return .request(size: size, isEnded: isEnded || size % maxPacketSize != 0)
        }
        if size > total, !isEnded {
            // A message that just fits is read to its end; the zero-length packet then gets a transfer of its own.
            if size <= bufferSize {
                offset = total
                return .incomplete
            }
            return refuse(Refusal(tag: header.tag, reason: .tooLong), after: total, of: size, isEnded: false)
        }
        return refuse(Refusal(tag: header.tag, reason: .malformed), after: total, of: .max, isEnded: isEnded)
    }

    /// Refuses a message, once all of it has come.
    private mutating func refuse(_ refusal: Refusal, after received: Int, of size: Int, isEnded: Bool) -> Step {
        offset = 0
        if isEnded { return .refused(refusal, isEnded: true) }
        draining = (refusal, received, size)
        return .incomplete
    }
}
