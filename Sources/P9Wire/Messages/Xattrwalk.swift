/// Binds `newfid` to the value of an extended attribute, or to the list of names if `name` is empty.
///
/// `fid[4] newfid[4] name[s]`
public struct Txattrwalk: Message, ~Escapable {
    public var fid: Fid
    public var newfid: Fid
    public var name: RawSpan

    @_lifetime(copy name)
    public init(fid: Fid, newfid: Fid, name: RawSpan) {
        self.fid = fid
        self.newfid = newfid
        self.name = name
    }

    @_lifetime(copy body)
    public init(decoding body: RawSpan) throws(WireError) {
        var reader = WireReader(body)
        fid = try reader.fid()
        newfid = try reader.fid()
        name = try reader.string()
        try reader.finish()
    }

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

    public init(size: UInt64) {
        self.size = size
    }

    public init(decoding body: RawSpan) throws(WireError) {
        var reader = WireReader(body)
        size = try reader.u64()
        try reader.finish()
    }

    @_lifetime(frame: copy frame)
    public func encode(tag: Tag, into frame: inout OutputRawSpan) throws(WireError) {
        try frame.begin(.rxattrwalk, tag, bodySize: 8)
        frame.put(size)
    }
}
