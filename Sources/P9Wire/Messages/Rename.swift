/// Moves the file of a fid; the Linux client sends it only after Trenameat was answered EOPNOTSUPP.
///
/// `fid[4] dfid[4] name[s]`
public struct Trename: Message, ~Escapable {
    /// The file.
    public var fid: Fid
    /// Where it goes.
    public var directory: Fid
    /// Its new name.
    public var name: RawSpan

    /// Takes the fields in their order on the wire.
    @_lifetime(copy name)
    public init(fid: Fid, directory: Fid, name: RawSpan) {
        self.fid = fid
        self.directory = directory
        self.name = name
    }

    /// Reads the body, which follows the header.
    /// - Throws: `WireError` unless the body is exactly such a message.
    @_lifetime(copy body)
    public init(decoding body: RawSpan) throws(WireError) {
        var reader = WireReader(body)
        fid = try reader.fid()
        directory = try reader.fid()
        name = try reader.string()
        try reader.finish()
    }

    /// As `Message.encode(tag:into:)`.
    @_lifetime(frame: copy frame)
    public func encode(tag: Tag, into frame: inout OutputRawSpan) throws(WireError) {
        guard name.byteCount <= UInt16.max else { throw .limitExceeded }
        try frame.begin(.trename, tag, bodySize: 10 + name.byteCount)
        frame.put(fid)
        frame.put(directory)
        frame.put(string: name)
    }
}
