internal import CExt2FS
internal import ImageEntries

/// One inode that is being written, and its content, which comes in order.
final class Ext4FileWriter {
    let number: UInt32
    private let writer: Ext4Writer
    /// The memory of an inode; the library keeps a pointer to it.
    private let inode: UnsafeMutableRawBufferPointer
    private var handle: ext2_extent_handle_t?
    /// Blocks taken and not yet in the extents, since more may follow.
    private var pending: Ext4Run?
    /// The block that was written last.
    private var last: (logical: UInt64, physical: UInt64)?

    /// - Parameter bytes: the inode; its size and the number of its blocks come by what is written.
    init(_ writer: Ext4Writer, _ number: UInt32, _ bytes: [UInt8]) throws(ImageError) {
        self.writer = writer
        self.number = number
        inode = .allocate(byteCount: Ext4Layout.inodeSize, alignment: 8)
        inode.copyBytes(from: bytes)
        // Checksums of blocks need it to be there.
        try writer.writeInode(number, bytes)
    }

    deinit {
        if let handle { ext2fs_extent_free(handle) }
        inode.deallocate()
    }

    /// Writes a piece of content; blocks that are all zeros are left out on demand.
    func write(_ piece: UnsafeRawBufferPointer, at offset: UInt64, keepsHoles: Bool) throws(ImageError) {
        let blockSize = UInt64(writer.blockSize)
        guard !keepsHoles else {
            var parts: [(block: UInt64, part: Range<Int>)] = []
            Ext4Layout.forEachDataBlock(of: piece, at: offset) { block, part in
                if let last = parts.last, last.part.upperBound == part.lowerBound {
                    parts[parts.count - 1].part = last.part.lowerBound..<part.upperBound
                } else {
                    parts.append((block, part))
                }
            }
            for (_, part) in parts {
                let bytes = UnsafeRawBufferPointer(rebasing: piece[part])
                try write(bytes, at: offset + UInt64(part.lowerBound), keepsHoles: false)
            }
            return
        }
        var done: UInt64 = 0
        let size = UInt64(piece.count)
        while done < size {
            let position = offset + done
            let block = position / blockSize
            let inBlock = position % blockSize
            let run: Ext4Run
            if let last, last.logical == block {
                // The rest of a block that began in the last piece.
                run = Ext4Run(logical: block, physical: last.physical, count: 1)
            } else {
                run = try take(block, (inBlock + size - done + blockSize - 1) / blockSize)
            }
            let count = min(size - done, run.count * blockSize - inBlock)
            let part = UnsafeRawBufferPointer(rebasing: piece[Int(done)..<Int(done + count)])
            try writer.write(part, at: run.physical * blockSize + inBlock)
            done += count
            last = (block + run.count - 1, run.physical + run.count - 1)
        }
    }

    /// Takes blocks for the file's blocks from `logical` on; perhaps fewer than wanted.
    func take(_ logical: UInt64, _ count: UInt64) throws(ImageError) -> Ext4Run {
        let taken = try writer.takeBlocks(count)
        let run = Ext4Run(logical: logical, physical: taken.lowerBound, count: UInt64(taken.count))
        let structure = inode.baseAddress?.assumingMemoryBound(to: ext2_inode.self)
        try writer.check(ext2fs_iblk_add_blocks(writer.library, structure, run.count), "can't write a file")
        if var joined = pending, joined.logical + joined.count == logical,
            joined.physical + joined.count == run.physical
        {
            joined.count += run.count
            pending = joined
        } else {
            try flush()
            pending = run
        }
        return run
    }

    private func flush() throws(ImageError) {
        guard var rest = pending else { return }
        pending = nil
        let action = "can't write the extents of a file"
        if handle == nil {
            let structure = inode.baseAddress?.assumingMemoryBound(to: ext2_inode.self)
            try writer.check(ext2fs_extent_open2(writer.library, number, structure, &handle), action)
        }
        while rest.count > 0 {
            let count = min(rest.count, Self.maxExtent)
            var extent = ext2fs_extent()
            extent.e_lblk = rest.logical
            extent.e_pblk = rest.physical
            extent.e_len = UInt32(count)
            // Goes to the last extent; an empty tree has none, and the error is ignored.
            _ = ext2fs_extent_goto(handle, rest.logical)
            try writer.check(ext2fs_extent_insert(handle, EXT2_EXTENT_INSERT_AFTER, &extent), action)
            try writer.check(ext2fs_extent_fix_parents(handle), action)
            rest.logical += count
            rest.physical += count
            rest.count -= count
        }
    }

    private static let maxExtent: UInt64 = 32_768

    /// Writes the inode.
    /// - Parameters:
    ///   - size: of the content in bytes, a hole at its end included.
    ///   - linkCount: nil to leave it as it was given.
    func finish(size: UInt64, linkCount: UInt16? = nil) throws(ImageError) {
        try flush()
        var bytes = Array(inode)
        bytes.setLittleEndian(UInt32(truncatingIfNeeded: size), at: 4)
        bytes.setLittleEndian(UInt32(truncatingIfNeeded: size >> 32), at: 108)
        if let linkCount { bytes.setLittleEndian(linkCount, at: 26) }
        try writer.writeInode(number, bytes)
    }
}
