/// Makes a symbolic link.
///
/// `dfid[4] name[s] symtgt[s] gid[4]`
public struct Tsymlink: Message, ~Escapable {
    /// Where it is made.
    public var directory: Fid
    /// The name of the new link.
    public var name: RawSpan
    /// Where it leads; any bytes.
    public var target: RawSpan
    /// The group of the new link.
    public var gid: UInt32

    /// Takes the fields in their order on the wire.
    @_lifetime(copy name, copy target)
    public init(directory: Fid, name: RawSpan, target: RawSpan, gid: UInt32) {
        self.directory = directory
        self.name = name
        self.target = target
        self.gid = gid
    }

    /// Reads the body, which follows the header.
    /// - Throws: `WireError` unless the body is exactly such a message.
    @_lifetime(copy body)
    public init(decoding body: RawSpan) throws(WireError) {
        var reader = WireReader(body)
        directory = try reader.fid()
        name = try reader.string()
        target = try reader.string()
        gid = try reader.u32()
        try reader.finish()
    }

    /// As `Message.encode(tag:into:)`.
    @_lifetime(frame: copy frame)
    public func encode(tag: Tag, into frame: inout OutputRawSpan) throws(WireError) {
        guard name.byteCount <= UInt16.max else { throw .limitExceeded }
        guard target.byteCount <= UInt16.max else { throw .limitExceeded }
        try frame.begin(.tsymlink, tag, bodySize: 12 + name.byteCount + target.byteCount)
        frame.put(directory)
        frame.put(string: name)
        frame.put(string: target)
        frame.put(gid)
    }
}
