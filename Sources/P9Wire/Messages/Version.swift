/// Opens a session: proposes the largest message and the protocol.
///
/// `msize[4] version[s]`
public struct Tversion: Message, ~Escapable {
    /// The largest message in bytes that the sender will take.
    public var msize: UInt32
    /// "9P2000.L".
    public var version: RawSpan

    /// Takes the fields in their order on the wire.
    @_lifetime(copy version)
    public init(msize: UInt32, version: RawSpan) {
        self.msize = msize
        self.version = version
    }

    /// Reads the body, which follows the header.
    /// - Throws: `WireError` unless the body is exactly such a message.
    @_lifetime(copy body)
    public init(decoding body: RawSpan) throws(WireError) {
        var reader = WireReader(body)
        msize = try reader.u32()
        version = try reader.string()
        try reader.finish()
    }

    /// As `Message.encode(tag:into:)`.
    @_lifetime(frame: copy frame)
    public func encode(tag: Tag, into frame: inout OutputRawSpan) throws(WireError) {
        guard version.byteCount <= UInt16.max else { throw .limitExceeded }
        try frame.begin(.tversion, tag, bodySize: 6 + version.byteCount)
        frame.put(msize)
        frame.put(string: version)
    }
}

/// Settles the largest message and the protocol; "unknown" refuses.
///
/// `msize[4] version[s]`
public struct Rversion: Message, ~Escapable {
    /// The largest message in bytes, at most what was asked.
    public var msize: UInt32
    /// The protocol, or "unknown".
    public var version: RawSpan

    /// Takes the fields in their order on the wire.
    @_lifetime(copy version)
    public init(msize: UInt32, version: RawSpan) {
        self.msize = msize
        self.version = version
    }

    /// Reads the body, which follows the header.
    /// - Throws: `WireError` unless the body is exactly such a message.
    @_lifetime(copy body)
    public init(decoding body: RawSpan) throws(WireError) {
        var reader = WireReader(body)
        msize = try reader.u32()
        version = try reader.string()
        try reader.finish()
    }

    /// As `Message.encode(tag:into:)`.
    @_lifetime(frame: copy frame)
    public func encode(tag: Tag, into frame: inout OutputRawSpan) throws(WireError) {
        guard version.byteCount <= UInt16.max else { throw .limitExceeded }
        try frame.begin(.rversion, tag, bodySize: 6 + version.byteCount)
        frame.put(msize)
        frame.put(string: version)
    }
}
