public import FakeRoot
public import LinuxFiles

/// A directory in which somebody makes, moves or removes something, for the length of one request.
///
/// New files belong to the caller; the client chooses `gid`, because its kernel knows the directory's setgid bit.
public struct ChangeableDirectory {
    let directory: HeldFile
    let caller: Caller

    /// The directory.
    public var node: Node { directory.node }

    /// Makes a directory.
    /// - Parameter permissions: with setuid, setgid and sticky bits.
    /// - Throws: `EEXIST`; else as `mkdir(2)`.
    public func createDirectory(
        _ name: borrowing FileName,
        gid: UInt32,
        permissions: UInt32
    ) throws(Errno) -> FileID {
        try directory.use { (tree, directory) throws(Errno) in
            try tree.createDirectory(name, in: directory, owner: caller.owner(gid: gid), permissions: permissions)
        }
        return try id(of: name)
    }

    /// Makes an empty file or a special node.
    /// - Throws: `EEXIST`; `EINVAL` for another kind, and for a device number that Linux doesn't have; else as `mknod(2)`.
    public func createNode(
        _ name: borrowing FileName,
        _ kind: NodeKind,
        gid: UInt32,
        permissions: UInt32
    ) throws(Errno) -> FileID {
        let owner = caller.owner(gid: gid)
        try directory.use { (tree, directory) throws(Errno) in
            if kind == .file {
                _ = try tree.createFile(name, in: directory, owner: owner, permissions: permissions)
            } else {
                try tree.createSpecial(name, in: directory, owner: owner, permissions: permissions, kind: kind)
            }
        }
        return try id(of: name)
    }

    /// Makes a symbolic link.
    /// - Throws: `ENOENT` for an empty target, `EINVAL` for one with a NUL; `EEXIST`; else as `symlink(2)`.
    public func createSymlink(_ name: borrowing FileName, target: RawSpan, gid: UInt32) throws(Errno) -> FileID {
        let target = target.withUnsafeBytes { Array($0) }
        guard !target.isEmpty else { throw .ENOENT }
        guard !target.contains(0) else { throw .EINVAL }
        try (target + [0]).span.bytes.withUnsafeBytes { (bytes) throws(Errno) in
            guard let base = bytes.baseAddress else { throw .EINVAL }
            try directory.use { (tree, directory) throws(Errno) in
                try tree.createSymlink(
                    name,
                    in: directory,
                    target: base.assumingMemoryBound(to: CChar.self),
                    owner: caller.owner(gid: gid)
                )
            }
        }
        return try id(of: name)
    }

    private func id(of name: borrowing FileName) throws(Errno) -> FileID {
        let status = try directory.descriptor.use { (directory) throws(Errno) in
            try name.withCString { (name) throws(Errno) in try System.status(at: directory, name) }
        }
        return node.export.id(of: status)
    }

    /// Makes a file and opens it; one that is there is opened, unless `access` has `exclusive`.
    /// - Throws: `EEXIST`, `EISDIR`, `EMFILE`; `EBUSY` if the file comes and goes all the time; else as `open(2)`.
    public func create(
        _ name: borrowing FileName,
        _ access: FileAccess,
        gid: UInt32,
        permissions: UInt32
    ) throws(Errno) -> (node: Node, opened: Opened) {
        try node.client.reserve()
        // It may come and go between the two steps.
        for _ in 0..<Self.maximumTries {
            do throws(Errno) {
                return try createNew(name, access, gid: gid, permissions: permissions)
            } catch .EEXIST where !access.contains(.exclusive) {
                do throws(Errno) {
                    return try openExisting(name, access)
                } catch .ENOENT {
                    continue
                }
            }
        }
        throw .EBUSY
    }

    private static let maximumTries = 8

    private func createNew(
        _ name: borrowing FileName,
        _ access: FileAccess,
        gid: UInt32,
        permissions: UInt32
    ) throws(Errno) -> (node: Node, opened: Opened) {
        let created = try directory.descriptor.use { (directory) throws(Errno) in
            try node.tree.createFile(name, in: directory, owner: caller.owner(gid: gid), permissions: permissions)
        }
        let status = try System.status(of: created.raw)
        let descriptor = SharedDescriptor(created, countedBy: node.client)
        let new = Node(descriptor, status, isOpenFile: true, at: node.attachPoint)
        return (new, .file(OpenFile(OpenNode(new), descriptor, access)))
    }

    private func openExisting(
        _ name: borrowing FileName,
        _ access: FileAccess
    ) throws(Errno) -> (node: Node, opened: Opened) {
        let found = try directory.descriptor.use { (directory) throws(Errno) in
            try node.tree.lookup(name, in: directory)
        }
        let status = try System.status(of: found.raw)
        let existing = Node(SharedDescriptor(found, countedBy: node.client), status, at: node.attachPoint)
        guard !existing.isDirectory else { throw .EISDIR }
        return (existing, try existing.open(access, by: caller))
    }

    /// Gives a file another name.
    /// - Throws: `EXDEV` for another export's file, `EPERM` for a directory, `EEXIST`; else as `link(2)`.
    public func link(_ file: ChangeableFile, as name: borrowing FileName) throws(Errno) {
        let file = file.file
        guard file.node.export === node.export else { throw .EXDEV }
        guard !file.node.isDirectory else { throw .EPERM }
        try file.use { (tree, file) throws(Errno) in
            try directory.descriptor.use { (directory) throws(Errno) in try tree.link(file, as: name, in: directory) }
        }
    }

    /// Moves a name, over an existing one. Two names of one file both stay, as in Linux.
    /// - Throws: `EXDEV` for another export's directory; else as `rename(2)`.
    public func move(
        _ name: borrowing FileName,
        to newName: borrowing FileName,
        in target: ChangeableDirectory
    ) throws(Errno) {
        guard node.export === target.node.export else { throw .EXDEV }
        try directory.descriptor.use { (directory) throws(Errno) in
            try node.move(name, in: directory, to: newName, in: target.directory)
        }
    }

    /// Removes a name.
    /// - Throws: `ENOTEMPTY`, `EISDIR`, `ENOTDIR`; else as `unlink(2)` and `rmdir(2)`.
    public func unlink(_ name: borrowing FileName, isDirectory: Bool) throws(Errno) {
        try directory.use { (tree, directory) throws(Errno) in
            try tree.unlink(name, in: directory, isDirectory: isDirectory)
        }
    }
}

extension Node {
    /// Moves a name. The node is that of the old directory, or of the file itself.
    func move(
        _ oldName: borrowing FileName,
        in oldDirectory: CInt,
        to newName: borrowing FileName,
        in target: HeldFile
    ) throws(Errno) {
        try target.descriptor.use { (newDirectory) throws(Errno) in
            // Parked nodes must find what this moves.
            let places = client.places
            let move = places.begin {
                let oldAbove = attachPoint.path(of: oldDirectory, mayAsk: true)
                let newAbove =
                    oldDirectory == newDirectory
                    ? oldAbove : target.node.attachPoint.path(of: newDirectory, mayAsk: true)
                return (oldAbove?.appending(oldName), newAbove?.appending(newName))
            }
            do throws(Errno) {
                try tree.rename(oldName, in: oldDirectory, to: newName, in: newDirectory)
            } catch {
                places.end(move, isDone: false)
                throw error
            }
            // Linux leaves two names of one file as they are.
            let isDone =
                !places.isReplacing(move)
                || !FakeRootTree.areNamesOfOneFile(oldName, in: oldDirectory, newName, in: newDirectory)
            places.end(move, isDone: isDone)
        }
    }
}
