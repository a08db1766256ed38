internal import CLinux

/// What the host knows of a file; the fields are `statx(2)`'s.
public struct FileStatus: Sendable {
    public var device: UInt64
    public var inode: UInt64
    /// With the S_IFMT bits.
    public var mode: UInt32
    public var linkCount: UInt32
    public var uid: UInt32
    public var gid: UInt32
    public var rawDevice: UInt64
    /// In bytes.
    public var size: UInt64
    /// In bytes.
    public var blockSize: UInt32
    /// Of 512 bytes.
    public var blocks: UInt64
    public var accessTime: FileTime
    public var modificationTime: FileTime
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

    public var identity: FileIdentity { FileIdentity(device: device, inode: inode, birthTime: birthTime) }
}

public struct FileTime: Hashable, Sendable {
    /// Since 1970.
    public var seconds: Int64
    public var nanoseconds: UInt32

    public init(seconds: Int64, nanoseconds: UInt32) {
        self.seconds = seconds
        self.nanoseconds = nanoseconds
    }
}

/// The kind of a file, the S_IFMT bits of its mode.
public struct FileFormat: RawRepresentable, Hashable, Sendable {
    public let rawValue: UInt32

    public init(rawValue: UInt32) {
        self.rawValue = rawValue
    }

    public init(mode: UInt32) {
        rawValue = mode & 0o170000
    }

    public static let fifo = FileFormat(rawValue: 0o010000)
    public static let character = FileFormat(rawValue: 0o020000)
    public static let directory = FileFormat(rawValue: 0o040000)
    public static let block = FileFormat(rawValue: 0o060000)
    public static let regular = FileFormat(rawValue: 0o100000)
    public static let symlink = FileFormat(rawValue: 0o120000)
    public static let socket = FileFormat(rawValue: 0o140000)

    /// The `d_type` of `readdir(3)`.
    public var directoryType: UInt8 { UInt8(rawValue >> 12) }
}
