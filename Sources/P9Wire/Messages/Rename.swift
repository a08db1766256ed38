/// Moves the file of a fid; the Linux client sends it only after Trenameat was answered EOPNOTSUPP.
///
/// `fid[4] dfid[4] name[s]`
public struct Trename: Message, ~Escapable {
    public var fid: Fid
    public var directory: Fid
    public var name: RawSpan

    @_lifetime(copy name)
    public init(fid: Fid, directory: Fid, name: RawSpan) {
        self.fid = fid
        self.directory = directory
        self.name = name
    }

    @_lifetime(copy body)
    public init(decoding body: RawSpan) throws(WireError) {
        var reader = WireReader(body)
        fid = try reader.fid()
        directory = try reader.fid()
        name = try reader.string()
        try reader.finish()
    }

    @_lifetime(frame: copy frame)
    public func encode(tag: Tag, into frame: inout OutputRawSpan) throws(WireError) {
        guard name.byteCount <= UInt16.max else { throw .limitExceeded }
        try frame.begin(.trename, tag, bodySize: 10 + name.byteCount)
        frame.put(fid)
        frame.put(directory)
        frame.put(string: name)
    }
}
