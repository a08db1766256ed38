/// Makes a hard link to the file of `fid`.
///
/// `dfid[4] fid[4] name[s]`
public struct Tlink: Message, ~Escapable {
    /// The directory of the new name.
    public var directory: Fid
    /// The file.
    public var fid: Fid
    /// The new name.
    public var name: RawSpan

    /// Takes the fields in their order on the wire.
    @_lifetime(copy name)
    public init(directory: Fid, fid: Fid, name: RawSpan) {
        self.directory = directory
        self.fid = fid
        self.name = name
    }

    /// Reads the body, which follows the header.
    /// - Throws: `WireError` unless the body is exactly such a message.
    @_lifetime(copy body)
    public init(decoding body: RawSpan) throws(WireError) {
        var reader = WireReader(body)
        directory = try reader.fid()
        fid = try reader.fid()
        name = try reader.string()
        try reader.finish()
    }

    /// As `Message.encode(tag:into:)`.
    @_lifetime(frame: copy frame)
    public func encode(tag: Tag, into frame: inout OutputRawSpan) throws(WireError) {
        guard name.byteCount <= UInt16.max else { throw .limitExceeded }
        try frame.begin(.tlink, tag, bodySize: 10 + name.byteCount)
        frame.put(directory)
        frame.put(fid)
        frame.put(string: name)
    }
}
