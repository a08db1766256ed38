public import FakeRoot
public import LinuxFiles

/// A file for the length of one request: it can't be parked or closed meanwhile.
public struct HeldFile {
    /// The file's node.
    public let node: Node
    let descriptor: SharedDescriptor

    /// What a client sees: owner, mode, size, times.
    /// - Throws: as `FakeRootTree.status`.
    public func status() throws(Errno) -> BoardStatus {
        try use { (tree, file) throws(Errno) in try tree.status(of: file) }
    }

    /// The state of the file system that holds the file.
    /// - Throws: as `fstatfs(2)`.
    public func fileSystemStatus() throws(Errno) -> FileSystemStatus {
        try descriptor.use(System.fileSystemStatus(of:))
    }

    /// Reads where a symbolic link points to.
    /// - Parameter body: gets the target, without a NUL.
    /// - Throws: `EINVAL` unless it is a symbolic link; what `body` throws.
    public func withLinkTarget(_ body: (RawSpan) throws(Errno) -> Void) throws(Errno) {
        guard node.id.format == .symlink else { throw .EINVAL }
        // PATH_MAX: the kernel makes no longer targets.
        try withUnsafeTemporaryAllocation(byteCount: 4096, alignment: 1) { (buffer) throws(Errno) in
            let size = try descriptor.use { (link) throws(Errno) in try System.readLink(link, into: buffer) }
            try body(UnsafeRawBufferPointer(rebasing: buffer[..<size]).bytes)
        }
    }

    /// An extended attribute's value.
    /// - Throws: `ENODATA` if there is none, or the name is hidden; `EOPNOTSUPP` for a class that can't be kept.
    public func attribute(_ name: RawSpan) throws(Errno) -> [UInt8] {
        try use { (tree, file) throws(Errno) in try tree.attribute(name, of: file) }
    }

    /// The names of the extended attributes, each ended by a NUL.
    /// - Throws: as `FakeRootTree.attributeNames`.
    public func attributeNames() throws(Errno) -> [UInt8] {
        try use { (tree, file) throws(Errno) in try tree.attributeNames(of: file) }
    }

    func use<Result>(_ body: (FakeRootTree, CInt) throws(Errno) -> Result) throws(Errno) -> Result {
        let tree = node.tree
        return try descriptor.use { (file) throws(Errno) in try body(tree, file) }
    }
}

extension Node {
    /// Holds the file for a request.
    /// - Parameter opened: what the handle has opened, if it has: that holds the file even if its name changes or goes.
    /// - Throws: `ESTALE` if another file has its name now, `ENOENT` if none has, `EMFILE`: of a parked node.
    public func hold(_ opened: Opened? = nil) throws(Errno) -> HeldFile {
        if let opened { return HeldFile(node: self, descriptor: opened.descriptor) }
        return HeldFile(node: self, descriptor: try descriptor())
    }

    /// Holds the file for a request that changes it.
    /// - Throws: `EROFS`; else as `hold`.
    public func holdForChange(_ opened: Opened? = nil) throws(Errno) -> ChangeableFile {
        try expectChangeable()
        return ChangeableFile(file: try hold(opened))
    }

    /// Holds a directory for a request that makes, moves or removes something in it.
    /// - Throws: `EROFS`, `ENOTDIR`; else as `hold`.
    public func holdForChange(inside caller: Caller) throws(Errno) -> ChangeableDirectory {
        try expectChangeable()
        guard isDirectory else { throw .ENOTDIR }
        return ChangeableDirectory(directory: try hold(), caller: caller)
    }
}
