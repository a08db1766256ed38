/// Makes a device node, FIFO, socket or empty file.
///
/// `dfid[4] name[s] mode[4] major[4] minor[4] gid[4]`
public struct Tmknod: Message, ~Escapable {
    /// Where it is made.
    public var directory: Fid
    /// The name of the new node.
    public var name: RawSpan
    /// With the S_IFMT bits.
    public var mode: UInt32
    /// The major number of a device.
    public var major: UInt32
    /// The minor number of a device.
    public var minor: UInt32
    /// The group of the new node.
    public var gid: UInt32

    /// Takes the fields in their order on the wire.
    @_lifetime(copy name)
    public init(directory: Fid, name: RawSpan, mode: UInt32, major: UInt32, minor: UInt32, gid: UInt32) {
        self.directory = directory
        self.name = name
        self.mode = mode
        self.major = major
        self.minor = minor
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
        major = try reader.u32()
        minor = try reader.u32()
        gid = try reader.u32()
        try reader.finish()
    }

    /// As `Message.encode(tag:into:)`.
    @_lifetime(frame: copy frame)
    public func encode(tag: Tag, into frame: inout OutputRawSpan) throws(WireError) {
        guard name.byteCount <= UInt16.max else { throw .limitExceeded }
        try frame.begin(.tmknod, tag, bodySize: 22 + name.byteCount)
        frame.put(directory)
        frame.put(string: name)
        frame.put(mode)
        frame.put(major)
        frame.put(minor)
        frame.put(gid)
    }
}
