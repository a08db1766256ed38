internal import FakeRoot
internal import LinuxFiles
internal import P9Wire

/// Treaddir, and the requests that make, move and remove directory entries.
extension Session {
    func readDirectory(_ request: Treaddir, _ reply: inout Reply) throws(Errno) {
        let entry = try fids[request.fid]
        guard case .directory(let stream) = entry.state else { throw .EBADF }
        let node = entry.node
        defer { extendLifetime(stream) }
        try reply.sendEntries(limit: request.count) { (buffer) throws(Errno) in
            try stream.read(from: request.offset, into: buffer) { (entry) throws(Errno) in
                try Self.describe(entry, in: stream.descriptor.raw, of: node)
            }
        }
    }

    /// What the client is told of an entry; the same as a Twalk and Tgetattr would tell.
    private static func describe(
        _ entry: borrowing HostEntry,
        in directory: CInt,
        of node: Node
    ) throws(Errno) -> (qid: Qid, type: UInt8)? {
        if FileName.isDot(entry.name) { return (node.qid, FileFormat.directory.directoryType) }
        if FileName.isDotDot(entry.name) {
            let parent = try node.isAttachRoot ? System.status(of: directory) : System.status(at: directory, "..")
            return (node.export.qid(of: parent), FileFormat.directory.directoryType)
        }
        // Some file systems count 255 UTF-16 units: such a name fits into no Linux client's directory entry.
        guard let name = try? FileName(entry.name) else { return nil }
        guard !FakeRootTree.isReservedName(name) else { return nil }
        do throws(Errno) {
            let found = try node.tree.kind(of: name, in: directory)
            return (node.export.qid(of: found.host), found.kind.format.directoryType)
        } catch .ENOENT {
            return nil  // removed since the host's kernel listed it
        } catch {
            // Something that can't be looked at, such as a dead FUSE mount: it must not hide its neighbours.
            let format = FileFormat(mode: UInt32(entry.type) << 12)
            let device = try System.status(of: directory).device
            return (node.export.qid(format, device: device, inode: entry.inode), entry.type)
        }
    }

    func makeDirectory(_ request: Tmkdir, _ reply: inout Reply) throws(Errno) {
        let parent = try directory(request.directory)
        defer { extendLifetime(parent) }
        let name = try FileName(request.name)
        let owner = Owner(uid: parent.uid, gid: request.gid)
        try parent.node.tree.createDirectory(name, in: parent.raw, owner: owner, permissions: request.mode)
        try reply.send(QidReply(.rmkdir, qid: parent.qid(of: name)))
    }

    func makeNode(_ request: Tmknod, _ reply: inout Reply) throws(Errno) {
        let parent = try directory(request.directory)
        defer { extendLifetime(parent) }
        let name = try FileName(request.name)
        let owner = Owner(uid: parent.uid, gid: request.gid)
        let tree = parent.node.tree
        switch NodeKind(FileFormat(mode: request.mode), major: request.major, minor: request.minor) {
        case .file:
            _ = try tree.createFile(name, in: parent.raw, owner: owner, permissions: request.mode)
        case .some(let kind) where kind.isSpecial:
            try tree.createSpecial(name, in: parent.raw, owner: owner, permissions: request.mode, kind: kind)
        default:
            throw .EINVAL
        }
        try reply.send(QidReply(.rmknod, qid: parent.qid(of: name)))
    }

    func makeSymlink(_ request: Tsymlink, _ reply: inout Reply) throws(Errno) {
        let parent = try directory(request.directory)
        defer { extendLifetime(parent) }
        let name = try FileName(request.name)
        let target = request.target.array
        guard !target.isEmpty else { throw .ENOENT }
        guard !target.contains(0) else { throw .EINVAL }
        try (target + [0]).span.bytes.withUnsafeBytes { (bytes) throws(Errno) in
            guard let base = bytes.baseAddress else { throw .EINVAL }
            try parent.node.tree.createSymlink(
                name,
                in: parent.raw,
                target: base.assumingMemoryBound(to: CChar.self),
                owner: Owner(uid: parent.uid, gid: request.gid)
            )
        }
        try reply.send(QidReply(.rsymlink, qid: parent.qid(of: name)))
    }

