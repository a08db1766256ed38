/// A reply that tells the qid of the file made or attached to: `qid[13]`. Rattach, Rauth, Rsymlink, Rmknod, Rmkdir.
public struct QidReply: Message, Hashable, Sendable {
    public var type: MessageType
    public var qid: Qid

    public init(_ type: MessageType, qid: Qid) {
        self.type = type
        self.qid = qid
    }

    public init(_ type: MessageType, decoding body: RawSpan) throws(WireError) {
        self.type = type
        var reader = WireReader(body)
        qid = try reader.qid()
        try reader.finish()
    }

    @_lifetime(frame: copy frame)
    public func encode(tag: Tag, into frame: inout OutputRawSpan) throws(WireError) {
        try frame.begin(type, tag, bodySize: Qid.size)
        frame.put(qid)
    }
}
