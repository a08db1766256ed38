public import LinuxFiles
internal import Synchronization

/// A directory of an ordinary user, seen as a root filesystem: the one place where host files are mapped to what the
/// board sees, and the board's changes to what an ordinary user may store.
///
/// Callers give a file by a descriptor that holds it (O_PATH is enough), and a name by its directory's descriptor: no path
/// is looked up. All functions may be called from several threads.
///
/// What no extended attribute can hold is in a SQLite database outside the tree, which is found by the directory's file
/// handle and made when it is first needed. Several processes may use one tree.
///
/// "What the database gives" in a `- Throws:` line is the `errno` of a `MetadataError`: `EIO` for a damaged or lost database,
/// `EBUSY` for one that another process holds, `ENOSPC`, `EROFS`, `EACCES`.
public final class FakeRootTree: Sendable {
    /// The exported directory itself, O_PATH.
    public let root: OwnedDescriptor

    /// Where labels and attributes are kept.
    public let storage: Storage

    /// Where a tree keeps labels and attributes.
    public enum Storage: String, Hashable, Sendable {
        /// In the host files' own attributes, and in the database what doesn't fit there.
        case extendedAttributes
        /// The host's file system has no attributes: all is in the database.
        case database
    }

    let metadata: MetadataStore
    let cache = StatusCache()
    /// Paths that a message has named.
    let warned = Mutex<Set<[UInt8]>>([])
    /// Files that got owner and mode back while they did not have the expected content yet.
    let unfinishedCopies = Mutex<[FileHandle: Manifest.Row]>([:])
    /// Records of files whose recorded name was removed while another name stays.
    let namelessRecords = Mutex<[FileHandle: ManifestEntry]>([:])
    let warn: @Sendable (String) -> Void

    /// Serializes, for each file, the changes that read a label before they write it.
    let changes = FileChanges()

    let stagingSerial = Atomic<UInt32>(0)

    let trust: FileTrust

    /// Whether modes below the floor may be raised, which changes host files.
    let mayRaiseModes: Bool

    /// Whether a file that lost its label gets it back when it is looked up.
    let restoresLabels: Bool

    /// Clears the process' umask: modes are stored exactly as the board sends them.
    /// - Parameters:
    ///   - mayRaiseModes: false for a tree that is only read: modes that forbid their owner something stay as they are, and lost
    ///     labels stay lost.
    ///   - restoresLabels: false to leave it to `repair`.
    ///   - makesDatabase: false for a directory that may not be a tree's root. Then what only a database can hold is
    ///     `EOPNOTSUPP`, and a file of the database's name that is something else is skipped, after a warning.
    ///   - avoiding: the directories that clients reach besides this one: a database is neither made beneath one nor left
    ///     there, as long as there is another place.
    ///   - checksDatabase: whether the database is searched for damage: for some milliseconds at once, the rest by a
    ///     thread of its own, which warns.
    ///   - acceptsLoss: goes on with a database that was emptied, and without one that is gone.
    ///   - warn: gets a line for the user, such as that a changed program has lost its setuid bit.
    /// - Throws: what opening the directory gives, such as `ENOENT`, `ENOTDIR` or `EACCES`; `EIO` for a metadata
    ///   database that can't be used, after a warning that says why.
    public convenience init(
        directory path: String,
        mayRaiseModes: Bool = true,
        restoresLabels: Bool = true,
        makesDatabase: Bool = true,
        avoiding: [DirectoryID] = [],
        checksDatabase: Bool = false,
        acceptsLoss: Bool = false,
        warn: @escaping @Sendable (String) -> Void = { _ in }
    ) throws(Errno) {
        try self.init(
            owning: System.open(path, [.path, .directory]),
            mayRaiseModes: mayRaiseModes,
            restoresLabels: restoresLabels,
            makesDatabase: makesDatabase,
            avoiding: avoiding,
            checksDatabase: checksDatabase,
            acceptsLoss: acceptsLoss,
            warn: warn
        )
    }

