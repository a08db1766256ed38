/// Asks who holds a lock that stands in the way.
///
/// `fid[4] type[1] start[8] length[8] proc_id[4] client_id[s]`
public struct Tgetlock: Message, ~Escapable {
    /// The open file.
    public var fid: Fid
    /// The kind of lock that is wanted.
    public var type: LockType
    /// The first byte.
    public var start: UInt64
    /// In bytes; 0 reaches to the end of the file.
    public var length: UInt64
    /// The process that wants it, on the client.
    public var processID: UInt32
    /// The name of the client.
    public var clientID: RawSpan

    /// Takes the fields in their order on the wire.
    @_lifetime(copy clientID)
    public init(fid: Fid, type: LockType, start: UInt64, length: UInt64, processID: UInt32, clientID: RawSpan) {
        self.fid = fid
        self.type = type
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
        try frame.begin(.tgetlock, tag, bodySize: 27 + clientID.byteCount)
        frame.put(fid)
        frame.put(type.rawValue)
        frame.put(start)
        frame.put(length)
        frame.put(processID)
        frame.put(string: clientID)
    }
}

/// The lock that stands in the way, or type `unlock` if none does.
///
/// `type[1] start[8] length[8] proc_id[4] client_id[s]`
public struct Rgetlock: Message, ~Escapable {
    /// The kind of the lock in the way.
    public var type: LockType
    /// Its first byte.
    public var start: UInt64
    /// In bytes; 0 reaches to the end of the file.
    public var length: UInt64
    /// The process that holds it, on its client.
    public var processID: UInt32
    /// The name of the client that holds it.
    public var clientID: RawSpan

    /// Takes the fields in their order on the wire.
    @_lifetime(copy clientID)
    public init(type: LockType, start: UInt64, length: UInt64, processID: UInt32, clientID: RawSpan) {
        self.type = type
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
        type = LockType(rawValue: try reader.u8())
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
        try frame.begin(.rgetlock, tag, bodySize: 23 + clientID.byteCount)
        frame.put(type.rawValue)
        frame.put(start)
        frame.put(length)
        frame.put(processID)
        frame.put(string: clientID)
    }
}
