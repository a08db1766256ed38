internal import FakeRoot
internal import ImageEntries
internal import LinuxFiles

/// The bytes of a new ext4 inode for an entry, before its content.
struct Ext4InodeFields {
    private(set) var bytes = [UInt8](repeating: 0, count: Ext4Layout.inodeSize)
    /// For directory entries.
    let type: UInt8

    static let directoryType: UInt8 = 2
    private static let extraSize: UInt16 = 32

    /// - Parameters:
    ///   - time: of making, in seconds since 1970.
    ///   - linkCount: of a directory it is found out later.
    init(_ entry: ImageEntry, time: UInt32, linkCount: UInt16 = 1) {
        let kind = entry.kind ?? .file
        type =
            switch kind {
            case .file: 1
            case .directory: Self.directoryType
            case .character: 3
            case .block: 4
            case .pipe: 5
            case .socket: 6
            case .symlink: 7
            }
        bytes.setLittleEndian(UInt16(truncatingIfNeeded: kind.format.rawValue | entry.permissions), at: 0)
        bytes.setLittleEndian(UInt16(truncatingIfNeeded: entry.owner.uid), at: 2)
        bytes.setLittleEndian(UInt16(truncatingIfNeeded: entry.owner.uid >> 16), at: 120)
        bytes.setLittleEndian(UInt16(truncatingIfNeeded: entry.owner.gid), at: 24)
        bytes.setLittleEndian(UInt16(truncatingIfNeeded: entry.owner.gid >> 16), at: 122)
        bytes.setLittleEndian(linkCount, at: 26)
        bytes.setLittleEndian(Self.extraSize, at: 128)
        let made = FileTime(seconds: Int64(time), nanoseconds: 0)
        set(made, at: 8, extra: 140)
        set(made, at: 12, extra: 132)
        set(entry.modificationTime ?? made, at: 16, extra: 136)
        set(made, at: 144, extra: 148)
        setContent(kind, entry)
    }

    /// 34 bits of seconds from 1901 on; what lies outside becomes the nearest.
    private mutating func set(_ time: FileTime, at offset: Int, extra: Int) {
        let limits = Int64(Int32.min)...(Int64(Int32.max) + 3 << 32)
        let seconds = min(max(time.seconds, limits.lowerBound), limits.upperBound)
        let low = Int32(truncatingIfNeeded: seconds)
        let epoch = UInt32(truncatingIfNeeded: (seconds - Int64(low)) >> 32) & 3
        bytes.setLittleEndian(low, at: offset)
        bytes.setLittleEndian(epoch | min(time.nanoseconds, 999_999_999) << 2, at: extra)
    }

    private mutating func setContent(_ kind: NodeKind, _ entry: ImageEntry) {
        let start = Ext4Inode.blockMap.lowerBound
        switch entry.body {
        case .special:
            switch kind {
            case .block(let major, let minor), .character(let major, let minor):
                if major < 256, minor < 256 {
                    bytes.setLittleEndian(major << 8 | minor, at: start)
                } else {
                    bytes.setLittleEndian(minor & 0xff | major << 8 | (minor & ~0xff) << 12, at: start + 4)
                }
            default: break
            }
        case .symlink(let target) where target.count < Ext4Layout.shortSymlinkLimit:
            bytes.setLittleEndian(UInt32(target.count), at: 4)
            bytes.replaceSubrange(start..<start + target.count, with: target)
        case .file, .directory, .symlink:
            bytes.setLittleEndian(Ext4Inode.Flags.extents, at: 32)
            // An empty header of extents: its magic number, and room for four.
            bytes.setLittleEndian(UInt16(0xf30a), at: start)
            bytes.setLittleEndian(UInt16(4), at: start + 4)
        case .hardLink: break
        }
    }
}
