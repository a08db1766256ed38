/// The reply to an open: `qid[13] iounit[4]`. Rlopen and Rlcreate.
public struct OpenReply: Message, Hashable, Sendable {
    /// Which of these replies it is.
    public var type: MessageType
    /// The qid of the open file.
    public var qid: Qid
    /// The most bytes that one Tread or Twrite may move; 0 means "msize less the header".
    public var iounit: UInt32

    /// Takes the fields in their order on the wire.
    public init(_ type: MessageType, qid: Qid, iounit: UInt32) {
        self.type = type
        self.qid = qid
        self.iounit = iounit
    }

    /// Reads the body, which follows the header that has the type.
    /// - Throws: `WireError` unless the body is exactly such a message.
    public init(_ type: MessageType, decoding body: RawSpan) throws(WireError) {
        self.type = type
        var reader = WireReader(body)
        qid = try reader.qid()
        iounit = try reader.u32()
        try reader.finish()
    }

    /// As `Message.encode(tag:into:)`.
    @_lifetime(frame: copy frame)
    public func encode(tag: Tag, into frame: inout OutputRawSpan) throws(WireError) {
        try frame.begin(type, tag, bodySize: Qid.size + 4)
        frame.put(qid)
        frame.put(iounit)
    }
}
