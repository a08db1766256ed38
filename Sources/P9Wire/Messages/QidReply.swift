/// A reply that tells the qid of the file made or attached to: `qid[13]`. Rattach, Rauth, Rsymlink, Rmknod, Rmkdir.
public struct QidReply: Hashable, Sendable {
    public var qid: Qid

    public init(qid: Qid) {
        self.qid = qid
    }

    public init(decoding body: RawSpan) throws(WireError) {
        var reader = WireReader(body)
        qid = try reader.qid()
        try reader.finish()
    }

    @_lifetime(frame: copy frame)
    public func encode(_ type: MessageType, tag: Tag, into frame: inout OutputRawSpan) throws(WireError) {
        try frame.begin(type, tag, bodySize: Qid.size)
        frame.put(qid)
    }
}
