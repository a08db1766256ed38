/// A reply without a body: Rflush, Rclunk, Rremove, Rrename, Rsetattr, Rxattrcreate, Rfsync, Rlink, Rrenameat and
/// Runlinkat.
public struct EmptyReply: Message, Hashable, Sendable {
    public var type: MessageType

    public init(_ type: MessageType) {
        self.type = type
    }

    public init(_ type: MessageType, decoding body: RawSpan) throws(WireError) {
        self.type = type
        try WireReader(body).finish()
    }

    @_lifetime(frame: copy frame)
    public func encode(tag: Tag, into frame: inout OutputRawSpan) throws(WireError) {
        try frame.begin(type, tag, bodySize: 0)
    }
}
