public import LinuxFiles
internal import Synchronization

/// A directory of an ordinary user, seen as a root filesystem: the one place where host files are mapped to what the
/// board sees, and the board's changes to what an ordinary user may store.
///
/// Every file is given by a descriptor that holds it (O_PATH is enough), every name by its directory's descriptor:
/// nothing is found by a path. All functions may be called from several threads.
public final class FakeRootTree: Sendable {
    /// The exported directory itself, O_PATH.
    public let root: OwnedDescriptor

    /// Serializes the changes that read a label before they write it.
    let labelChanges = Mutex<Void>(())

    let stagingSerial = Atomic<UInt32>(0)

    /// Whether modes below the floor may be raised, which changes host files.
    private let mayRaiseModes: Bool

    /// Clears the process' umask: modes are stored exactly as the board sends them.
    /// - Parameter mayRaiseModes: false for a tree that is only read: what its modes forbid its owner stays forbidden.
    /// - Throws: what opening the directory gives, such as `ENOENT`, `ENOTDIR` or `EACCES`.
    public convenience init(directory path: String, mayRaiseModes: Bool = true) throws(Errno) {
        try self.init(owning: System.open(path, [.path, .directory]), mayRaiseModes: mayRaiseModes)
    }

    /// As `init(directory:)`, for a directory that is open already, be it O_PATH.
    public init(owning root: consuming OwnedDescriptor, mayRaiseModes: Bool = true) throws(Errno) {
        System.clearUmask()
        self.root = root
        self.mayRaiseModes = mayRaiseModes
        _ = try System.status(of: self.root.raw)
    }

    /// What the board sees of the file that a descriptor holds.
    public func status(of descriptor: CInt) throws(Errno) -> BoardStatus {
        let host = try System.status(of: descriptor)
        return BoardStatus(host: host, label: try label(of: descriptor, host))
    }

    /// The host's file under a name, and what the board takes it for.
    ///
    /// Cheaper than `status`: only an empty regular file can stand for something else, so only there the label is read.
    public func kind(
        of name: borrowing FileName,
        in directory: CInt
    ) throws(Errno) -> (host: FileStatus, kind: NodeKind) {
        let host = try raisingToFloor(directory) { () throws(Errno) in
            try name.withCString { (name) throws(Errno) in try System.status(at: directory, name) }
        }
        guard host.format == .regular, host.size == 0 else { return (host, NodeKind(host: host)) }
        let file = try lookup(name, in: directory)
        let status = try status(of: file.raw)
        return (status.host, status.kind)
    }

    /// The label of a file, if it has one that can be read as such.
    func label(of descriptor: CInt, _ host: FileStatus) throws(Errno) -> Label? {
        guard Self.canCarryAttributes(host) else { return nil }
        do throws(Errno) {
            return try Self.readLabel(of: descriptor)
        } catch .EACCES {
            // Somebody else's file, or a tree that must not be touched: what its label says can't be known.
            guard host.uid == System.effectiveUser, mayRaiseModes else { return nil }
            return try labelOfUnreadable(descriptor, host)
        }
    }

    /// XATTR_CREATE: fail if the attribute exists.
    private static let createOnly: CInt = 1

    private static func readLabel(of descriptor: CInt) throws(Errno) -> Label? {
        try withUnsafeStackBuffer(Label.maxSize) { (buffer) throws(Errno) -> Label? in
            do throws(Errno) {
                let size = try System.getAttribute(AttributeName.label.cString, of: descriptor, into: buffer)
                return Label(parsing: UnsafeRawBufferPointer(rebasing: buffer[..<size]))
            } catch .ENODATA, .EOPNOTSUPP, .ERANGE {
                return nil  // none; none possible on this file system; too long to be one
            }
        }
    }

    /// getxattr(2) wants a readable file, and the developer has said `chmod 000` or `chmod 200`. Raises the host's mode
    /// to the floor; the board goes on seeing what it saw.
    private func labelOfUnreadable(_ descriptor: CInt, _ host: FileStatus) throws(Errno) -> Label? {
        let kind = NodeKind(host.format) ?? .file
        try System.changeMode(of: descriptor, to: BoardStatus.hostPermissions(host.mode, kind))
        if let label = try Self.readLabel(of: descriptor) { return label }
        let label = Label(uid: 0, gid: 0, mode: host.mode, kind: kind)
        do throws(Errno) {
            // Not over the one that another thread may have written since.
            try write(label, on: descriptor, flags: Self.createOnly)
            return label
        } catch .EEXIST {
            return try Self.readLabel(of: descriptor)
        }
    }

    /// Linux allows `user.*` attributes on regular files and directories only.
    static func canCarryAttributes(_ host: FileStatus) -> Bool {
        host.format == .regular || host.format == .directory
    }

    /// Opens a name in a directory as an O_PATH descriptor; a symbolic link is opened itself, never followed.
    /// - Throws: `ENOENT`, `ENOTDIR`, `EACCES`.
    public func lookup(_ name: borrowing FileName, in directory: CInt) throws(Errno) -> OwnedDescriptor {
        guard !Self.isStagingName(name) else { throw .ENOENT }
        return try raisingToFloor(directory) { () throws(Errno) in
            try name.withCString { (name) throws(Errno) in
                try System.open(at: directory, name, [.path, .noFollow])
            }
        }
    }

