/// Asks for an authentication fid.
///
/// `afid[4] uname[s] aname[s] n_uname[4]`
public struct Tauth: Message, ~Escapable {
    /// The new fid, for the authentication.
    public var afid: Fid
    /// The name of the user.
    public var uname: RawSpan
    /// The export.
    public var aname: RawSpan
    /// A uid, or ~0 where `uname` counts.
    public var numericUname: UInt32

    /// Takes the fields in their order on the wire.
    @_lifetime(copy uname, copy aname)
    public init(afid: Fid, uname: RawSpan, aname: RawSpan, numericUname: UInt32) {
        self.afid = afid
        self.uname = uname
        self.aname = aname
        self.numericUname = numericUname
    }

    /// Reads the body, which follows the header.
    /// - Throws: `WireError` unless the body is exactly such a message.
    @_lifetime(copy body)
    public init(decoding body: RawSpan) throws(WireError) {
        var reader = WireReader(body)
        afid = try reader.fid()
        uname = try reader.string()
        aname = try reader.string()
        numericUname = try reader.u32()
        try reader.finish()
    }

    /// As `Message.encode(tag:into:)`.
    @_lifetime(frame: copy frame)
    public func encode(tag: Tag, into frame: inout OutputRawSpan) throws(WireError) {
        guard uname.byteCount <= UInt16.max else { throw .limitExceeded }
        guard aname.byteCount <= UInt16.max else { throw .limitExceeded }
        try frame.begin(.tauth, tag, bodySize: 12 + uname.byteCount + aname.byteCount)
        frame.put(afid)
        frame.put(string: uname)
        frame.put(string: aname)
        frame.put(numericUname)
    }
}
