/// Binds `newfid` to the value of an extended attribute, or to the list of names if `name` is empty.
///
/// `fid[4] newfid[4] name[s]`
public struct Txattrwalk: Message, ~Escapable {
    /// The file.
    public var fid: Fid
    /// The fid for the value or the list.
    public var newfid: Fid
    /// The name of the attribute, or nothing.
    public var name: RawSpan

    /// Takes the fields in their order on the wire.
    @_lifetime(copy name)
    public init(fid: Fid, newfid: Fid, name: RawSpan) {
        self.fid = fid
        self.newfid = newfid
        self.name = name
    }

    /// Reads the body, which follows the header.
    /// - Throws: `WireError` unless the body is exactly such a message.
    @_lifetime(copy body)
    public init(decoding body: RawSpan) throws(WireError) {
        var reader = WireReader(body)
        fid = try reader.fid()
        newfid = try reader.fid()
        name = try reader.string()
        try reader.finish()
    }

    /// As `Message.encode(tag:into:)`.
    @_lifetime(frame: copy frame)
    public func encode(tag: Tag, into frame: inout OutputRawSpan) throws(WireError) {
        guard name.byteCount <= UInt16.max else { throw .limitExceeded }
        try frame.begin(.txattrwalk, tag, bodySize: 10 + name.byteCount)
        frame.put(fid)
        frame.put(newfid)
        frame.put(string: name)
    }
}

/// How much there is to read.
///
/// `size[8]`
public struct Rxattrwalk: Message, Hashable, Sendable {
    /// In bytes.
    public var size: UInt64

    /// Takes the fields in their order on the wire.
    public init(size: UInt64) {
        self.size = size
    }

    /// Reads the body, which follows the header.
    /// - Throws: `WireError` unless the body is exactly such a message.
    public init(decoding body: RawSpan) throws(WireError) {
        var reader = WireReader(body)
        size = try reader.u64()
        try reader.finish()
    }

    /// As `Message.encode(tag:into:)`.
    @_lifetime(frame: copy frame)
    public func encode(tag: Tag, into frame: inout OutputRawSpan) throws(WireError) {
        try frame.begin(.rxattrwalk, tag, bodySize: 8)
        frame.put(size)
    }
}
