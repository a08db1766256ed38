/// Changes attributes; one message may carry several.
///
/// `fid[4] valid[4] mode[4] uid[4] gid[4] size[8] atime_sec[8] atime_nsec[8] mtime_sec[8] mtime_nsec[8]`
public struct Tsetattr: Message, Hashable, Sendable {
    /// The file.
    public var fid: Fid
    /// What is to be changed.
    public var valid: SetattrMask
    /// The new permission bits.
    public var mode: UInt32
    /// The new owner.
    public var uid: UInt32
    /// The new group.
    public var gid: UInt32
    /// In bytes.
    public var size: UInt64
    /// The new access time, with `accessTimeSet`.
    public var accessTime: WireTime
    /// The new modification time, with `modificationTimeSet`.
    public var modificationTime: WireTime

    /// Takes the fields in their order on the wire.
    public init(
        fid: Fid,
        valid: SetattrMask,
        mode: UInt32,
        uid: UInt32,
        gid: UInt32,
        size: UInt64,
        accessTime: WireTime,
        modificationTime: WireTime
    ) {
        self.fid = fid
        self.valid = valid
        self.mode = mode
        self.uid = uid
        self.gid = gid
        self.size = size
        self.accessTime = accessTime
        self.modificationTime = modificationTime
    }

    /// Reads the body, which follows the header.
    /// - Throws: `WireError` unless the body is exactly such a message.
    public init(decoding body: RawSpan) throws(WireError) {
        var reader = WireReader(body)
        fid = try reader.fid()
        valid = SetattrMask(rawValue: try reader.u32())
        mode = try reader.u32()
        uid = try reader.u32()
        gid = try reader.u32()
        size = try reader.u64()
        accessTime = try reader.time()
        modificationTime = try reader.time()
        try reader.finish()
    }

    /// As `Message.encode(tag:into:)`.
    @_lifetime(frame: copy frame)
    public func encode(tag: Tag, into frame: inout OutputRawSpan) throws(WireError) {
        try frame.begin(.tsetattr, tag, bodySize: 60)
        frame.put(fid)
        frame.put(valid.rawValue)
        frame.put(mode)
        frame.put(uid)
        frame.put(gid)
        frame.put(size)
        frame.put(accessTime)
        frame.put(modificationTime)
    }
}
