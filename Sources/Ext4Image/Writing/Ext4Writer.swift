internal import CExt2FS
internal import ImageEntries
internal import LinuxFiles

/// An ext4 file system that is being made in a file: an empty one at first, then inodes and blocks in order.
///
/// libext2fs keeps bitmaps, group descriptors, extents and checksums; content goes into the file past it. Nothing of it
/// depends on the host or the time.
final class Ext4Writer {
    struct Settings {
        /// 16 bytes.
        var uuid: [UInt8]
        /// At most 16 bytes.
        var label: [UInt8]
        /// The time of making, in seconds since 1970.
        var time: UInt32
        var hasAttributeInodes: Bool
    }

    let image: CInt
    let library: ext2_filsys
    let time: UInt32
    let blockSize = Ext4Layout.blockSize
    /// Where the next blocks are looked for.
    private var goal: UInt64 = 0
    private var nextInode = UInt32(Ext4Layout.ownInodes) + 1
    private var isOpen = true

    static let lostAndFound: UInt32 = 11

    /// - Parameters:
    ///   - image: open for reading and writing, a regular file; what is in it is lost.
    ///   - size: that the file gets, in bytes.
    init(_ image: CInt, size: UInt64, _ layout: Ext4Layout, _ settings: Settings) throws(ImageError) {
        self.image = image
        time = max(settings.time, 1)
        do throws(Errno) {
            try System.truncate(image, to: 0)
            try System.truncate(image, to: Int64(size))
        } catch {
            throw ImageError("can't make a file of \(size) bytes", error)
        }
        var parameters = Self.parameters(layout, settings)
        var library: ext2_filsys?
        let code = cext2fs_initialize("/proc/self/fd/\(image)", &parameters, &library)
        guard code == 0, let library else { throw Self.failure("can't make the file system", code) }
        self.library = library
        setUp(settings)
        try check(ext2fs_allocate_tables(library), "can't make the tables of inodes")
        try makeOwnInodes()
        try makeJournal(layout)
    }

    deinit {
        if isOpen { ext2fs_free(library) }
    }

    private static func parameters(_ layout: Ext4Layout, _ settings: Settings) -> ext2_super_block {
        var parameters = ext2_super_block()
        parameters.s_rev_level = 1
        parameters.s_log_block_size = 2
        parameters.s_blocks_count = UInt32(truncatingIfNeeded: layout.blocks)
        parameters.s_blocks_count_hi = UInt32(truncatingIfNeeded: layout.blocks >> 32)
        parameters.s_inodes_count = UInt32(clamping: layout.inodes)
        parameters.s_inode_size = UInt16(Ext4Layout.inodeSize)
        parameters.s_log_groups_per_flex = 4
        // As Debian's mke2fs.conf: ext_attr, resize_inode, dir_index; the journal comes later.
        parameters.s_feature_compat = 0x38
        // filetype, extent, 64bit, flex_bg; ea_inode.
        parameters.s_feature_incompat = 0x2c2 | (settings.hasAttributeInodes ? 0x400 : 0)
        // sparse_super, large_file, huge_file, dir_nlink, extra_isize, metadata_csum.
        parameters.s_feature_ro_compat = 0x46b
        return parameters
    }

    private func setUp(_ settings: Settings) {
        library.pointee.now = Int(time)
        let superblock: UnsafeMutablePointer<ext2_super_block> = library.pointee.super
        superblock.pointee.s_mkfs_time = time
        superblock.pointee.s_lastcheck = time
        superblock.pointee.s_wtime = time
        superblock.pointee.s_max_mnt_count = -1
        superblock.pointee.s_checksum_type = 1  // crc32c
        superblock.pointee.s_def_hash_version = 1  // half MD4
        superblock.pointee.s_default_mount_opts = 0xc  // user_xattr, acl
        superblock.pointee.s_kbytes_written = 1
        // The library takes what `char` is on the host; x86's on all.
        superblock.pointee.s_flags = superblock.pointee.s_flags & ~3 | 1
        withUnsafeMutableBytes(of: &superblock.pointee.s_uuid) { $0.copyBytes(from: settings.uuid) }
        withUnsafeMutableBytes(of: &superblock.pointee.s_hash_seed) { $0.copyBytes(from: settings.uuid.reversed()) }
        withUnsafeMutableBytes(of: &superblock.pointee.s_volume_name) { $0.copyBytes(from: settings.label) }
        ext2fs_init_csum_seed(library)
    }

    /// The first ten inodes: most of them nobody uses.
    private func makeOwnInodes() throws(ImageError) {
        // The file is all zeros, so the tables are right as they are, and the kernel need not write them later.
        for group in 0..<library.pointee.group_desc_count {
            ext2fs_bg_flags_set(library, group, UInt16(EXT2_BG_INODE_ZEROED))
            ext2fs_group_desc_csum_set(library, group)
        }
        let empty = [UInt8](repeating: 0, count: Ext4Layout.inodeSize)
        for number in 1..<Self.lostAndFound {
            try writeInode(number, empty)
            ext2fs_inode_alloc_stats2(library, number, 1, number == Ext4Inode.root ? 1 : 0)
        }
        try check(ext2fs_create_resize_inode(library), "can't reserve blocks for online resizing")
        ext2fs_inode_alloc_stats2(library, Self.lostAndFound, 1, 1)
    }

    private func makeJournal(_ layout: Ext4Layout) throws(ImageError) {
        guard layout.journalBlocks > 0 else { return }
        var parameters = ext2fs_journal_params(num_journal_blocks: UInt32(layout.journalBlocks), num_fc_blocks: 0)
        let flags = EXT2_MKJOURNAL_LAZYINIT | EXT2_MKJOURNAL_NO_MNT_CHECK
        try check(ext2fs_add_journal_inode3(library, &parameters, ~0, flags), "can't make the journal")
    }

