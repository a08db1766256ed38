/// Asks for attributes.
///
/// `fid[4] request_mask[8]`
public struct Tgetattr: Message, Hashable, Sendable {
    /// The file.
    public var fid: Fid
    /// What is wanted.
    public var mask: GetattrMask

    /// Takes the fields in their order on the wire.
    public init(fid: Fid, mask: GetattrMask) {
        self.fid = fid
        self.mask = mask
    }

    /// Reads the body, which follows the header.
    /// - Throws: `WireError` unless the body is exactly such a message.
    public init(decoding body: RawSpan) throws(WireError) {
        var reader = WireReader(body)
        fid = try reader.fid()
        mask = GetattrMask(rawValue: try reader.u64())
        try reader.finish()
    }

    /// As `Message.encode(tag:into:)`.
    @_lifetime(frame: copy frame)
    public func encode(tag: Tag, into frame: inout OutputRawSpan) throws(WireError) {
        try frame.begin(.tgetattr, tag, bodySize: 12)
        frame.put(fid)
        frame.put(mask.rawValue)
    }
}

/// Attributes, as `stat(2)` has them. 160 bytes.
///
/// valid[8] qid[13] mode[4] uid[4] gid[4] nlink[8] rdev[8] size[8] blksize[8] blocks[8]
/// atime_sec[8] atime_nsec[8] mtime_sec[8] mtime_nsec[8] ctime_sec[8] ctime_nsec[8] btime_sec[8] btime_nsec[8]
/// gen[8] data_version[8]
public struct Rgetattr: Message, Hashable, Sendable {
    /// What of this is true.
    public var valid: GetattrMask
    /// The qid of the file.
    public var qid: Qid
    /// With the S_IFMT bits.
    public var mode: UInt32
    /// The owner.
    public var uid: UInt32
    /// The group.
    public var gid: UInt32
    /// How many names the file has.
    public var linkCount: UInt64
    /// The node's own number, in the kernel's `new_encode_dev` form.
    public var device: UInt64
    /// In bytes.
    public var size: UInt64
    /// In bytes.
    public var blockSize: UInt64
    /// In blocks of 512 bytes.
    public var blocks: UInt64
    /// When the file was last read.
    public var accessTime: WireTime
    /// When the content was last changed.
    public var modificationTime: WireTime
    /// When content or attributes were last changed.
    public var changeTime: WireTime
    /// When the file was made.
    public var birthTime: WireTime
    /// The generation of the inode number.
    public var generation: UInt64
    /// The version of the content.
    public var dataVersion: UInt64

    /// Takes the fields in their order on the wire.
    public init(
        valid: GetattrMask,
        qid: Qid,
        mode: UInt32,
        uid: UInt32,
        gid: UInt32,
        linkCount: UInt64,
        device: UInt64,
        size: UInt64,
        blockSize: UInt64,
        blocks: UInt64,
        accessTime: WireTime,
        modificationTime: WireTime,
        changeTime: WireTime,
        birthTime: WireTime,
        generation: UInt64,
        dataVersion: UInt64
    ) {
        self.valid = valid
        self.qid = qid
        self.mode = mode
        self.uid = uid
        self.gid = gid
        self.linkCount = linkCount
        self.device = device
        self.size = size
        self.blockSize = blockSize
        self.blocks = blocks
        self.accessTime = accessTime
        self.modificationTime = modificationTime
        self.changeTime = changeTime
        self.birthTime = birthTime
        self.generation = generation
        self.dataVersion = dataVersion
    }

    /// Reads the body, which follows the header.
    /// - Throws: `WireError` unless the body is exactly such a message.
    public init(decoding body: RawSpan) throws(WireError) {
        var reader = WireReader(body)
        valid = GetattrMask(rawValue: try reader.u64())
        qid = try reader.qid()
        mode = try reader.u32()
        uid = try reader.u32()
        gid = try reader.u32()
        linkCount = try reader.u64()
        device = try reader.u64()
        size = try reader.u64()
        blockSize = try reader.u64()
        blocks = try reader.u64()
        accessTime = try reader.time()
        modificationTime = try reader.time()
        changeTime = try reader.time()
        birthTime = try reader.time()
        generation = try reader.u64()
        dataVersion = try reader.u64()
        try reader.finish()
    }

    /// As `Message.encode(tag:into:)`.
    @_lifetime(frame: copy frame)
    public func encode(tag: Tag, into frame: inout OutputRawSpan) throws(WireError) {
        try frame.begin(.rgetattr, tag, bodySize: 153)
        frame.put(valid.rawValue)
        frame.put(qid)
        frame.put(mode)
        frame.put(uid)
        frame.put(gid)
        frame.put(linkCount)
        frame.put(device)
        frame.put(size)
        frame.put(blockSize)
        frame.put(blocks)
        frame.put(accessTime)
        frame.put(modificationTime)
        frame.put(changeTime)
        frame.put(birthTime)
        frame.put(generation)
        frame.put(dataVersion)
    }
}
