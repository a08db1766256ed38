/// A request that names a fid and nothing else: `fid[4]`. Tstatfs, Treadlink, Tclunk and Tremove.
public struct FidRequest: Message, Hashable, Sendable {
    public var type: MessageType
    public var fid: Fid

    public init(_ type: MessageType, fid: Fid) {
        self.type = type
        self.fid = fid
    }

    public init(_ type: MessageType, decoding body: RawSpan) throws(WireError) {
        self.type = type
        var reader = WireReader(body)
        fid = try reader.fid()
        try reader.finish()
    }

    @_lifetime(frame: copy frame)
    public func encode(tag: Tag, into frame: inout OutputRawSpan) throws(WireError) {
        try frame.begin(type, tag, bodySize: 4)
        frame.put(fid)
    }
}
