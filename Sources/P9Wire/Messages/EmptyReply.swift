/// A reply without a body: Rflush, Rclunk, Rremove, Rrename, Rsetattr, Rxattrcreate, Rfsync, Rlink, Rrenameat and
/// Runlinkat.
public struct EmptyReply: Hashable, Sendable {
    public init() {}

    public init(decoding body: RawSpan) throws(WireError) {
        try WireReader(body).finish()
    }

    @_lifetime(frame: copy frame)
    public func encode(_ type: MessageType, tag: Tag, into frame: inout OutputRawSpan) throws(WireError) {
        try frame.begin(type, tag, bodySize: 0)
    }
}
