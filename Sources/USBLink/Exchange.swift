internal import P9Wire

/// Turns one request into exactly one reply that the board will take, even if the responder's own is not valid. Pure logic.
struct Exchange {
    let maxPacketSize: Int
    /// The negotiated msize in bytes, read from the Rversion that passes; 0 if there is none.
    private(set) var msize: Int

    /// Bytes of the largest reply before an msize is known: what the client reserves for most replies.
    static let initialLimit = 4096

    /// What became of a request.
    enum Outcome: Hashable {
        /// The responder's own reply.
        case answered(size: Int)
        /// The responder's reply was not valid; an Rlerror(EIO) took its place.
        case replaced(size: Int)
        /// There is no tag to answer with. The board waits for ever: it needs a reboot.
        case unanswerable

        /// The reply's size in bytes; nil if there is none.
        var size: Int? {
            switch self {
            case .answered(let size), .replaced(let size): size
            case .unanswerable: nil
            }
        }
    }

    /// The most bytes a reply may have.
    ///
    /// A reply that is a multiple of the packet size is ended by a zero-length packet, unless it fills the buffer that
    /// the gadget has queued: then the packet would end the *next* reply before it began. That buffer has
    /// `roundup(buflen, maxPacketSize)` bytes (`alloc_ep_req` in `drivers/usb/gadget/u_f.c`), which the host does not
    /// know, but msize is never larger. So a reply that is smaller than msize never fills it, and one that has exactly
    /// msize bytes is possible only for a symbolic link's target of msize - 9 bytes: refused, so that the rule is clear.
    var limit: Int {
        guard msize > 0 else { return Self.initialLimit }
        return msize % maxPacketSize == 0 ? msize - 1 : msize
    }

    /// Whether the reply needs a zero-length packet to end it.
    func needsZeroLengthPacket(replySize: Int) -> Bool {
        replySize % maxPacketSize == 0
    }

    /// Has a whole request answered.
    /// - Parameter reply: at least `limit` bytes.
    mutating func answer(
        _ request: RawSpan,
        with respond: Respond,
        into reply: UnsafeMutableRawBufferPointer
    ) -> Outcome {
        let isVersion = FrameHeader(decoding: request)?.type == MessageType.tversion.rawValue
        // A Tversion ends the session before it, even if it fails.
        if isVersion { msize = 0 }
        let limit = min(limit, reply.count)
        guard let rules = ReplyRules(request: request, limit: limit) else { return .unanswerable }
        let room = UnsafeMutableRawBufferPointer(rebasing: reply[..<rules.capacity])
        let size = respond(request, room)
        if size >= 0, size <= room.count, rules.accepts(UnsafeRawBufferPointer(rebasing: room[..<size]).bytes),
            !isVersion || noteVersion(UnsafeRawBufferPointer(rebasing: room[..<size]), askedBy: request)
        {
            return .answered(size: size)
        }
        return .replaced(size: rules.writeError(5 /* EIO */, into: room))
    }

    /// Answers a request that is not executed.
    ///
    /// Without a negotiated msize the message belongs to a session that an earlier process had: ESTALE tells the board
    /// that its files are gone.
    func refuse(_ refusal: RequestFraming.Refusal, into reply: UnsafeMutableRawBufferPointer) -> Outcome {
        guard let tag = refusal.tag else { return .unanswerable }
        let errno: Int32
        switch refusal.reason {
        case .malformed: errno = 71  // EPROTO
        case .tooLong: errno = msize == 0 ? 116 /* ESTALE */ : 90 /* EMSGSIZE */
        }
        return .replaced(size: ReplyRules.writeError(errno, tag: tag, into: reply))
    }

    /// For a session that can't be made: tells the board so instead of sending the Rversion.
    mutating func forgetVersion() {
        msize = 0
    }

    /// Takes the msize from an Rversion, `msize[4] version[s]`.
    /// - Returns: false for an msize above the one asked for: the buffers have this size.
    private mutating func noteVersion(_ reply: UnsafeRawBufferPointer, askedBy request: RawSpan) -> Bool {
        guard let header = FrameHeader(decoding: reply.bytes), header.type == MessageType.rversion.rawValue else {
            return true  // an Rlerror
        }
        guard let asked = try? Tversion(decoding: request.extracting(droppingFirst: FrameHeader.size)),
            let version = try? Rversion(decoding: reply.bytes.extracting(droppingFirst: FrameHeader.size)),
            version.msize <= min(asked.msize, UInt32(GadgetLink.maximumMsize))
        else { return false }
        msize = Int(version.msize)
        return true
    }
}
