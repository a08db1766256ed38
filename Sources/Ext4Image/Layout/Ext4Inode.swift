internal import FakeRoot
internal import ImageEntries
internal import LinuxFiles

/// One inode of an ext2, ext3 or ext4 file system, as it stands in the image.
///
/// Source: `struct ext4_inode` in the kernel's fs/ext4/ext4.h.
struct Ext4Inode {
    let number: UInt32
    /// At least 128.
    let bytes: [UInt8]

    /// EXT4_*_FL.
    enum Flags {
        static let encrypted: UInt32 = 0x800
        static let extents: UInt32 = 0x80000
        static let attributeValue: UInt32 = 0x20_0000
        static let inlineData: UInt32 = 0x1000_0000
        static let casefold: UInt32 = 0x4000_0000
    }

    static let root: UInt32 = 2
    /// Where the block map, the extents, a short symlink's target or inline data is.
    static let blockMap = 40..<100

    var format: FileFormat { FileFormat(mode: UInt32(bytes.littleEndian16(at: 0))) }

    var permissions: UInt32 { UInt32(bytes.littleEndian16(at: 0)) & 0o7777 }

    var owner: Owner {
        Owner(
            uid: UInt32(bytes.littleEndian16(at: 2)) | UInt32(bytes.littleEndian16(at: 120)) << 16,
            gid: UInt32(bytes.littleEndian16(at: 24)) | UInt32(bytes.littleEndian16(at: 122)) << 16
        )
    }

    /// In bytes.
    var size: UInt64 {
        // In ext2 only files and directories have an upper half here.
        let high = format == .regular || format == .directory ? UInt64(bytes.littleEndian32(at: 108)) : 0
        return UInt64(bytes.littleEndian32(at: 4)) | high << 32
    }

    var linkCount: UInt32 { UInt32(bytes.littleEndian16(at: 26)) }

    var flags: UInt32 { bytes.littleEndian32(at: 32) }

    func has(_ flag: UInt32) -> Bool { flags & flag != 0 }

    /// The block of extended attributes; 0 if there is none.
    var attributeBlock: UInt64 {
        UInt64(bytes.littleEndian32(at: 104)) | UInt64(bytes.littleEndian16(at: 118)) << 32
    }

    /// How many bytes behind the first 128 are fields; attributes follow.
    var extraSize: Int { bytes.count >= 130 ? Int(bytes.littleEndian16(at: 128)) : 0 }

    /// Seconds in 34 bits since 1901, nanoseconds in 30.
    var modificationTime: FileTime {
        let low = Int64(Int32(bitPattern: bytes.littleEndian32(at: 16)))
        guard extraSize >= 12, bytes.count >= 140 else { return FileTime(seconds: low, nanoseconds: 0) }
        let extra = bytes.littleEndian32(at: 136)
        let nanoseconds = extra >> 2
        return FileTime(
            seconds: low + Int64(extra & 3) << 32,
            nanoseconds: nanoseconds < 1_000_000_000 ? nanoseconds : 0
        )
    }

    /// Device numbers: 8 bits each in the first word, or, if that is 0, 12 and 20 bits in the second.
    private var deviceNumbers: (major: UInt32, minor: UInt32) {
        let old = bytes.littleEndian32(at: Self.blockMap.lowerBound)
        guard old == 0 else { return (old >> 8 & 0xff, old & 0xff) }
        let new = bytes.littleEndian32(at: Self.blockMap.lowerBound + 4)
        return (new >> 8 & 0xfff, new & 0xff | new >> 12 & 0xfff00)
    }

    /// Nil for a mode that no file has.
    var kind: NodeKind? {
        let (major, minor) = format == .block || format == .character ? deviceNumbers : (0, 0)
        return NodeKind(format, major: major, minor: minor)
    }

    /// Whether a symlink's target stands in the inode.
    var isShortSymlink: Bool {
        format == .symlink && size < UInt64(Self.blockMap.count) && !has(Flags.extents) && !has(Flags.inlineData)
    }
}
