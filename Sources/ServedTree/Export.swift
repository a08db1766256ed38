public import FakeRoot
public import LinuxFiles

/// A directory that is served: its tree, whether it may be changed, and its files' numbers.
public final class Export: Sendable {
    /// What clients ask for it by; the default export has the empty name.
    public let name: String
    /// The directory as the board sees it.
    public let tree: FakeRootTree
    /// Whether every change is `EROFS`.
    public let isReadOnly: Bool
    /// The host's absolute path, as it was when the directory was opened.
    public let path: [UInt8]

    /// The directory, for all who attach to it.
    let root: SharedDescriptor
    private let numbers: FileNumbers

    /// Opens a directory to serve it.
    /// - Parameters:
    ///   - avoiding: all directories that this process exports: no metadata database may lie beneath one.
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
        path = try System.currentPath(of: tree.root.raw)
        root = SharedDescriptor(try System.open(at: tree.root.raw, ".", [.path, .directory]))
        numbers = FileNumbers(exportDevice: try System.status(of: tree.root.raw).device)
    }

    /// A client comes to a directory of the export.
    /// - Parameters:
    ///   - subdirectory: names that lead to it from the export's own.
    ///   - client: pays for the descriptors.
    /// - Returns: the directory's node, above which the client does not get.
    /// - Throws: `ENOENT`, `ENOTDIR`, `EACCES`; `EINVAL` for a name that can't be one; `EMFILE`.
    public func attach(_ subdirectory: [[UInt8]] = [], for client: ClientFiles) throws(Errno) -> Node {
        // All that attach to the export's own directory share one descriptor.
        var directory = root
        for name in subdirectory {
            try client.reserve()
            let found = try directory.use { (directory) throws(Errno) in
                try tree.lookup(FileName(name.span.bytes), in: directory)
            }
            directory = SharedDescriptor(found, countedBy: client)
        }
        let attachPoint = try AttachPoint(export: self, root: directory, client)
        guard attachPoint.rootStatus.format == .directory else { throw .ENOTDIR }
        return Node(directory, attachPoint.rootStatus, at: attachPoint)
    }

    /// - Parameter host: of a file of the export.
    func id(of host: FileStatus) -> FileID { id(host.format, device: host.device, inode: host.inode) }

    func id(_ format: FileFormat, device: UInt64, inode: UInt64) -> FileID {
        FileID(number: numbers.number(device: device, inode: inode), format: format)
    }
}
