/// A reply that tells the qid of the file made or attached to: `qid[13]`. Rattach, Rauth, Rsymlink, Rmknod, Rmkdir.
public struct QidReply: Message, Hashable, Sendable {
    /// Which of these replies it is.
    public var type: MessageType
    /// The qid of the file.
    public var qid: Qid

    /// Takes the fields in their order on the wire.
    public init(_ type: MessageType, qid: Qid) {
        self.type = type
        self.qid = qid
    }

    /// Reads the body, which follows the header that has the type.
    /// - Throws: `WireError` unless the body is exactly such a message.
    public init(_ type: MessageType, decoding body: RawSpan) throws(WireError) {
        self.type = type
        var reader = WireReader(body)
        qid = try reader.qid()
        try reader.finish()
    }

    /// As `Message.encode(tag:into:)`.
    @_lifetime(frame: copy frame)
    public func encode(tag: Tag, into frame: inout OutputRawSpan) throws(WireError) {
        try frame.begin(type, tag, bodySize: Qid.size)
        frame.put(qid)
    }
}
