/// Walks from `fid` by up to 16 names and binds `newfid` to what it finds; no names clones `fid`.
///
/// `fid[4] newfid[4] nwname[2] nwname*(wname[s])`
public struct Twalk: Message, ~Escapable {
    /// The most names in one message, P9_MAXWELEM.
    public static let maxNames = 16

    /// Where the walk begins.
    public var fid: Fid
    /// The fid for what it finds; may be `fid` itself.
    public var newfid: Fid
    /// The names to walk by.
    public var names: WalkNames

    /// Takes the fields in their order on the wire.
    @_lifetime(copy names)
    public init(fid: Fid, newfid: Fid, names: WalkNames) {
        self.fid = fid
        self.newfid = newfid
        self.names = names
    }

    /// Reads the body, which follows the header.
    /// - Throws: `WireError` unless the body is exactly such a message.
    @_lifetime(copy body)
    public init(decoding body: RawSpan) throws(WireError) {
        var reader = WireReader(body)
        fid = try reader.fid()
        newfid = try reader.fid()
        let count = Int(try reader.u16())
        guard count <= Self.maxNames else { throw .limitExceeded }
        names = try WalkNames(count: count, encoded: body.extracting(droppingFirst: 10))
    }

    /// As `Message.encode(tag:into:)`.
    @_lifetime(frame: copy frame)
    public func encode(tag: Tag, into frame: inout OutputRawSpan) throws(WireError) {
        try frame.begin(.twalk, tag, bodySize: 10 + names.encoded.byteCount)
        frame.put(fid)
        frame.put(newfid)
        frame.put(UInt16(names.count))
        frame.put(bytes: names.encoded)
    }
}

/// The names of a Twalk, as they stand on the wire; checked when made, read one after another.
public struct WalkNames: ~Escapable {
    /// How many names there are.
    public let count: Int
    /// `count` strings.
    let encoded: RawSpan

    /// Takes names that are encoded already, and checks them.
    /// - Parameter encoded: exactly `count` strings, each `length[2]` and its bytes.
    /// - Throws: `.limitExceeded` for more than 16 names, `.truncated` or `.trailingBytes` unless there are exactly
    ///   `count`.
    @_lifetime(copy encoded)
    public init(count: Int, encoded: RawSpan) throws(WireError) {
        guard count <= Twalk.maxNames else { throw .limitExceeded }
        var reader = WireReader(encoded)
        for _ in 0..<count { _ = try reader.string() }
        try reader.finish()
        self.count = count
        self.encoded = encoded
    }

    /// The names one after another.
    @_lifetime(copy self)
    public func makeCursor() -> Cursor {
        Cursor(reader: WireReader(encoded))
    }

    /// Reads names one after another.
    public struct Cursor: ~Escapable {
        private var reader: WireReader

        @_lifetime(copy reader)
        init(reader: WireReader) {
            self.reader = reader
        }

        /// The next name; nil after the last.
        @_lifetime(copy self)
        @_lifetime(self: copy self)
        public mutating func next() -> RawSpan? {
            try? reader.string()
        }
    }
}

/// The qids of the names that could be walked; fewer than asked means that the next one failed.
///
/// `nwqid[2] nwqid*(qid[13])`
public struct Rwalk: Message, Sendable {
    /// How many qids there are.
    public private(set) var count = 0
    private var storage = InlineArray<16, Qid>(repeating: Qid(kind: .file, version: 0, path: 0))

    /// Without qids; see `append`.
    public init() {}

    /// Adds the qid of the next name.
    public mutating func append(_ qid: Qid) {
        storage[count] = qid
        count += 1
    }

    /// The qid of a name, counted from 0.
    public subscript(index: Int) -> Qid {
        precondition(index < count)
        return storage[index]
    }

    /// Reads the body, which follows the header.
    /// - Throws: `WireError` unless the body is exactly such a message.
    public init(decoding body: RawSpan) throws(WireError) {
        var reader = WireReader(body)
        let announced = Int(try reader.u16())
        guard announced <= Twalk.maxNames else { throw .limitExceeded }
        for _ in 0..<announced { append(try reader.qid()) }
        try reader.finish()
    }

    /// As `Message.encode(tag:into:)`.
    @_lifetime(frame: copy frame)
    public func encode(tag: Tag, into frame: inout OutputRawSpan) throws(WireError) {
        try frame.begin(.rwalk, tag, bodySize: 2 + Qid.size * count)
        frame.put(UInt16(count))
        for index in 0..<count { frame.put(storage[index]) }
    }
}
