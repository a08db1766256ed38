/// Asks that the file's data be on stable storage before the reply.
///
/// `fid[4] datasync[4]`. Clients older than Linux 2.6.39 leave `datasync` out.
public struct Tfsync: Message, Hashable, Sendable {
    /// The open file.
    public var fid: Fid
    /// Other than 0: as `fdatasync(2)`.
    public var dataOnly: UInt32

    /// Takes the fields in their order on the wire.
    public init(fid: Fid, dataOnly: UInt32) {
        self.fid = fid
        self.dataOnly = dataOnly
    }

    /// Reads the body, which follows the header.
    /// - Throws: `WireError` unless the body is exactly such a message.
    public init(decoding body: RawSpan) throws(WireError) {
        var reader = WireReader(body)
        fid = try reader.fid()
        dataOnly = reader.isAtEnd ? 0 : try reader.u32()
        try reader.finish()
    }

    /// As `Message.encode(tag:into:)`.
    @_lifetime(frame: copy frame)
    public func encode(tag: Tag, into frame: inout OutputRawSpan) throws(WireError) {
        try frame.begin(.tfsync, tag, bodySize: 8)
        frame.put(fid)
        frame.put(dataOnly)
    }
}
