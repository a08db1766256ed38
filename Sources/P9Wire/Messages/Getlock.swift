/// Asks who holds a lock that stands in the way.
///
/// `fid[4] type[1] start[8] length[8] proc_id[4] client_id[s]`
public struct Tgetlock: Message, ~Escapable {
    public var fid: Fid
    public var type: LockType
    public var start: UInt64
    /// In bytes; 0 reaches to the end of the file.
    public var length: UInt64
    public var processID: UInt32
    public var clientID: RawSpan

    @_lifetime(copy clientID)
    public init(fid: Fid, type: LockType, start: UInt64, length: UInt64, processID: UInt32, clientID: RawSpan) {
        self.fid = fid
        self.type = type
        self.start = start
        self.length = length
        self.processID = processID
        self.clientID = clientID
    }

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
    public var type: LockType
    public var start: UInt64
    public var length: UInt64
    public var processID: UInt32
    public var clientID: RawSpan

    @_lifetime(copy clientID)
    public init(type: LockType, start: UInt64, length: UInt64, processID: UInt32, clientID: RawSpan) {
        self.type = type
        self.start = start
        self.length = length
        self.processID = processID
        self.clientID = clientID
    }

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
