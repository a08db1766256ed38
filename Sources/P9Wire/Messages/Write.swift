/// Writes data to a file, or a piece of an attribute's value.
///
/// `fid[4] offset[8] count[4] data[count]`
public struct Twrite: Message, ~Escapable {
    /// Bytes before the data: the header, fid, offset and count.
    public static let overhead = FrameHeader.size + 16

    /// The open file, or a fid that takes an attribute.
    public var fid: Fid
    /// In bytes.
    public var offset: UInt64
    /// The data.
    public var data: RawSpan

    /// Takes the fields in their order on the wire.
    @_lifetime(copy data)
    public init(fid: Fid, offset: UInt64, data: RawSpan) {
        self.fid = fid
        self.offset = offset
        self.data = data
    }

    /// Reads the body, which follows the header.
    /// - Throws: `WireError` unless the body is exactly such a message.
    @_lifetime(copy body)
    public init(decoding body: RawSpan) throws(WireError) {
        var reader = WireReader(body)
        fid = try reader.fid()
        offset = try reader.u64()
        let count = Int(try reader.u32())
        data = try reader.bytes(count)
        try reader.finish()
    }

    /// As `Message.encode(tag:into:)`.
    @_lifetime(frame: copy frame)
    public func encode(tag: Tag, into frame: inout OutputRawSpan) throws(WireError) {
        try frame.begin(.twrite, tag, bodySize: 16 + data.byteCount)
        frame.put(fid)
        frame.put(offset)
        frame.put(UInt32(data.byteCount))
        frame.put(bytes: data)
    }
}

/// How much was written.
///
/// `count[4]`
public struct Rwrite: Message, Hashable, Sendable {
    /// In bytes.
    public var count: UInt32

    /// Takes the fields in their order on the wire.
    public init(count: UInt32) {
        self.count = count
    }

    /// Reads the body, which follows the header.
    /// - Throws: `WireError` unless the body is exactly such a message.
    public init(decoding body: RawSpan) throws(WireError) {
        var reader = WireReader(body)
        count = try reader.u32()
        try reader.finish()
    }

    /// As `Message.encode(tag:into:)`.
    @_lifetime(frame: copy frame)
    public func encode(tag: Tag, into frame: inout OutputRawSpan) throws(WireError) {
        try frame.begin(.rwrite, tag, bodySize: 4)
        frame.put(count)
    }
}
