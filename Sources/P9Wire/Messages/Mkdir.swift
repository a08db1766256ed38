/// Makes a directory.
///
/// `dfid[4] name[s] mode[4] gid[4]`
public struct Tmkdir: Message, ~Escapable {
    /// Where it is made.
    public var directory: Fid
    /// The name of the new directory.
    public var name: RawSpan
    /// Permission bits; the client has applied its umask.
    public var mode: UInt32
    /// The group of the new directory.
    public var gid: UInt32

    /// Takes the fields in their order on the wire.
    @_lifetime(copy name)
    public init(directory: Fid, name: RawSpan, mode: UInt32, gid: UInt32) {
        self.directory = directory
        self.name = name
        self.mode = mode
        self.gid = gid
    }

    /// Reads the body, which follows the header.
    /// - Throws: `WireError` unless the body is exactly such a message.
    @_lifetime(copy body)
    public init(decoding body: RawSpan) throws(WireError) {
        var reader = WireReader(body)
        directory = try reader.fid()
        name = try reader.string()
        mode = try reader.u32()
        gid = try reader.u32()
        try reader.finish()
    }

    /// As `Message.encode(tag:into:)`.
    @_lifetime(frame: copy frame)
    public func encode(tag: Tag, into frame: inout OutputRawSpan) throws(WireError) {
        guard name.byteCount <= UInt16.max else { throw .limitExceeded }
        try frame.begin(.tmkdir, tag, bodySize: 14 + name.byteCount)
        frame.put(directory)
        frame.put(string: name)
        frame.put(mode)
        frame.put(gid)
    }
}
