/// Locks or unlocks a range of bytes.
///
/// `fid[4] type[1] flags[4] start[8] length[8] proc_id[4] client_id[s]`
public struct Tlock: Message, ~Escapable {
    /// The open file.
    public var fid: Fid
    /// The kind of lock, or `unlock`.
    public var type: LockType
    /// P9_LOCK_FLAGS_BLOCK 1: the client will ask again.
    public var flags: UInt32
    /// The first byte.
    public var start: UInt64
    /// In bytes; 0 reaches to the end of the file, however long it grows.
    public var length: UInt64
    /// The process that wants it, on the client.
    public var processID: UInt32
    /// The name of the client.
    public var clientID: RawSpan

    /// Takes the fields in their order on the wire.
    @_lifetime(copy clientID)
    public init(
        fid: Fid,
        type: LockType,
        flags: UInt32,
        start: UInt64,
        length: UInt64,
        processID: UInt32,
        clientID: RawSpan
    ) {
        self.fid = fid
        self.type = type
        self.flags = flags
        self.start = start
        self.length = length
        self.processID = processID
        self.clientID = clientID
    }

    /// Reads the body, which follows the header.
    /// - Throws: `WireError` unless the body is exactly such a message.
    @_lifetime(copy body)
    public init(decoding body: RawSpan) throws(WireError) {
        var reader = WireReader(body)
        fid = try reader.fid()
        type = LockType(rawValue: try reader.u8())
        flags = try reader.u32()
        start = try reader.u64()
        length = try reader.u64()
        processID = try reader.u32()
        clientID = try reader.string()
        try reader.finish()
    }

    /// As `Message.encode(tag:into:)`.
    @_lifetime(frame: copy frame)
    public func encode(tag: Tag, into frame: inout OutputRawSpan) throws(WireError) {
        guard clientID.byteCount <= UInt16.max else { throw .limitExceeded }
        try frame.begin(.tlock, tag, bodySize: 31 + clientID.byteCount)
        frame.put(fid)
        frame.put(type.rawValue)
        frame.put(flags)
        frame.put(start)
        frame.put(length)
        frame.put(processID)
        frame.put(string: clientID)
    }
}

/// How the lock went.
///
/// `status[1]`
public struct Rlock: Message, Hashable, Sendable {
    /// How it went.
    public var status: LockStatus

    /// Takes the fields in their order on the wire.
    public init(status: LockStatus) {
        self.status = status
    }

    /// Reads the body, which follows the header.
    /// - Throws: `WireError` unless the body is exactly such a message.
    public init(decoding body: RawSpan) throws(WireError) {
        var reader = WireReader(body)
        status = LockStatus(rawValue: try reader.u8())
        try reader.finish()
    }

    /// As `Message.encode(tag:into:)`.
    @_lifetime(frame: copy frame)
    public func encode(tag: Tag, into frame: inout OutputRawSpan) throws(WireError) {
        try frame.begin(.rlock, tag, bodySize: 1)
        frame.put(status.rawValue)
    }
}
