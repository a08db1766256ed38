internal import ImageEntries

/// Goes through the block map of a file that has no extents, as ext2 and ext3 make them: twelve blocks in the inode, and
/// blocks of numbers of blocks, up to three deep.
struct Ext4BlockMapWalk {
    private let volume: Ext4Volume
    private let inode: Ext4Inode
    /// The file's size in blocks.
    private let end: UInt64
    private let isShared: Bool
    /// The next block's number in the file.
    private var position: UInt64 = 0
    /// Found and not yet delivered, since it may go on.
    private var pending: Ext4Run?

    init(_ volume: Ext4Volume, _ inode: Ext4Inode, end: UInt64, isShared: Bool) {
        self.volume = volume
        self.inode = inode
        self.end = end
        self.isShared = isShared
    }

    mutating func run(_ body: Ext4Volume.RunBody) throws(ImageError) {
        for index in 0..<15 where position < end {
            let block = UInt64(inode.bytes.littleEndian32(at: Ext4Inode.blockMap.lowerBound + 4 * index))
            try visit(block, depth: max(0, index - 11), body)
        }
        if let pending { try body(pending) }
    }

    /// - Parameter depth: 0 for a block of content, and more for blocks of numbers.
    private mutating func visit(_ block: UInt64, depth: Int, _ body: Ext4Volume.RunBody) throws(ImageError) {
        guard block != 0 else {
            position += span(depth)
            return
        }
        guard volume.contains(block, count: 1) else {
            throw volume.damaged("inode \(inode.number) has block \(block), which can't be")
        }
        if !isShared { try volume.spend(1) }
        guard depth > 0 else { return try deliver(block, body) }
        let numbers = try volume.readBlock(block)
        for offset in stride(from: 0, to: numbers.count, by: 4) where position < end {
            try visit(UInt64(numbers.littleEndian32(at: offset)), depth: depth - 1, body)
        }
    }

    /// How many blocks of content are below one number.
    private func span(_ depth: Int) -> UInt64 {
        let numbersPerBlock = UInt64(volume.blockSize / 4)
        return (0..<depth).reduce(1) { span, _ in span * numbersPerBlock }
    }

    private mutating func deliver(_ block: UInt64, _ body: Ext4Volume.RunBody) throws(ImageError) {
        if var run = pending {
            if run.physical + run.count == block, run.logical + run.count == position {
                run.count += 1
                pending = run
                position += 1
                return
            }
            try body(run)
        }
        pending = Ext4Run(logical: position, physical: block, count: 1)
        position += 1
    }
}
