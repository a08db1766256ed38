/// Reads entries of an open directory.
///
/// `fid[4] offset[8] count[4]`
public struct Treaddir: Message, Hashable, Sendable {
    /// The open directory.
    public var fid: Fid
    /// 0, or the cookie of the entry to go on after.
    public var offset: UInt64
    /// The most bytes of entries wanted.
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
        try frame.begin(.treaddir, tag, bodySize: 16)
        frame.put(fid)
        frame.put(offset)
        frame.put(count)
    }
}

/// One entry of an Rreaddir: `qid[13] offset[8] type[1] name[s]`.
public struct DirectoryEntry: ~Escapable {
    /// The qid of the entry; its file may not be looked at.
    public var qid: Qid
    /// The cookie to go on after this entry.
    public var cookie: UInt64
    /// As `d_type` in `readdir(3)`: DT_DIR 4, DT_REG 8, ...
    public var type: UInt8
    /// The name of the entry.
    public var name: RawSpan

    /// Takes the fields in their order on the wire.
    @_lifetime(copy name)
    public init(qid: Qid, cookie: UInt64, type: UInt8, name: RawSpan) {
        self.qid = qid
        self.cookie = cookie
        self.type = type
        self.name = name
    }

    /// Bytes on the wire of an entry whose name has `nameLength` bytes.
    public static func size(nameLength: Int) -> Int { Qid.size + 8 + 1 + 2 + nameLength }

    /// Appends the entry to the data of an Rreaddir.
    /// - Throws: `WireError.noRoom`, with nothing written.
    @_lifetime(data: copy data)
    public func encode(into data: inout OutputRawSpan) throws(WireError) {
        guard name.byteCount <= UInt16.max else { throw .limitExceeded }
        guard data.freeCapacity >= Self.size(nameLength: name.byteCount) else { throw .noRoom }
        data.put(qid)
        data.put(cookie)
        data.put(type)
        data.put(string: name)
    }
}

/// Whole directory entries; none means the end of the directory.
///
/// `count[4] data[count]`
public struct Rreaddir: Message, ~Escapable {
    private var data: RawSpan

    /// Takes entries that are encoded already.
    /// - Parameter data: encoded entries.
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
        try frame.begin(.rreaddir, tag, bodySize: 4 + data.byteCount)
        frame.put(UInt32(data.byteCount))
        frame.put(bytes: data)
    }

    /// Writes an Rreaddir whose entries `fill` puts straight into the frame; see `Rread.encode(tag:limit:into:fill:)`.
    /// - Throws: what `fill` throws.
    @_lifetime(frame: copy frame)
    public static func encode<Failure: Error>(
        tag: Tag,
        limit: Int,
        into frame: inout OutputRawSpan,
        fill: (UnsafeMutableRawBufferPointer) throws(Failure) -> Int
    ) throws(Failure) {
        try encodeCounted(.rreaddir, tag: tag, limit: limit, into: &frame, fill: fill)
    }

    /// Takes the first entry off.
    /// - Returns: nil after the last.
    /// - Throws: `WireError.truncated` if the data ends within an entry.
    @_lifetime(copy self)
    @_lifetime(self: copy self)
    public mutating func next() throws(WireError) -> DirectoryEntry? {
        if data.isEmpty { return nil }
        var reader = WireReader(data)
        let qid = try reader.qid()
        let cookie = try reader.u64()
        let type = try reader.u8()
        let name = try reader.string()
        data = data.extracting(droppingFirst: DirectoryEntry.size(nameLength: name.byteCount))
        return DirectoryEntry(qid: qid, cookie: cookie, type: type, name: name)
    }
}
