/// The flags of Tlopen and Tlcreate: `P9_DOTL_*`, which are x86's `O_*` on every machine.
///
/// Source: `enum p9_open_mode_t` in the kernel's `include/net/9p/9p.h`.
public struct OpenFlags: OptionSet, Hashable, Sendable {
    /// The bits on the wire.
    public let rawValue: UInt32

    /// Takes bits from the wire.
    public init(rawValue: UInt32) {
        self.rawValue = rawValue
    }

    /// P9_DOTL_WRONLY.
    public static let writeOnly = OpenFlags(rawValue: 0o1)
    /// P9_DOTL_RDWR.
    public static let readWrite = OpenFlags(rawValue: 0o2)
    /// P9_DOTL_NOACCESS: the bits that say whether to read or to write.
    public static let accessMask = OpenFlags(rawValue: 0o3)
    /// P9_DOTL_CREATE.
    public static let create = OpenFlags(rawValue: 0o100)
    /// P9_DOTL_EXCL.
    public static let exclusive = OpenFlags(rawValue: 0o200)
    /// P9_DOTL_TRUNC.
    public static let truncate = OpenFlags(rawValue: 0o1000)
    /// P9_DOTL_APPEND.
    public static let append = OpenFlags(rawValue: 0o2000)
    /// P9_DOTL_DIRECTORY.
    public static let directory = OpenFlags(rawValue: 0o200000)

    /// Whether the file may be written through a fid opened with these flags. So is 3, which has a meaning of its own in Linux.
    public var writes: Bool { !intersection(.accessMask).isEmpty }

    /// Whether the file may be read through a fid opened with these flags.
    public var reads: Bool { intersection(.accessMask) != .writeOnly }
}

/// What Tgetattr asks for and Rgetattr holds: `P9_STATS_*`.
public struct GetattrMask: OptionSet, Hashable, Sendable {
    /// The bits on the wire.
    public let rawValue: UInt64

    /// Takes bits from the wire.
    public init(rawValue: UInt64) {
        self.rawValue = rawValue
    }

    /// Mode to blocks, all that `stat(2)` needs.
    public static let basic = GetattrMask(rawValue: 0x7ff)
    /// P9_STATS_BTIME.
    public static let birthTime = GetattrMask(rawValue: 0x800)
    /// P9_STATS_GEN.
    public static let generation = GetattrMask(rawValue: 0x1000)
    /// P9_STATS_DATA_VERSION.
    public static let dataVersion = GetattrMask(rawValue: 0x2000)
    /// P9_STATS_ALL.
    public static let all = GetattrMask(rawValue: 0x3fff)
}

/// What Tsetattr changes: `P9_ATTR_*`.
public struct SetattrMask: OptionSet, Hashable, Sendable {
    /// The bits on the wire.
    public let rawValue: UInt32

    /// Takes bits from the wire.
    public init(rawValue: UInt32) {
        self.rawValue = rawValue
    }

    /// P9_ATTR_MODE.
    public static let mode = SetattrMask(rawValue: 0x1)
    /// P9_ATTR_UID.
    public static let uid = SetattrMask(rawValue: 0x2)
    /// P9_ATTR_GID.
    public static let gid = SetattrMask(rawValue: 0x4)
    /// P9_ATTR_SIZE.
    public static let size = SetattrMask(rawValue: 0x8)
    /// Without `accessTimeSet`: to now.
    public static let accessTime = SetattrMask(rawValue: 0x10)
    /// Without `modificationTimeSet`: to now.
    public static let modificationTime = SetattrMask(rawValue: 0x20)
    /// To now, which the host's file system does by itself on any other change.
    public static let changeTime = SetattrMask(rawValue: 0x40)
    /// P9_ATTR_ATIME_SET: to the time in the message.
    public static let accessTimeSet = SetattrMask(rawValue: 0x80)
    /// P9_ATTR_MTIME_SET: to the time in the message.
    public static let modificationTimeSet = SetattrMask(rawValue: 0x100)
}

/// A point in time on the wire: `sec[8] nsec[8]`.
public struct WireTime: Hashable, Sendable {
    /// Since 1970; negative ones in two's complement.
    public var seconds: UInt64
    /// 0...999,999,999 in a proper time.
    public var nanoseconds: UInt64

    /// Takes the fields in their order on the wire.
    public init(seconds: UInt64, nanoseconds: UInt64) {
        self.seconds = seconds
        self.nanoseconds = nanoseconds
    }
}

extension WireReader {
    @_lifetime(self: copy self)
    mutating func time() throws(WireError) -> WireTime {
        WireTime(seconds: try u64(), nanoseconds: try u64())
    }
}

extension OutputRawSpan {
    @_lifetime(self: copy self)
    mutating func put(_ time: WireTime) {
        put(time.seconds)
        put(time.nanoseconds)
    }
}

/// The kind of a lock: `P9_LOCK_TYPE_*`.
public struct LockType: RawRepresentable, Hashable, Sendable {
    /// The byte on the wire.
    public let rawValue: UInt8

    /// Takes a byte from the wire.
    public init(rawValue: UInt8) {
        self.rawValue = rawValue
    }

    /// A lock that others may share.
    public static let read = LockType(rawValue: 0)
    /// A lock for one owner alone.
    public static let write = LockType(rawValue: 1)
    /// No lock: gives one back, or says that none is in the way.
    public static let unlock = LockType(rawValue: 2)
}

/// How a Tlock went: `P9_LOCK_*`.
public struct LockStatus: RawRepresentable, Hashable, Sendable {
    /// The byte on the wire.
    public let rawValue: UInt8

    /// Takes a byte from the wire.
    public init(rawValue: UInt8) {
        self.rawValue = rawValue
    }

    /// The lock was taken or given back.
    public static let success = LockStatus(rawValue: 0)
    /// Somebody else's lock is in the way.
    public static let blocked = LockStatus(rawValue: 1)
    /// It can't be done.
    public static let error = LockStatus(rawValue: 2)
    /// The server has restarted, and waits for clients to claim their locks.
    public static let grace = LockStatus(rawValue: 3)
}