    /// Opens the file that an O_PATH descriptor holds, for reading or writing.
    ///
    /// Where the host's mode forbids it to its owner, the mode is raised to the floor and a label keeps what the board
    /// sees.
    /// - Throws: `ELOOP` for a symbolic link, `ENXIO` for a special file, `EISDIR` for a directory that is to be
    ///   written.
    public func open(_ descriptor: CInt, _ mode: OpenMode) throws(Errno) -> OwnedDescriptor {
        let status = try status(of: descriptor)
        switch status.kind {
        case .symlink: throw .ELOOP
        case .pipe, .socket, .block, .character: throw .ENXIO
        case .directory where !mode.isDisjoint(with: [.writeOnly, .readWrite, .truncate]): throw .EISDIR
        case .directory, .file: break
        }
        guard NodeKind(status.host.format) == status.kind else { throw .ENXIO }
        return try raisingToFloor(descriptor) { () throws(Errno) in
            try DescriptorPath(descriptor).withCString { (path) throws(Errno) in
                try System.open(
                    at: System.atCurrentDirectory,
                    path,
                    mode.union([.nonBlocking, .noControllingTerminal])
                )
            }
        }
    }

    /// Runs an operation that needs the owner's permissions on a file; if they are lacking, grants them and tries once
    /// more.
    func raisingToFloor<Result: ~Copyable>(
        _ descriptor: CInt,
        _ operation: () throws(Errno) -> Result
    ) throws(Errno) -> Result {
        do throws(Errno) {
            return try operation()
        } catch .EACCES {
            guard try raiseToFloor(descriptor) else { throw .EACCES }
            return try operation()
        }
    }

    /// - Returns: false if there is nothing to raise, or the file isn't ours.
    private func raiseToFloor(_ descriptor: CInt) throws(Errno) -> Bool {
        guard mayRaiseModes else { return false }
        return try labelChanges.withLock { _ throws(Errno) -> Bool in
            let status = try status(of: descriptor)
            let isRaised = status.host.mode & 0o777 | status.hostPermissions == status.host.mode & 0o777
            guard !isRaised, Self.canCarryAttributes(status.host), status.host.uid == System.effectiveUser else {
                return false
            }
            try store(status, on: descriptor)
            return true
        }
    }

    /// The directory that holds a file now, and the file's name there: right after any rename, on the host too.
    /// - Parameter root: a directory of the tree; the file must be beneath it.
    /// - Throws: `ENOENT` for a file that was removed, `ESTALE` for one that is not beneath `root` any more,
    ///   `ENAMETOOLONG` beyond 4,095 bytes of path.
    public func locate(_ descriptor: CInt, beneath root: CInt) throws(Errno) -> Place {
        let path = try Self.pathHint(of: descriptor, beneath: root)
        let slash = path.lastIndex(of: UInt8(ascii: "/"))
        let parent = slash.map { Array(path[..<$0]) } ?? [UInt8(ascii: ".")]
        let name = try FileName(Array(path[(slash.map { $0 + 1 } ?? 0)...]).span.bytes)
        let directory = try (parent + [0]).span.bytes.withUnsafeBytes { (bytes) throws(Errno) -> OwnedDescriptor in
            guard let base = bytes.baseAddress else { throw .EINVAL }
            return try System.open(beneath: root, base.assumingMemoryBound(to: CChar.self), [.path, .directory])
        }
        // The path is only a hint: a removed file's ends in " (deleted)", and anything may have moved meanwhile.
        let found = try name.withCString { (name) throws(Errno) in try System.status(at: directory.raw, name) }
        guard try found.isSameFile(as: System.status(of: descriptor)) else { throw .ESTALE }
        return Place(directory: directory, name: name)
    }

    /// The directory that holds a file now.
    /// - Throws: as `locate`.
    public func parent(of descriptor: CInt, beneath root: CInt) throws(Errno) -> OwnedDescriptor {
        let place = try locate(descriptor, beneath: root)
        return place.directory
    }

    /// Where a file can be found now, relative to a directory of the tree.
    /// - Throws: as `locate`.
    public func relativePath(of descriptor: CInt, beneath root: CInt) throws(Errno) -> [UInt8] {
        _ = try locate(descriptor, beneath: root)
        return try Self.pathHint(of: descriptor, beneath: root)
    }

    private static func pathHint(of descriptor: CInt, beneath root: CInt) throws(Errno) -> [UInt8] {
        let path = try System.currentPath(of: descriptor)
        var rootPath = try System.currentPath(of: root)
        if rootPath.last != UInt8(ascii: "/") { rootPath.append(UInt8(ascii: "/")) }
        guard path.starts(with: rootPath) else { throw .ESTALE }
        return Array(path[rootPath.count...])
    }
}

/// Where a file has its name.
public struct Place: ~Copyable {
    /// O_PATH.
    public let directory: OwnedDescriptor
    public let name: FileName
}

/// Lends a buffer of a few hundred bytes on the stack.
func withUnsafeStackBuffer<Result>(
    _ size: Int,
    _ body: (UnsafeMutableRawBufferPointer) throws(Errno) -> Result
) throws(Errno) -> Result {
    try withUnsafeTemporaryAllocation(byteCount: size, alignment: 8) { (buffer) throws(Errno) in try body(buffer) }
}