    // MARK: Blocks and inodes

    var freeBlocks: UInt64 { ext2fs_free_blocks_count(library.pointee.super) }

    var freeInodes: UInt64 { UInt64(library.pointee.super.pointee.s_free_inodes_count) }

    /// Takes free blocks, as many of those wanted as are consecutive, behind those taken last.
    func takeBlocks(_ count: UInt64) throws(ImageError) -> Range<UInt64> {
        var first: blk64_t = 0
        var found: blk64_t = 0
        let code = ext2fs_new_range(library, 0, goal, min(count, 32_768), nil, &first, &found)
        try check(code, "can't find room for a file")
        ext2fs_block_alloc_stats_range(library, first, blk_t(found), 1)
        goal = first + found
        return first..<first + found
    }

    /// Takes the next inode.
    func takeInode(isDirectory: Bool) throws(ImageError) -> UInt32 {
        // The library takes some for large attributes.
        while nextInode <= library.pointee.super.pointee.s_inodes_count,
            ext2fs_test_inode_bitmap2(library.pointee.inode_map, nextInode) != 0
        {
            nextInode += 1
        }
        guard nextInode <= library.pointee.super.pointee.s_inodes_count else { throw Self.full }
        ext2fs_inode_alloc_stats2(library, nextInode, 1, isDirectory ? 1 : 0)
        return nextInode
    }

    func writeInode(_ number: UInt32, _ bytes: [UInt8]) throws(ImageError) {
        var bytes = bytes
        let size = CInt(bytes.count)
        let code = bytes.withUnsafeMutableBytes { bytes -> errcode_t in
            guard let base = bytes.baseAddress else { return 0 }
            return ext2fs_write_inode_full(library, number, base.assumingMemoryBound(to: ext2_inode.self), size)
        }
        try check(code, "can't write an inode")
    }

    /// - Parameter position: in the file system, in bytes.
    func write(_ bytes: UnsafeRawBufferPointer, at position: UInt64) throws(ImageError) {
        do throws(Errno) {
            var done = 0
            // A short write comes before ENOSPC; the next one tells.
            while done < bytes.count {
                let rest = UnsafeRawBufferPointer(rebasing: bytes[done...])
                done += try System.write(image, rest.bytes, at: Int64(position) + Int64(done))
            }
        } catch {
            throw ImageError("can't write the image", error)
        }
    }

    /// Gives a file its extended attributes; its inode must have been written.
    func setAttributes(_ attributes: [ImageEntry.Attribute], of number: UInt32) throws(ImageError) {
        guard !attributes.isEmpty else { return }
        let action = "can't write extended attributes"
        var handle: OpaquePointer?
        try check(ext2fs_xattrs_open(library, number, &handle), action)
        defer { ext2fs_xattrs_close(&handle) }
        // ACLs as they are to stand there.
        var flags = UInt32(cext2fs_xattr_raw)
        try check(ext2fs_xattrs_flags(handle, &flags, nil), action)
        for attribute in attributes {
            var value = attribute.value
            if attribute.name == Ext4AttributeFormat.accessACL || attribute.name == Ext4AttributeFormat.defaultACL {
                guard let list = Ext4AttributeFormat.ext4ACL(fromLinux: value) else {
                    throw ImageError(.system, "\(printable(attribute.name)) is not an access control list")
                }
                value = list
            }
            let name = (attribute.name + [0]).map { CChar(bitPattern: $0) }
            let before = freeInodes
            try check(ext2fs_xattr_set(handle, name, value, value.count), action)
            if freeInodes < before { try charge(value.count, to: number) }
        }
    }

    /// A value in an inode of its own counts among the blocks of the file, too; the library leaves that out.
    private func charge(_ size: Int, to number: UInt32) throws(ImageError) {
        let action = "can't write extended attributes"
        let inode = UnsafeMutableRawBufferPointer.allocate(byteCount: Ext4Layout.inodeSize, alignment: 8)
        defer { inode.deallocate() }
        let structure = inode.baseAddress?.assumingMemoryBound(to: ext2_inode.self)
        let blocks = blk64_t((size + blockSize - 1) / blockSize)
        try check(ext2fs_read_inode_full(library, number, structure, CInt(inode.count)), action)
        try check(ext2fs_iblk_add_blocks(library, structure, blocks), action)
        try check(ext2fs_write_inode_full(library, number, structure, CInt(inode.count)), action)
    }

    /// Writes all that is still in memory.
    func close() throws(ImageError) {
        var closing: ext2_filsys? = library
        isOpen = false
        let code = ext2fs_close_free(&closing)
        guard code == 0 else { throw Self.failure("can't write the image", code) }
    }

    // MARK: Errors

    func check(_ code: errcode_t, _ action: String) throws(ImageError) {
        if code != 0 { throw Self.failure(action, code) }
    }

    static let full = ImageError(
        .noSpace,
        "the image is too small for the tree",
        hint: "Give it a larger --size, or none: then it becomes as large as it needs to be."
    )

    private static func failure(_ action: String, _ code: errcode_t) -> ImageError {
        switch code {
        case EXT2_ET_BLOCK_ALLOC_FAIL, EXT2_ET_INODE_ALLOC_FAIL, EXT2_ET_TOOSMALL, EXT2_ET_TOO_MANY_INODES: return full
        case EXT2_ET_EA_NO_SPACE:
            let limit = "about 4000 bytes, or 64 KiB each"
            return ImageError(.system, "\(action): they are more than ext4 has room for, \(limit)")
        case 1..<4096: return ImageError(action, Errno(rawValue: CInt(code)))
        default: return ImageError(.system, "\(action): \(ImageError.ext4Text(code))")
        }
    }
}
