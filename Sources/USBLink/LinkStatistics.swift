/// What a link has moved.
public struct LinkStatistics: Hashable, Sendable {
    /// Requests answered, those answered with an error included.
    public var requests: UInt64 = 0
    /// Bytes of requests from the board.
    public var bytesFromBoard: UInt64 = 0
    /// Bytes of replies to the board.
    public var bytesToBoard: UInt64 = 0
    /// Replies by the responder that the board would not have taken; each was replaced by an Rlerror.
    public var repliesReplaced: UInt64 = 0
    /// Requests that were refused without being executed: malformed, or larger than the link's buffer.
    public var requestsRefused: UInt64 = 0
    /// Replies that were not sent, since the board had given their requests up.
    public var repliesTooLate: UInt64 = 0

    /// Nothing has been moved.
    public init() {}
}
