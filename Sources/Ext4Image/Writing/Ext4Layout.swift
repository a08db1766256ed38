internal import ImageEntries

/// How an ext4 file system of a size is divided up; the numbers that `mke2fs` takes by default.
struct Ext4Layout {
    static let blockSize = 4096
    static let inodeSize = 256
    /// Inodes that are the file system's own, and `lost+found`.
    static let ownInodes: UInt64 = 11
    /// A target of this many bytes and more gets a block.
    static let shortSymlinkLimit = 60
    /// Bytes of entries and values that have room beside an inode's fields.
    static let attributesInInode = 84
    /// Bytes of entries and values that have room in a block.
    static let attributesInBlock = 4000

    private static let blocksPerGroup: UInt64 = 32_768
    private static let bytesPerInode: UInt64 = 16_384
    /// Blocks of `lost+found`, and of the root's and other first directories.
    private static let ownBlocks: UInt64 = 16

    /// The blocks of the whole file system.
    var blocks: UInt64
    var inodes: UInt64
    /// 0 for none.
    var journalBlocks: UInt64

    /// - Parameters:
    ///   - blocks: of the whole file system.
    ///   - neededInodes: for the tree's files.
    init(blocks: UInt64, neededInodes: UInt64, hasJournal: Bool) {
        self.blocks = blocks
        let usual = blocks * UInt64(Self.blockSize) / Self.bytesPerInode
        inodes = max(usual, neededInodes + Self.ownInodes + neededInodes / 4 + 128)
        journalBlocks = hasJournal ? Self.journalBlocks(blocks) : 0
    }

    /// The layout of the smallest file system that has room for the tree, rounded up to 1 MiB.
    /// - Parameter spare: how many percent of the blocks are to be free.
    init(for measured: Ext4Measurement, hasJournal: Bool, spare: UInt64) {
        let content = measured.blocks + Self.ownBlocks
        let needed = content + content * spare / (100 - spare)
        var blocks = needed
        while true {
            self.init(blocks: blocks, neededInodes: measured.inodes, hasJournal: hasJournal)
            let wanted = (needed + overhead + 255) / 256 * 256
            if wanted <= blocks { return }
            blocks = wanted
        }
    }

    /// What e2fsprogs takes, so that it has no journal below 8 MiB and 64 MiB of it in 16 GiB.
    private static func journalBlocks(_ blocks: UInt64) -> UInt64 {
        switch blocks {
        case ..<2048: 0
        case ..<32_768: 1024
        case ..<(256 << 10): 4096
        case ..<(512 << 10): 8192
        case ..<(4096 << 10): 16_384
        default: 32_768
        }
    }

    /// Blocks beside the files: bitmaps, tables of inodes, superblocks and group descriptors, the journal. The number is rather
    /// too large than too small.
    private var overhead: UInt64 {
        let groups = (blocks + Self.blocksPerGroup - 1) / Self.blocksPerGroup
        let inodesPerGroup = (inodes / groups + 16) / 16 * 16
        let descriptors = (groups * 64 + 4095) / 4096
        // For file systems 1024 times as large.
        let reserved = min((groups * 1024 * 64 + 4095) / 4096, 1024)
        let copies = UInt64((0..<groups).count { Self.hasSuperblock($0) })
        return groups * (2 + inodesPerGroup / 16) + copies * (1 + descriptors + reserved) + journalBlocks + 64
    }

    private static func hasSuperblock(_ group: UInt64) -> Bool {
        guard group > 1 else { return true }
        return ([3, 5, 7] as [UInt64]).contains { base in
            var power = base
            while power < group { power *= base }
            return power == group
        }
    }

    /// Calls `body` for each block in which a piece of a sparse file has more than zeros: with its number, and with the part
    /// of the piece that is in it.
    static func forEachDataBlock(
        of piece: UnsafeRawBufferPointer,
        at offset: UInt64,
        _ body: (UInt64, Range<Int>) -> Void
    ) {
        var start = 0
        while start < piece.count {
            let position = offset + UInt64(start)
            let end = min(piece.count, start + blockSize - Int(position % UInt64(blockSize)))
            if !UnsafeRawBufferPointer(rebasing: piece[start..<end]).isZero {
                body(position / UInt64(blockSize), start..<end)
            }
            start = end
        }
    }
}
