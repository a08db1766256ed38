/// Makes a regular file in the directory `fid`, and opens it: `fid` is the file from then on.
///
/// `fid[4] name[s] flags[4] mode[4] gid[4]`
public struct Tlcreate: Message, ~Escapable {
    /// The directory; afterwards the open file.
    public var fid: Fid
    /// The name of the new file.
    public var name: RawSpan
    /// How the file is opened.
    public var flags: OpenFlags
    /// Permission bits; the client has applied its umask.
    public var mode: UInt32
    /// The group of the new file.
    public var gid: UInt32

    /// Takes the fields in their order on the wire.
    @_lifetime(copy name)
    public init(fid: Fid, name: RawSpan, flags: OpenFlags, mode: UInt32, gid: UInt32) {
        self.fid = fid
        self.name = name
        self.flags = flags
        self.mode = mode
        self.gid = gid
    }

    /// Reads the body, which follows the header.
    /// - Throws: `WireError` unless the body is exactly such a message.
    @_lifetime(copy body)
    public init(decoding body: RawSpan) throws(WireError) {
        var reader = WireReader(body)
        fid = try reader.fid()
        name = try reader.string()
        flags = OpenFlags(rawValue: try reader.u32())
        mode = try reader.u32()
        gid = try reader.u32()
        try reader.finish()
    }

    /// As `Message.encode(tag:into:)`.
    @_lifetime(frame: copy frame)
    public func encode(tag: Tag, into frame: inout OutputRawSpan) throws(WireError) {
        guard name.byteCount <= UInt16.max else { throw .limitExceeded }
        try frame.begin(.tlcreate, tag, bodySize: 18 + name.byteCount)
        frame.put(fid)
        frame.put(string: name)
        frame.put(flags.rawValue)
        frame.put(mode)
        frame.put(gid)
    }
}