    /// As `init(directory:)`, for a directory that is open already; O_PATH is enough.
    public init(
        owning root: consuming OwnedDescriptor,
        mayRaiseModes: Bool = true,
        restoresLabels: Bool = true,
        makesDatabase: Bool = true,
        avoiding: [DirectoryID] = [],
        checksDatabase: Bool = false,
        acceptsLoss: Bool = false,
        warn: @escaping @Sendable (String) -> Void = { _ in }
    ) throws(Errno) {
        System.clearUmask()
        self.root = root
        trust = try FileTrust(root: self.root.raw)
        self.mayRaiseModes = mayRaiseModes
        self.restoresLabels = restoresLabels && mayRaiseModes
        self.warn = warn
        storage = Self.storage(of: self.root.raw)
        do throws(MetadataError) {
            metadata = try MetadataStore(
                root: self.root.raw,
                MetadataStore.Options(
                    mayWrite: mayRaiseModes,
                    makesDatabase: makesDatabase,
                    acceptsLoss: acceptsLoss,
                    exported: avoiding,
                    warn: warn
                )
            )
            if checksDatabase { try checkDatabase() }
        } catch {
            warn(error.description)
            throw error.errno
        }
        if hasManifest, self.restoresLabels { restore(self.root.raw) }
    }

    /// Reads an attribute that need not exist: a file system without attributes says so.
    private static func storage(of root: CInt) -> Storage {
        do throws(Errno) {
            let nothing = UnsafeMutableRawBufferPointer(start: nil, count: 0)
            _ = try System.getAttribute(AttributeName.label.cString, of: root, into: nothing)
            return .extendedAttributes
        } catch .EOPNOTSUPP {
            return .database
        } catch {
            return .extendedAttributes
        }
    }

    /// Whether a directory is the root of a tree with a metadata database; also if that one was written by a later release
    /// or has lost its content. Another program's file of the same name doesn't count.
    public static func hasDatabase(directory path: String) -> Bool {
        do throws(Errno) {
            let tree = try FakeRootTree(directory: path, mayRaiseModes: false, makesDatabase: false)
            return tree.databasePath != nil
        } catch {
            return error == .EIO
        }
    }

    /// Whether the tree is between two ways of keeping metadata: `p9serve convert` works on it, or was interrupted.
    public var isBeingConverted: Bool {
        let name: StaticString = "user.usb9pfs.convert"
        let nothing = UnsafeMutableRawBufferPointer(start: nil, count: 0)
        return (try? System.getAttribute(name.cString, of: root.raw, into: nothing)) != nil
    }

    /// The metadata database's path; nil as long as there is none.
    public var databasePath: String? { metadata.path }

    /// What went wrong with the database last.
    public var databaseProblem: MetadataError? { metadata.problem }

    /// The handle under which the database knows a file.
    /// - Throws: as `statx(2)`, `name_to_handle_at(2)` and, for a file of another file system, `fstatfs(2)`.
    public func handle(of descriptor: CInt) throws(Errno) -> FileHandle {
        try handle(of: descriptor, System.status(of: descriptor))
    }

    func handle(of descriptor: CInt, _ host: FileStatus) throws(Errno) -> FileHandle {
        // Handles are unique only within a file system.
        let fileSystem = try host.device == metadata.rootDevice ? nil : System.fileSystemStatus(of: descriptor).id
        return try System.fileHandle(of: descriptor, host, fileSystem: fileSystem)
    }

    /// What the board sees of the file that a descriptor holds.
    /// - Throws: `EBUSY` if another process keeps changing mode and label; what the database gives; else as
    ///   `statx(2)` and `getxattr(2)`.
    public func status(of descriptor: CInt) throws(Errno) -> BoardStatus {
        try read(descriptor, isLocked: false).status
    }

    /// The host's file under a name, and what the board takes it for.
    ///
    /// Cheaper than `status`: only an empty regular file can stand for something else, so only such a file's label is read.
    /// - Throws: `ENOENT`, `ENOTDIR`, `EACCES`; else as `status`.
    public func kind(
        of name: borrowing FileName,
        in directory: CInt
    ) throws(Errno) -> (host: FileStatus, kind: NodeKind) {
        let host = try raisingToFloor(directory) { () throws(Errno) in
            try name.withCString { (name) throws(Errno) in try System.status(at: directory, name) }
        }
        // Special nodes of the host are looked at too: what they are depends on whose they are.
        guard host.format != .directory, host.format != .symlink, host.format != .regular || host.size == 0 else {
            return (host, NodeKind(host: host))
        }
        let file = try lookup(name, in: directory)
        let status = try status(of: file.raw)
        return (status.host, status.kind)
    }

