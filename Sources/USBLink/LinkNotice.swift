/// Events that a person who watches a link should know; they don't end the link.
public enum LinkNotice: Hashable, Sendable {
    /// A request was refused without being executed. If the board has been mounted all the time, it may hang now.
    case requestRefused(Reason)
    /// The responder's reply was not valid; the board got an Rlerror(EIO). The parameter is the request's type byte.
    case replyReplaced(requestType: UInt8)
    /// The kernel has no memory for transfers of this msize; the board's mount fails with ENOMEM.
    case noMemory(msize: Int)
    /// The board has not mounted yet, or not again; the link waits for it. Told once per wait. Only of boards whose
    /// `BulkPair.followsMounts`.
    case notMounted
    /// The board had given a request up when its reply was there, and did not get the reply.
    case replyTooLate

    /// Why a request was refused.
    public enum Reason: Hashable, Sendable {
        /// The message's size field and its bytes do not agree.
        case malformed
        /// The message is larger than the negotiated msize, or belongs to a session that an earlier process had.
        case tooLong
    }
}
