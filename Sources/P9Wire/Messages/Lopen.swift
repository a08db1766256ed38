/// Opens the file of a fid.
///
/// `fid[4] flags[4]`
public struct Tlopen: Message, Hashable, Sendable {
    public var fid: Fid
    public var flags: OpenFlags

    public init(fid: Fid, flags: OpenFlags) {
        self.fid = fid
        self.flags = flags
    }

    public init(decoding body: RawSpan) throws(WireError) {
        var reader = WireReader(body)
        fid = try reader.fid()
        flags = OpenFlags(rawValue: try reader.u32())
        try reader.finish()
    }

    @_lifetime(frame: copy frame)
    public func encode(tag: Tag, into frame: inout OutputRawSpan) throws(WireError) {
        try frame.begin(.tlopen, tag, bodySize: 8)
        frame.put(fid)
        frame.put(flags.rawValue)
    }
}
