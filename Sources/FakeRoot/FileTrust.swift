public import LinuxFiles

/// The users whose files' labels and attributes are believed: the process's effective user and the owner of the tree's root.
///
/// In an exported /tmp other users of the host can make files too. Their labels, setuid bits and attributes don't count: such
/// a file is root's on the board, with the host's rwx bits.
public struct FileTrust: Sendable {
    private let server: UInt32
    private let treeOwner: UInt32
    private let device: UInt64
    private let isUserSpace: Bool

    /// Trusts the process's effective user and the owner of the tree's root.
    /// - Throws: what statx(2) gives for the root.
    public init(root: CInt) throws(Errno) {
        let status = try System.status(of: root)
        server = System.effectiveUser
        treeOwner = status.uid
        device = status.device
        isUserSpace = (try? System.fileSystemStatus(of: root).type) == Self.userSpace
    }

    private init(user: UInt32) {
        server = user
        treeOwner = user
        device = 0
        isUserSpace = false
    }

    /// The process's effective user's files alone.
    static let ofProcess = FileTrust(user: System.effectiveUser)

    /// Whether the host says that the file is one of theirs.
    func coversOwner(of host: FileStatus) -> Bool { host.uid == server || host.uid == treeOwner }

    /// Whether the file is one of theirs, and the file system that says so is believed.
    ///
    /// Any user may mount a FUSE file system on a directory of his own, and it says of its files what it likes. One
    /// inside the tree is believed only if the tree's root is on such a file system itself.
    public func covers(_ descriptor: CInt, _ host: FileStatus) -> Bool {
        guard coversOwner(of: host) else { return false }
        guard host.device != device, !isUserSpace else { return true }
        return (try? System.fileSystemStatus(of: descriptor).type) != Self.userSpace
    }

    /// FUSE_SUPER_MAGIC; the source is the kernel's `include/uapi/linux/magic.h`.
    private static let userSpace: UInt64 = 0x6573_5546
}
