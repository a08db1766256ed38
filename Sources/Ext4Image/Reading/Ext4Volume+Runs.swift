internal import CExt2FS
internal import ImageEntries
internal import LinuxFiles

/// Consecutive blocks of a file that are consecutive in the image too.
struct Ext4Run {
    /// The first one's number in the file.
    var logical: UInt64
    /// The first one's number in the file system.
    var physical: UInt64
    var count: UInt64
}

/// Where a file's content is.
extension Ext4Volume {
    typealias RunBody = (Ext4Run) throws(ImageError) -> Void

    /// Calls `body` with the blocks that a file has, up to its size and in the order of its content. What lies between
    /// is a hole; blocks that were reserved and never written are one, too.
    /// - Parameter isShared: for what several files may have: nothing is counted.
    func forEachRun(of inode: Ext4Inode, isShared: Bool = false, _ body: RunBody) throws(ImageError) {
        let blockSize = UInt64(blockSize)
        let end = inode.size / blockSize + (inode.size % blockSize > 0 ? 1 : 0)
        guard end <= 1 << 32 else {
            throw damaged("inode \(inode.number) has \(inode.size) bytes, which is more than a file can have")
        }
        if inode.has(Ext4Inode.Flags.extents) {
            try forEachExtent(of: inode, end, isShared, body)
        } else {
            var walk = Ext4BlockMapWalk(self, inode, end: end, isShared: isShared)
            try walk.run(body)
        }
    }

    private func forEachExtent(
        of inode: Ext4Inode,
        _ end: UInt64,
        _ isShared: Bool,
        _ body: RunBody
    ) throws(ImageError) {
        // The library works on this copy, and may mend an empty header in it.
        let size = max(inode.bytes.count, MemoryLayout<ext2_inode_large>.size)
        let copy = UnsafeMutableRawBufferPointer.allocate(byteCount: size, alignment: 8)
        defer { copy.deallocate() }
        copy.copyBytes(from: inode.bytes)
        guard let base = copy.baseAddress else { return }
        var handle: ext2_extent_handle_t?
        let start = base.assumingMemoryBound(to: ext2_inode.self)
        try checkExtents(ext2fs_extent_open2(library, inode.number, start, &handle), inode)
        defer { ext2fs_extent_free(handle) }

        var next: UInt64 = 0
        var steps = 0
        var extent = ext2fs_extent()
        var move = EXT2_EXTENT_ROOT
        while true {
            let code = ext2fs_extent_get(handle, move, &extent)
            move = EXT2_EXTENT_NEXT
            if code == EXT2_ET_EXTENT_NO_NEXT { return }
            try checkExtents(code, inode)
            steps += 1
            // An attribute's value has at most 64 KiB.
            guard !isShared || steps <= 1024 else {
                throw damaged("inode \(inode.number) has more extents than an attribute's value needs")
            }
            guard extent.e_flags & UInt32(EXT2_EXTENT_FLAGS_LEAF) != 0 else {
                let isFirstVisit = extent.e_flags & UInt32(EXT2_EXTENT_FLAGS_SECOND_VISIT) == 0
                if isFirstVisit, !isShared { try spend(1) }
                continue
            }
            // Reserved behind the end, for what was to come.
            if extent.e_lblk >= end { return }
            let count = UInt64(extent.e_len)
            guard count > 0, extent.e_lblk >= next, contains(extent.e_pblk, count: count) else {
                throw damaged("inode \(inode.number) has a wrong extent")
            }
            next = extent.e_lblk + count
            if !isShared { try spend(count) }
            guard extent.e_flags & UInt32(EXT2_EXTENT_FLAGS_UNINIT) == 0 else { continue }
            try body(
                Ext4Run(logical: extent.e_lblk, physical: extent.e_pblk, count: min(count, end - extent.e_lblk))
            )
        }
    }

    private func checkExtents(_ code: errcode_t, _ inode: Ext4Inode) throws(ImageError) {
        guard code != 0 else { return }
        throw .ext4("can't read the extents of inode \(inode.number)", code, check: check)
    }

    /// The whole content of something small.
    /// - Throws: `badArchive` also if it is larger than `limit` bytes.
    func content(of inode: Ext4Inode, limit: Int, isShared: Bool = false) throws(ImageError) -> [UInt8] {
        guard inode.size <= UInt64(limit) else {
            throw damaged("inode \(inode.number) has \(inode.size) bytes; there can't be more than \(limit)")
        }
        var content = [UInt8](repeating: 0, count: Int(inode.size))
        let blockSize = UInt64(blockSize)
        try forEachRun(of: inode, isShared: isShared) { (run) throws(ImageError) in
            let start = Int(run.logical * blockSize)
            let end = min(content.count, start + Int(run.count * blockSize))
            guard start < end else { return }
            let piece = UnsafeMutableRawBufferPointer.allocate(byteCount: end - start, alignment: 8)
            defer { piece.deallocate() }
            try readContent(run.physical, into: piece)
            content.replaceSubrange(start..<end, with: piece)
        }
        return content
    }
}
