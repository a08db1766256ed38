/// Reads a file, or an attribute's value.
///
/// `fid[4] offset[8] count[4]`
public struct Tread: Message, Hashable, Sendable {
    /// The open file, or a fid of an attribute.
    public var fid: Fid
    /// In bytes.
    public var offset: UInt64
    /// In bytes.
    public var count: UInt32

    /// Takes the fields in their order on the wire.
    public init(fid: Fid, offset: UInt64, count: UInt32) {
        self.fid = fid
        self.offset = offset
        self.count = count
    }

    /// Reads the body, which follows the header.
    /// - Throws: `WireError` unless the body is exactly such a message.
    public init(decoding body: RawSpan) throws(WireError) {
        var reader = WireReader(body)
        fid = try reader.fid()
        offset = try reader.u64()
        count = try reader.u32()
        try reader.finish()
    }

    /// As `Message.encode(tag:into:)`.
    @_lifetime(frame: copy frame)
    public func encode(tag: Tag, into frame: inout OutputRawSpan) throws(WireError) {
        try frame.begin(.tread, tag, bodySize: 16)
        frame.put(fid)
        frame.put(offset)
        frame.put(count)
    }
}

/// The data read: fewer bytes than asked at the end of the file.
///
/// `count[4] data[count]`
public struct Rread: Message, ~Escapable {
    /// Bytes before the data: the header and the count.
    public static let overhead = FrameHeader.size + 4

    /// The data.
    public var data: RawSpan

    /// Takes the fields in their order on the wire.
    @_lifetime(copy data)
    public init(data: RawSpan) {
        self.data = data
    }

    /// Reads the body, which follows the header.
    /// - Throws: `WireError` unless the body is exactly such a message.
    @_lifetime(copy body)
    public init(decoding body: RawSpan) throws(WireError) {
        var reader = WireReader(body)
        let count = Int(try reader.u32())
        data = try reader.bytes(count)
        try reader.finish()
    }

    /// As `Message.encode(tag:into:)`.
    @_lifetime(frame: copy frame)
    public func encode(tag: Tag, into frame: inout OutputRawSpan) throws(WireError) {
        try frame.begin(.rread, tag, bodySize: 4 + data.byteCount)
        frame.put(UInt32(data.byteCount))
        frame.put(bytes: data)
    }

    /// Writes an Rread whose data `fill` puts straight into the frame.
    /// - Parameters:
    ///   - limit: the most bytes of data; clipped to the room in the frame.
    ///   - fill: gets at most `limit` bytes to write to, returns how many it wrote. If it throws, the frame is as
    ///     it was.
    /// - Throws: what `fill` throws.
    @_lifetime(frame: copy frame)
    public static func encode<Failure: Error>(
        tag: Tag,
        limit: Int,
        into frame: inout OutputRawSpan,
        fill: (UnsafeMutableRawBufferPointer) throws(Failure) -> Int
    ) throws(Failure) {
        try encodeCounted(.rread, tag: tag, limit: limit, into: &frame, fill: fill)
    }
}

/// Writes a message of the form `count[4] data[count]` whose data is made in place: Rread and Rreaddir.
@_lifetime(frame: copy frame)
func encodeCounted<Failure: Error>(
    _ type: MessageType,
    tag: Tag,
    limit: Int,
    into frame: inout OutputRawSpan,
    fill: (UnsafeMutableRawBufferPointer) throws(Failure) -> Int
) throws(Failure) {
    let room = frame.freeCapacity - Rread.overhead
    precondition(room >= 0, "a reply buffer has room for a header")
    // The data comes first: its count stands before it in the frame.
    let count = try frame.withUnsafeMutableBytes { (buffer, initialized) throws(Failure) -> Int in
        let start = initialized + Rread.overhead
        let data = unsafe UnsafeMutableRawBufferPointer(rebasing: buffer[start..<start + min(limit, room)])
        return try unsafe fill(data)
    }
    precondition(count <= min(limit, room))
    guard (try? frame.begin(type, tag, bodySize: 4 + count)) != nil else { preconditionFailure("the room was checked") }
    frame.put(UInt32(count))
    frame.withUnsafeMutableBytes { _, initialized in initialized += count }
}
