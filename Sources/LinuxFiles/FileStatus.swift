internal import CLinux

/// What the host knows of a file; the fields are `statx(2)`'s.
public struct FileStatus: Sendable {
    /// The device number of the file system.
    public var device: UInt64
    /// The inode number.
    public var inode: UInt64
    /// With the S_IFMT bits.
    public var mode: UInt32
    /// How many names the file has.
    public var linkCount: UInt32
    /// The owner on the host.
    public var uid: UInt32
    /// The group on the host.
    public var gid: UInt32
    /// The number of a device node, as `makedev` makes it.
    public var rawDevice: UInt64
    /// In bytes.
    public var size: UInt64
    /// In bytes.
    public var blockSize: UInt32
    /// In blocks of 512 bytes.
    public var blocks: UInt64
    /// When the file was last read.
    public var accessTime: FileTime
    /// When the content was last changed.
    public var modificationTime: FileTime
    /// When content or attributes were last changed.
    public var changeTime: FileTime
    /// 0 where the file system doesn't know it.
    public var birthTime: FileTime

    init(_ status: clinux_stat) {
        device = status.dev
        inode = status.ino
        mode = status.mode
        linkCount = status.nlink
        uid = status.uid
        gid = status.gid
        rawDevice = status.rdev
        size = status.size
        blockSize = status.blksize
        blocks = status.blocks
        accessTime = FileTime(seconds: status.atime_sec, nanoseconds: status.atime_nsec)
        modificationTime = FileTime(seconds: status.mtime_sec, nanoseconds: status.mtime_nsec)
        changeTime = FileTime(seconds: status.ctime_sec, nanoseconds: status.ctime_nsec)
        birthTime = FileTime(seconds: status.btime_sec, nanoseconds: status.btime_nsec)
    }

    /// The S_IFMT bits.
    public var format: FileFormat { FileFormat(mode: mode) }

    /// Whether both are the same file, at one moment: an inode number may be used again.
    public func isSameFile(as other: FileStatus) -> Bool { device == other.device && inode == other.inode }

    /// What tells the file from all others.
    public var identity: FileIdentity { FileIdentity(device: device, inode: inode, birthTime: birthTime) }
}

/// A point in time, as the host keeps it.
public struct FileTime: Hashable, Sendable {
    /// Since 1970.
    public var seconds: Int64
    /// 0...999,999,999.
    public var nanoseconds: UInt32

    /// A point in time.
    public init(seconds: Int64, nanoseconds: UInt32) {
        self.seconds = seconds
        self.nanoseconds = nanoseconds
    }
}

/// The kind of a file, the S_IFMT bits of its mode.
public struct FileFormat: RawRepresentable, Hashable, Sendable {
    /// The S_IFMT bits.
    public let rawValue: UInt32

    /// Takes S_IFMT bits.
    public init(rawValue: UInt32) {
        self.rawValue = rawValue
    }

    /// Takes the S_IFMT bits of a mode.
    public init(mode: UInt32) {
        rawValue = mode & 0o170000
    }

    /// S_IFIFO.
    public static let fifo = FileFormat(rawValue: 0o010000)
    /// S_IFCHR.
    public static let character = FileFormat(rawValue: 0o020000)
    /// S_IFDIR.
    public static let directory = FileFormat(rawValue: 0o040000)
    /// S_IFBLK.
    public static let block = FileFormat(rawValue: 0o060000)
    /// S_IFREG.
    public static let regular = FileFormat(rawValue: 0o100000)
    /// S_IFLNK.
    public static let symlink = FileFormat(rawValue: 0o120000)
    /// S_IFSOCK.
    public static let socket = FileFormat(rawValue: 0o140000)

    /// The `d_type` of `readdir(3)`.
    public var directoryType: UInt8 { UInt8(rawValue >> 12) }
}