    func link(_ request: Tlink, _ reply: inout Reply) throws(Errno) {
        let parent = try directory(request.directory)
        defer { extendLifetime(parent) }
        let entry = try entryForChange(request.fid)
        let node = entry.node
        guard node.export === parent.node.export else { throw .EXDEV }
        guard node.qid.kind != .directory else { throw .EPERM }
        let descriptor = try entry.descriptor()
        defer { extendLifetime(descriptor) }
        try node.tree.link(descriptor.raw, as: FileName(request.name), in: parent.raw)
        try reply.send(EmptyReply(.rlink))
    }

    func rename(_ request: Trename, _ reply: inout Reply) throws(Errno) {
        let entry = try entryForChange(request.fid)
        let node = entry.node
        let target = try directory(request.directory)
        defer { extendLifetime(target) }
        guard node.export === target.node.export else { throw .EXDEV }
        guard !node.isAttachRoot else { throw .EBUSY }
        let newName = try FileName(request.name)
        let descriptor = try entry.descriptor()
        defer { extendLifetime(descriptor) }
        let place = try node.tree.locate(descriptor.raw, beneath: node.attachPoint.root.raw)
        try move(place.name, in: place.directory.raw, of: node, to: newName, in: target)
        try reply.send(EmptyReply(.rrename))
    }

    func renameAt(_ request: Trenameat, _ reply: inout Reply) throws(Errno) {
        let source = try directory(request.oldDirectory)
        let target = try directory(request.newDirectory)
        guard source.node.export === target.node.export else { throw .EXDEV }
        let oldName = try FileName(request.oldName)
        let newName = try FileName(request.newName)
        defer { extendLifetime((source, target)) }
        try move(oldName, in: source.raw, of: source.node, to: newName, in: target)
        try reply.send(EmptyReply(.rrenameat))
    }

    /// - Parameter node: of the old directory, or of the file itself.
    private func move(
        _ oldName: borrowing FileName,
        in oldDirectory: CInt,
        of node: Node,
        to newName: borrowing FileName,
        in target: Directory
    ) throws(Errno) {
        // Parked fids must find what is moved.
        let places = configuration.descriptors.places
        let move = places.begin {
            let oldAbove = node.attachPoint.path(of: oldDirectory, mayAsk: true)
            let newAbove =
                oldDirectory == target.raw ? oldAbove : target.node.attachPoint.path(of: target.raw, mayAsk: true)
            return (oldAbove?.appending(oldName), newAbove?.appending(newName))
        }
        do throws(Errno) {
            try node.tree.rename(oldName, in: oldDirectory, to: newName, in: target.raw)
        } catch {
            places.end(move, isDone: false)
            throw error
        }
        // Linux leaves two names of one file as they are.
        let isDone =
            !places.isReplacing(move)
            || !FakeRootTree.areNamesOfOneFile(oldName, in: oldDirectory, newName, in: target.raw)
        places.end(move, isDone: isDone)
    }

    func unlink(_ request: Tunlinkat, _ reply: inout Reply) throws(Errno) {
        let parent = try directory(request.directory)
        defer { extendLifetime(parent) }
        let removeDirectory: UInt32 = 0x200  // AT_REMOVEDIR, the same on every Linux
        try parent.node.tree.unlink(
            FileName(request.name),
            in: parent.raw,
            isDirectory: request.flags & removeDirectory != 0
        )
        try reply.send(EmptyReply(.runlinkat))
    }

    /// A directory in which something is about to change.
    private struct Directory {
        let node: Node
        let descriptor: SharedDescriptor
        let uid: UInt32

        var raw: CInt { descriptor.raw }

        func qid(of name: borrowing FileName) throws(Errno) -> Qid {
            let status = try name.withCString { (name) throws(Errno) in
                try System.status(at: descriptor.raw, name)
            }
            return node.export.qid(of: status)
        }
    }

    private func directory(_ fid: Fid) throws(Errno) -> Directory {
        let entry = try entryForChange(fid)
        guard entry.node.qid.kind == .directory else { throw .ENOTDIR }
        return Directory(node: entry.node, descriptor: try entry.node.descriptor(), uid: entry.uid)
    }
}
