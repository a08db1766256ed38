public import FakeRoot
public import LinuxFiles
internal import P9Wire
internal import Synchronization

/// A directory tree that clients may attach to.
public final class Export: Sendable {
    /// What clients say in `aname`; the default export has the empty name.
    public let name: String
    public let tree: FakeRootTree
    public let isReadOnly: Bool

    /// The host's absolute path, by components: an `aname` may name a directory in the export so.
    let pathComponents: [[UInt8]]
    /// The export's directory, for all who attach to it.
    let root: SharedDescriptor
    private let rootDevice: UInt64
    private let foreign = Mutex(ForeignQids())

    /// - Parameters:
    ///   - avoiding: all directories that this process exports: no metadata database shall lie beneath one.
    ///   - warn: gets a line for the user, such as that a changed program has lost its setuid bit.
    /// - Throws: what opening the directory gives, such as `ENOENT`, `ENOTDIR` or `EACCES`; `EIO` for a metadata
    ///   database that can't be used, after a warning that says why.
    public init(
        name: String = "",
        directory: String,
        isReadOnly: Bool = false,
        avoiding: [DirectoryID] = [],
        warn: @escaping @Sendable (String) -> Void = { _ in }
    ) throws(Errno) {
        self.name = name
        self.isReadOnly = isReadOnly
        tree = try FakeRootTree(
            directory: directory,
            mayRaiseModes: !isReadOnly,
            avoiding: avoiding,
            checksDatabase: true,
            warn: warn
        )
        pathComponents = Export.components(try System.currentPath(of: tree.root.raw))
        root = SharedDescriptor(try System.open(at: tree.root.raw, ".", [.path, .directory]))
        rootDevice = try System.status(of: tree.root.raw).device
    }

    static func components(_ path: [UInt8]) -> [[UInt8]] {
        path.split(separator: UInt8(ascii: "/")).map(Array.init)
    }

    /// The qid of a file, unique in the export over (device, inode).
    ///
    /// The version is constant: the Linux client counts it to the file's identity and turns caching off if it is 0.
    func qid(of host: FileStatus) -> Qid {
        qid(host.format, device: host.device, inode: host.inode)
    }

    func qid(_ format: FileFormat, device: UInt64, inode: UInt64) -> Qid {
        let kind: Qid.Kind =
            switch format {
            case .directory: .directory
            case .symlink: .symlink
            default: .file
            }
        return Qid(kind: kind, version: 1, path: qidPath(device: device, inode: inode))
    }

    private func qidPath(device: UInt64, inode: UInt64) -> UInt64 {
        if device == rootDevice, inode >> ForeignQids.inodeBits == 0 { return inode }
        return foreign.withLock { $0.path(device: device, inode: inode) }
    }
}
