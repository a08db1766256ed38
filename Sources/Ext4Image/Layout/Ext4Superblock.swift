internal import ImageEntries

/// What the superblock of an ext2, ext3 or ext4 file system says, checked so far that reading on is safe.
///
/// Source: `struct ext4_super_block` in the kernel's fs/ext4/ext4.h.
struct Ext4Superblock {
    /// Where it stands in the file system, in bytes.
    static let offset: UInt64 = 1024
    static let byteCount = 1024

    let blockSize: Int
    let blockCount: UInt64
    let freeBlockCount: UInt64
    let firstDataBlock: UInt64
    let inodeCount: UInt32
    let firstInode: UInt32
    let inodeSize: Int
    /// EXT4_FEATURE_INCOMPAT_*.
    let incompatible: UInt32
    /// EXT4_FEATURE_RO_COMPAT_*.
    let readOnlyCompatible: UInt32
    let state: UInt16
    let label: [UInt8]
    /// Bytes of the group descriptors.
    private let descriptorTableSize: UInt64

    /// Incompatible features: what we need to know to read a file system right.
    enum Incompatible {
        static let recover: UInt32 = 0x4
        static let journalDevice: UInt32 = 0x8
        static let inlineData: UInt32 = 0x8000
        /// file types, meta_bg, extents, 64bit, MMP, flex_bg, EA inodes, checksum seed, large directories, encryption,
        /// casefolding; of the last two the files that use them are refused.
        static let known: UInt32 =
            0x2 | recover | 0x10 | 0x40 | 0x80 | 0x100 | 0x200 | 0x400 | 0x2000 | 0x4000 | inlineData | 0x10000
            | 0x20000
    }

    /// Android's deduplicated images: a block may be in several files.
    static let sharedBlocks: UInt32 = 0x4000
    private static let sixtyFourBit: UInt32 = 0x80
    private static let magic: UInt16 = 0xef53
    private static let hasErrors: UInt16 = 2
    private static let isClean: UInt16 = 1

    /// Whether the bytes of a superblock can be one: the magic number, and numbers that any file system has.
    static func recognizes(_ bytes: [UInt8]) -> Bool {
        guard bytes.count >= byteCount, bytes.littleEndian16(at: 56) == magic else { return false }
        return bytes.littleEndian32(at: 24) <= 6 && bytes.littleEndian32(at: 0) > 0 && bytes.littleEndian32(at: 4) > 0
            && bytes.littleEndian32(at: 32) > 0
    }

    /// - Returns: nil if this is not a superblock.
    init?(_ bytes: [UInt8]) {
        guard Self.recognizes(bytes) else { return nil }
        blockSize = 1024 << Int(bytes.littleEndian32(at: 24))
        incompatible = bytes.littleEndian32(at: 96)
        readOnlyCompatible = bytes.littleEndian32(at: 100)
        let is64Bit = incompatible & Self.sixtyFourBit != 0
        func count(_ low: Int, _ high: Int) -> UInt64 {
            UInt64(bytes.littleEndian32(at: low)) | (is64Bit ? UInt64(bytes.littleEndian32(at: high)) << 32 : 0)
        }
        blockCount = count(4, 336)
        freeBlockCount = min(count(12, 344), blockCount)
        firstDataBlock = UInt64(bytes.littleEndian32(at: 20))
        inodeCount = bytes.littleEndian32(at: 0)
        let isOld = bytes.littleEndian32(at: 76) == 0
        firstInode = isOld ? 11 : bytes.littleEndian32(at: 84)
        inodeSize = isOld ? 128 : Int(bytes.littleEndian16(at: 88))
        state = bytes.littleEndian16(at: 58)
        label = Array(bytes[120..<136].prefix { $0 != 0 })
        let groups = blockCount / UInt64(bytes.littleEndian32(at: 32)) + 1
        descriptorTableSize = groups.multipliedReportingOverflow(by: 64).partialValue
    }

    var hasSharedBlocks: Bool { readOnlyCompatible & Self.sharedBlocks != 0 }

    /// Whether it was in use when the image was made, and lacks a journal that says what was going on.
    var isUnclean: Bool { state & Self.isClean == 0 }

    /// In bytes; saturated.
    var size: UInt64 {
        let (size, overflow) = blockCount.multipliedReportingOverflow(by: UInt64(blockSize))
        return overflow ? .max : size
    }

    /// - Parameters:
    ///   - available: bytes that the image has for the file system.
    ///   - check: the command that mends a copy of the image.
    /// - Throws: `badArchive` for what can't be read, or not be trusted.
    func verify(available: UInt64, check: String) throws(ImageError) {
        let mend = "Write back what is missing, in a copy of it, and import that:\n    \(check)"
        guard incompatible & Incompatible.recover == 0 else {
            throw ImageError(.badArchive, "the file system's journal was not written back: it was in use", hint: mend)
        }
        guard state & Self.hasErrors == 0 else {
            throw ImageError(.badArchive, "the file system is marked as having errors", hint: mend)
        }
        guard incompatible & Incompatible.journalDevice == 0 else {
            throw ImageError(.badArchive, "this is the journal of another file system, and no file system")
        }
        let unknown = incompatible & ~Incompatible.known
        guard unknown == 0 else {
            throw ImageError(
                .badArchive,
                "the ext4 file system has a feature that is not known here (incompat 0x\(String(unknown, radix: 16)))",
                hint: "Mount it where it is known, and import a tar of it."
            )
        }
        guard (128...blockSize).contains(inodeSize), inodeSize & (inodeSize - 1) == 0, firstInode >= 11,
            firstDataBlock < blockCount, descriptorTableSize < 64 << 20, size < 1 << 60
        else { throw .damagedExt4("its superblock has numbers that can't be", check: check) }
        guard size <= available else {
            throw ImageError(
                .badArchive,
                "the image was cut short: the file system has \(size) bytes, and \(available) are there",
                hint: "Copy it again."
            )
        }
    }
}
