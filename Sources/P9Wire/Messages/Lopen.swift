/// Opens the file of a fid.
///
/// `fid[4] flags[4]`
public struct Tlopen: Message, Hashable, Sendable {
    /// The file; afterwards the fid is open.
    public var fid: Fid
    /// How the file is opened.
    public var flags: OpenFlags

    /// Takes the fields in their order on the wire.
    public init(fid: Fid, flags: OpenFlags) {
        self.fid = fid
        self.flags = flags
    }

    /// Reads the body, which follows the header.
    /// - Throws: `WireError` unless the body is exactly such a message.
    public init(decoding body: RawSpan) throws(WireError) {
        var reader = WireReader(body)
        fid = try reader.fid()
        flags = OpenFlags(rawValue: try reader.u32())
        try reader.finish()
    }

    /// As `Message.encode(tag:into:)`.
    @_lifetime(frame: copy frame)
    public func encode(tag: Tag, into frame: inout OutputRawSpan) throws(WireError) {
        try frame.begin(.tlopen, tag, bodySize: 8)
        frame.put(fid)
        frame.put(flags.rawValue)
    }
}
