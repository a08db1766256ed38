/// A reply without a body: Rflush, Rclunk, Rremove, Rrename, Rsetattr, Rxattrcreate, Rfsync, Rlink, Rrenameat and
/// Runlinkat.
public struct EmptyReply: Message, Hashable, Sendable {
    /// Which of these replies it is.
    public var type: MessageType

    /// Makes one of these replies.
    public init(_ type: MessageType) {
        self.type = type
    }

    /// Reads the body, which follows the header that has the type.
    /// - Throws: `WireError` unless the body is exactly such a message.
    public init(_ type: MessageType, decoding body: RawSpan) throws(WireError) {
        self.type = type
        try WireReader(body).finish()
    }

    /// As `Message.encode(tag:into:)`.
    @_lifetime(frame: copy frame)
    public func encode(tag: Tag, into frame: inout OutputRawSpan) throws(WireError) {
        try frame.begin(type, tag, bodySize: 0)
    }
}
