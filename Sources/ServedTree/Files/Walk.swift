internal import FakeRoot
public import LinuxFiles

/// A way from a node, name by name. Directories on the way get no nodes of their own.
public struct Walk {
    /// What clients tell the file by that the walk has come to.
    public private(set) var id: FileID
    private var place: Place
    private let attachPoint: AttachPoint

    private enum Place {
        case node(Node)
        /// Opened on the way.
        case file(SharedDescriptor, FileStatus)
    }

    /// A walk that has gone nowhere yet.
    public init(from node: Node) {
        id = node.id
        place = .node(node)
        attachPoint = node.attachPoint
    }

    /// Goes on to a name; "." stays, and ".." does so at what the client attached to.
    /// - Throws: `ENOTDIR`, `ENOENT`, `EACCES`; `EINVAL` and `ENAMETOOLONG` for what can't be a name; `EMFILE`, `ESTALE`. The
    ///   walk is where it was then.
    public mutating func step(to name: RawSpan) throws(Errno) {
        let directory: SharedDescriptor
        switch place {
        case .node(let node): directory = try node.descriptor()
        case .file(let descriptor, _): directory = descriptor
        }
        guard id.format == .directory else { throw .ENOTDIR }
        if FileName.isDot(name) { return }
        try attachPoint.client.reserve()
        guard let found = try find(name, in: directory) else { return }
        let status = try System.status(of: found.raw)
        // A walk back to the top needs no further descriptor.
        let isRoot = status.isSameFile(as: attachPoint.rootStatus)
        let descriptor =
            isRoot ? attachPoint.root : SharedDescriptor(found, countedBy: attachPoint.client)
        place = .file(descriptor, status)
        id = attachPoint.export.id(of: status)
    }

    /// - Returns: nil for what is above the attach point.
    private func find(_ name: RawSpan, in directory: SharedDescriptor) throws(Errno) -> OwnedDescriptor? {
        let tree = attachPoint.export.tree
        return try directory.use { (directory) throws(Errno) -> OwnedDescriptor? in
            guard FileName.isDotDot(name) else { return try tree.lookup(FileName(name), in: directory) }
            guard try !System.status(of: directory).isSameFile(as: attachPoint.rootStatus) else { return nil }
            return try attachPoint.root.use { (root) throws(Errno) in try tree.parent(of: directory, beneath: root) }
        }
    }

    /// The node of what the walk has come to: the one it began at, or a new one.
    public func makeNode() -> Node {
        switch place {
        case .node(let node): node
        case .file(let descriptor, let status): Node(descriptor, status, at: attachPoint)
        }
    }
}
