/// A request that names a fid and nothing else: `fid[4]`. Tstatfs, Treadlink, Tclunk and Tremove.
public struct FidRequest: Hashable, Sendable {
    public var fid: Fid

    public init(fid: Fid) {
        self.fid = fid
    }

    public init(decoding body: RawSpan) throws(WireError) {
        var reader = WireReader(body)
        fid = try reader.fid()
        try reader.finish()
    }

    @_lifetime(frame: copy frame)
    public func encode(_ type: MessageType, tag: Tag, into frame: inout OutputRawSpan) throws(WireError) {
        try frame.begin(type, tag, bodySize: 4)
        frame.put(fid)
    }
}
