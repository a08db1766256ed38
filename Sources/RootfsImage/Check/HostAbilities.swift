internal import FakeRoot
internal import LinuxFiles

/// What the file system that a tree lies on can do.
public struct HostAbilities: Hashable, Sendable {
    /// "ext4", or its magic number.
    public var fileSystem = ""
    /// Whether files can carry user attributes; without, all labels are in the database.
    public var hasUserAttributes = false
    /// Whether the kernel names files by handles; without, inode number and time of birth stand in.
    public var hasFileHandles = false
    /// Whether a file can be made without a name (O_TMPFILE), to appear complete.
    public var hasUnnamedFiles = false
    /// In bytes.
    public var bytesAvailable: UInt64 = 0

    /// A file system that can do nothing.
    public init() {}

    init(of tree: FakeRootTree) throws(Errno) {
        let root = tree.root.raw
        let status = try System.fileSystemStatus(of: root)
        fileSystem = Self.name(of: status.type)
        hasUserAttributes = tree.storage == .extendedAttributes
        hasFileHandles = try tree.handle(of: root).isFromKernel
        bytesAvailable = status.blocksAvailable * UInt64(status.blockSize)
        do throws(Errno) {
            _ = try System.open(at: root, ".", [.unnamed, .readWrite], mode: 0o600)
            hasUnnamedFiles = true
        } catch {
            hasUnnamedFiles = false
        }
    }

    /// Source: linux/magic.h.
    private static func name(of type: UInt64) -> String {
        switch type {
        case 0xef53: "ext4"
        case 0x5846_5342: "xfs"
        case 0x9123_683e: "btrfs"
        case 0x0102_1994: "tmpfs"
        case 0x8584_58f6: "ramfs"
        case 0x6969: "nfs"
        case 0x794c_7630: "overlay"
        case 0x6573_5546: "fuse"
        case 0x0102_1997: "9p"
        case 0x00c0_ffee: "hostfs"
        case 0xf2f5_2010: "f2fs"
        case 0x2fc1_2fc1: "zfs"
        case 0xca45_1a4e: "bcachefs"
        case 0x4d44: "vfat"
        default: "0x" + String(type, radix: 16)
        }
    }
}
