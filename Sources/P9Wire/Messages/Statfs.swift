/// What `statfs(2)` tells.
///
/// `type[4] bsize[4] blocks[8] bfree[8] bavail[8] files[8] ffree[8] fsid[8] namelen[4]`
public struct Rstatfs: Message, Hashable, Sendable {
    /// The file system's magic number.
    public var type: UInt32
    /// In bytes.
    public var blockSize: UInt32
    /// In units of `blockSize`, like the two below.
    public var blocks: UInt64
    /// Free blocks, also those for root only.
    public var blocksFree: UInt64
    /// For users other than root.
    public var blocksAvailable: UInt64
    /// Inodes.
    public var files: UInt64
    /// Free inodes.
    public var filesFree: UInt64
    /// What tells the file system from others.
    public var fsid: UInt64
    /// The longest name in bytes.
    public var nameLength: UInt32

    /// Takes the fields in their order on the wire.
    public init(
        type: UInt32,
        blockSize: UInt32,
        blocks: UInt64,
        blocksFree: UInt64,
        blocksAvailable: UInt64,
        files: UInt64,
        filesFree: UInt64,
        fsid: UInt64,
        nameLength: UInt32
    ) {
        self.type = type
        self.blockSize = blockSize
        self.blocks = blocks
        self.blocksFree = blocksFree
        self.blocksAvailable = blocksAvailable
        self.files = files
        self.filesFree = filesFree
        self.fsid = fsid
        self.nameLength = nameLength
    }

    /// Reads the body, which follows the header.
    /// - Throws: `WireError` unless the body is exactly such a message.
    public init(decoding body: RawSpan) throws(WireError) {
        var reader = WireReader(body)
        type = try reader.u32()
        blockSize = try reader.u32()
        blocks = try reader.u64()
        blocksFree = try reader.u64()
        blocksAvailable = try reader.u64()
        files = try reader.u64()
        filesFree = try reader.u64()
        fsid = try reader.u64()
        nameLength = try reader.u32()
        try reader.finish()
    }

    /// As `Message.encode(tag:into:)`.
    @_lifetime(frame: copy frame)
    public func encode(tag: Tag, into frame: inout OutputRawSpan) throws(WireError) {
        try frame.begin(.rstatfs, tag, bodySize: 60)
        frame.put(type)
        frame.put(blockSize)
        frame.put(blocks)
        frame.put(blocksFree)
        frame.put(blocksAvailable)
        frame.put(files)
        frame.put(filesFree)
        frame.put(fsid)
        frame.put(nameLength)
    }
}
