/// A request that names a fid and nothing else: `fid[4]`. Tstatfs, Treadlink, Tclunk and Tremove.
public struct FidRequest: Message, Hashable, Sendable {
    /// Which of these requests it is.
    public var type: MessageType
    /// The fid that it is about.
    public var fid: Fid

    /// Makes one of these requests.
    public init(_ type: MessageType, fid: Fid) {
        self.type = type
        self.fid = fid
    }

    /// Reads the body, which follows the header that has the type.
    /// - Throws: `WireError` unless the body is exactly such a message.
    public init(_ type: MessageType, decoding body: RawSpan) throws(WireError) {
        self.type = type
        var reader = WireReader(body)
        fid = try reader.fid()
        try reader.finish()
    }

    /// As `Message.encode(tag:into:)`.
    @_lifetime(frame: copy frame)
    public func encode(tag: Tag, into frame: inout OutputRawSpan) throws(WireError) {
        try frame.begin(type, tag, bodySize: 4)
        frame.put(fid)
    }
}
