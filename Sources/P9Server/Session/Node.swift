internal import FakeRoot
internal import LinuxFiles
internal import P9Wire
internal import Synchronization

/// A descriptor that several fids and requests use; closed when the last of them lets go.
///
/// Another thread may let go at any moment (Tclunk, parking). Who uses `raw` keeps the object in a variable, and says
/// `defer { extendLifetime(...) }`: else it may end right after `raw` was read, and the number be another file's.
final class SharedDescriptor: Sendable {
    private let owned: OwnedDescriptor
    private let pool: DescriptorPool?

    /// - Parameter pool: counts the descriptor while it is open.
    init(_ owned: consuming OwnedDescriptor, countedBy pool: DescriptorPool? = nil) {
        self.owned = owned
        self.pool = pool
        pool?.add()
    }

    deinit {
        pool?.subtract()
    }

    var raw: CInt { owned.raw }
}

/// The directory that a client attached to: the export's root, or one below it.
final class AttachPoint: Sendable {
    let export: Export
    let root: SharedDescriptor
    let rootStatus: FileStatus
    let pool: DescriptorPool

    init(export: Export, root: consuming OwnedDescriptor, _ pool: DescriptorPool) throws(Errno) {
        self.export = export
        self.pool = pool
        rootStatus = try System.status(of: root.raw)
        self.root = SharedDescriptor(root, countedBy: pool)
    }
}

/// A file that fids stand for.
///
/// Holds it by a descriptor, so that it stays the same file through every rename and after its removal. Under pressure
/// an idle node gives the descriptor up and remembers the path instead.
final class Node: Sendable {
    let attachPoint: AttachPoint
    let qid: Qid
    private let identity: FileStatus
    private let holding: Mutex<Holding>

    private enum Holding {
        case descriptor(SharedDescriptor)
        /// Relative to the attach point, NUL-terminated.
        case path([UInt8])
    }

    init(_ descriptor: SharedDescriptor, _ status: FileStatus, at attachPoint: AttachPoint) {
        self.attachPoint = attachPoint
        qid = attachPoint.export.qid(of: status)
        identity = status
        holding = Mutex(.descriptor(descriptor))
    }

    var export: Export { attachPoint.export }
    var tree: FakeRootTree { attachPoint.export.tree }
    var isAttachRoot: Bool { identity.isSameFile(as: attachPoint.rootStatus) }
    var lockFile: LockTable.File { LockTable.File(device: identity.device, inode: identity.inode) }

    /// The file, found again if need be.
    /// - Throws: `ESTALE` if another file has its name now, `ENOENT` if none has.
    func descriptor() throws(Errno) -> SharedDescriptor {
        if let descriptor = heldDescriptor { return descriptor }
        // Before the locks, as this may park other nodes.
        try attachPoint.pool.reserve()
        return try attachPoint.pool.whilePathsStay { () throws(Errno) in
            try holding.withLock { holding throws(Errno) in
                switch holding {
                case .descriptor(let descriptor): return descriptor
                case .path(let path):
                    let descriptor = try reopen(path)
                    holding = .descriptor(descriptor)
                    return descriptor
                }
            }
        }
    }

    private var heldDescriptor: SharedDescriptor? {
        holding.withLock {
            if case .descriptor(let descriptor) = $0 { descriptor } else { nil }
        }
    }

    private func reopen(_ path: [UInt8]) throws(Errno) -> SharedDescriptor {
        let root = attachPoint.root.raw
        let opened = try path.span.bytes.withUnsafeBytes { (bytes) throws(Errno) -> OwnedDescriptor in
            guard let base = bytes.baseAddress else { throw .ESTALE }
            return try System.open(
                beneath: root,
                base.assumingMemoryBound(to: CChar.self),
                [.path, .noFollow]
            )
        }
        let status = try System.status(of: opened.raw)
        // The birth time tells a file from another one that got its inode number.
        guard status.isSameFile(as: identity), status.birthTime == identity.birthTime else { throw .ESTALE }
        return SharedDescriptor(opened, countedBy: attachPoint.pool)
    }

    /// Gives the descriptor up, if the file can be found again by its path. Only within `whilePathsStay`.
    /// - Returns: whether a descriptor was given up.
    func park() -> Bool {
        holding.withLock { holding in
            guard case .descriptor(let descriptor) = holding, !isAttachRoot,
                let path = try? tree.relativePath(of: descriptor.raw, beneath: attachPoint.root.raw)
            else { return false }
            holding = .path(path + [0])
            return true
        }
    }

    var isParked: Bool { heldDescriptor == nil }

    /// Follows a directory entry that was moved, if the node is parked there or beneath. Only within `whilePathsStay`.
    /// - Parameters: absolute paths.
    func follow(from oldPath: [UInt8], to newPath: [UInt8]) {
        guard isParked, let top = try? System.currentPath(of: attachPoint.root.raw) else { return }
        let prefix = top.last == UInt8(ascii: "/") ? top : top + [UInt8(ascii: "/")]
        holding.withLock { holding in
            guard case .path(let path) = holding else { return }
            let whole = prefix + path.dropLast()
            guard whole.starts(with: oldPath), whole.count == oldPath.count || whole[oldPath.count] == UInt8(ascii: "/")
            else { return }
            let moved = newPath + whole[oldPath.count...]
            // Out of the attach point it can't be found any more: the old path leads to ENOENT then.
            guard moved.starts(with: prefix) else { return }
            holding = .path(Array(moved[prefix.count...]) + [0])
        }
    }
}