    /// Opens a name in a directory as an O_PATH descriptor; a symbolic link is opened itself, never followed.
    ///
    /// A file that has lost the label which the import gave it gets it back here.
    /// - Throws: `ENOENT`, `ENOTDIR`, `EACCES`.
    public func lookup(_ name: borrowing FileName, in directory: CInt) throws(Errno) -> OwnedDescriptor {
        guard !Self.isReservedName(name) else { throw .ENOENT }
        let file = try raisingToFloor(directory) { () throws(Errno) in
            try name.withCString { (name) throws(Errno) in
                try System.open(at: directory, name, [.path, .noFollow])
            }
        }
        if expectsSomething(of: name) { restore(file.raw) }
        return file
    }

    /// Opens the file that an O_PATH descriptor holds, for reading or writing.
    ///
    /// If the host's mode forbids that to the owner, the mode is raised to the floor and a label keeps what the board sees.
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
    /// - Parameter isLocked: the caller holds the file's lock.
    func raisingToFloor<Result: ~Copyable>(
        _ descriptor: CInt,
        isLocked: Bool = false,
        _ operation: () throws(Errno) -> Result
    ) throws(Errno) -> Result {
        do throws(Errno) {
            return try operation()
        } catch .EACCES {
            guard mayRaiseModes else { throw .EACCES }
            let isRaised =
                isLocked
                ? try raiseToFloor(descriptor)
                : try changes.withLock(descriptor) { () throws(Errno) in try raiseToFloor(descriptor) }
            guard isRaised else { throw .EACCES }
            return try operation()
        }
    }

    /// Only under the file's lock.
    /// - Returns: false if the file isn't ours. True also if another thread has raised the mode meanwhile: then the
    ///   operation is worth another try as well.
    private func raiseToFloor(_ descriptor: CInt) throws(Errno) -> Bool {
        let host = try System.status(of: descriptor)
        guard Self.canCarryAttributes(host), host.uid == System.effectiveUser else { return false }
        let floor = BoardStatus.hostPermissions(0, NodeKind(host: host))
        guard host.mode & floor != floor else { return true }
        let (status, label) = try read(descriptor, isLocked: true)
        // Reading the label of a file that can't be read has raised it already.
        if status.host.mode & floor != floor { try store(status, replacing: label, on: descriptor) }
        return true
    }

    /// The directory that holds a file now, and the file's name there: right after any rename, on the host too.
    /// - Parameter root: a directory of the tree; the file must be beneath it.
    /// - Throws: `ENOENT` for a file that was removed, `ESTALE` for one that is not beneath `root` any more,
    ///   `ENAMETOOLONG` beyond 4,095 bytes of path.
    public func locate(_ descriptor: CInt, beneath root: CInt) throws(Errno) -> Place {
        var tries = 1
        while true {
            do throws(Errno) {
                return try look(for: descriptor, beneath: root)
            } catch {
                // A directory above it may have been renamed meanwhile: then the file is somewhere else, and not gone.
                let mayHaveMoved = error == .ENOENT || error == .ENOTDIR || error == .ESTALE
                guard mayHaveMoved, tries < Self.maximumTries, try System.status(of: descriptor).linkCount > 0 else {
                    throw error
                }
                tries += 1
            }
        }
    }

    /// How often a file is looked for while renames move it.
    private static let maximumTries = 64

    private func look(for descriptor: CInt, beneath root: CInt) throws(Errno) -> Place {
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

    static func pathHint(of descriptor: CInt, beneath root: CInt) throws(Errno) -> [UInt8] {
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
    /// The name there.
    public let name: FileName
}

/// Lends a buffer of a few hundred bytes on the stack.
func withUnsafeStackBuffer<Result>(
    _ size: Int,
    _ body: (UnsafeMutableRawBufferPointer) throws(Errno) -> Result
) throws(Errno) -> Result {
    try withUnsafeTemporaryAllocation(byteCount: size, alignment: 8) { (buffer) throws(Errno) in try body(buffer) }
}
