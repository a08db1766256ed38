internal import CExt2FS
internal import Glibc
internal import ImageEntries
internal import LinuxFiles

/// An ext2, ext3 or ext4 file system in an image, open for reading.
///
/// libext2fs reads inodes, extents and directory blocks, and verifies their checksums. This type checks the numbers of a
/// hostile image: each block that a file may have comes from `spend`, so that reading ends even if a block refers to itself or
/// to others' blocks.
final class Ext4Volume {
    let superblock: Ext4Superblock
    /// The command that mends a copy of the image.
    let check: String
    let library: ext2_filsys
    private let image: OwnedDescriptor
    /// Where the file system begins in the image, in bytes.
    private let offset: UInt64
    /// How many blocks may still be found in files.
    private var blocksLeft: UInt64
    /// Bytes of content and directories read.
    private(set) var bytesRead: UInt64 = 0

    /// - Parameters:
    ///   - image: open for reading; not a pipe.
    ///   - place: where the file system is in it.
    ///   - name: what the user calls it, for messages.
    init(_ image: consuming OwnedDescriptor, _ place: ImagePlace, name: String) throws(ImageError) {
        check = place.offset == 0 ? "e2fsck -fy COPY" : "e2fsck -fy 'COPY?offset=\(place.offset)'"
        var bytes = [UInt8](repeating: 0, count: Ext4Superblock.byteCount)
        let count = try Self.read(image.raw, at: place.offset + Ext4Superblock.offset, into: &bytes)
        guard count == bytes.count, let superblock = Ext4Superblock(bytes) else {
            throw ImageError(.badArchive, "there is no ext2, ext3 or ext4 file system in \(name)")
        }
        try superblock.verify(available: place.size, check: check)
        self.superblock = superblock
        offset = place.offset
        let (limit, overflow) = superblock.blockCount.multipliedReportingOverflow(by: 256)
        blocksLeft = !superblock.hasSharedBlocks ? superblock.blockCount : overflow ? .max : limit

        var library: ext2_filsys?
        let code = cext2fs_open(
            "/proc/self/fd/\(image.raw)",
            "offset=\(place.offset)",
            EXT2_FLAG_64BITS,
            &library
        )
        guard code == 0, let library else {
            throw .ext4("can't open the file system in \(name)", code, check: check)
        }
        self.library = library
        self.image = image
    }

    deinit {
        ext2fs_free(library)
    }

    var blockSize: Int { superblock.blockSize }

    func damaged(_ what: String) -> ImageError { .damagedExt4(what, check: check) }

    /// Counts blocks that belong to a file.
    func spend(_ count: UInt64) throws(ImageError) {
        guard count <= blocksLeft else {
            throw damaged("its files have more blocks than there are: some are in several files, or in one twice")
        }
        blocksLeft -= count
    }

    /// An inode, its checksum verified.
    func inode(_ number: UInt32) throws(ImageError) -> Ext4Inode {
        guard number >= 1, number <= superblock.inodeCount else { throw damaged("there is no inode \(number)") }
        var bytes = [UInt8](repeating: 0, count: max(superblock.inodeSize, MemoryLayout<ext2_inode_large>.size))
        let size = CInt(superblock.inodeSize)
        let code = bytes.withUnsafeMutableBytes { bytes -> errcode_t in
            guard let base = bytes.baseAddress else { return errcode_t(ENOMEM) }
            return ext2fs_read_inode_full(library, number, base.assumingMemoryBound(to: ext2_inode.self), size)
        }
        guard code == 0 else { throw .ext4("can't read inode \(number)", code, check: check) }
        bytes.removeLast(bytes.count - superblock.inodeSize)
        return Ext4Inode(number: number, bytes: bytes)
    }

    /// Whether blocks are in the file system, behind its superblock.
    func contains(_ first: UInt64, count: UInt64) -> Bool {
        first > superblock.firstDataBlock && count <= superblock.blockCount && first <= superblock.blockCount - count
    }

    /// Reads one block of metadata that has no checksum, or whose checksum the caller doesn't need.
    func readBlock(_ number: UInt64) throws(ImageError) -> [UInt8] {
        guard contains(number, count: 1) else { throw damaged("there is no block \(number)") }
        var block = [UInt8](repeating: 0, count: blockSize)
        let count = try Self.read(image.raw, at: offset + number * UInt64(blockSize), into: &block)
        guard count == block.count else { throw damaged("block \(number) is not there") }
        return block
    }

    /// Reads one block of a directory, its checksum verified.
    func readDirectoryBlock(_ number: UInt64, of inode: UInt32, into block: inout [UInt8]) throws(ImageError) {
        guard contains(number, count: 1) else { throw damaged("there is no block \(number)") }
        let code = block.withUnsafeMutableBytes {
            ext2fs_read_dir_block4(library, number, $0.baseAddress, 0, inode)
        }
        guard code == 0 else { throw .ext4("can't read a directory (inode \(inode))", code, check: check) }
        bytesRead += UInt64(block.count)
    }

    /// Reads content.
    /// - Parameter block: where it begins, and how many bytes behind that.
    func readContent(
        _ block: UInt64,
        skipping skipped: UInt64 = 0,
        into buffer: UnsafeMutableRawBufferPointer
    ) throws(ImageError) {
        let count: Int
        do throws(Errno) {
            let position = offset + block * UInt64(blockSize) + skipped
            count = try System.read(image.raw, into: buffer, at: Int64(clamping: position))
        } catch {
            throw ImageError("can't read the image", error)
        }
        guard count == buffer.count else { throw damaged("block \(block) is not there") }
        bytesRead += UInt64(count)
    }

    private static func read(_ image: CInt, at offset: UInt64, into bytes: inout [UInt8]) throws(ImageError) -> Int {
        do throws(Errno) {
            return try bytes.withUnsafeMutableBufferPointer { (buffer) throws(Errno) in
                try System.read(image, into: UnsafeMutableRawBufferPointer(buffer), at: Int64(clamping: offset))
            }
        } catch {
            throw ImageError("can't read the image", error)
        }
    }
}
