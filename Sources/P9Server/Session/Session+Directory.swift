internal import FakeRoot
internal import LinuxFiles
internal import P9Wire
internal import ServedTree

/// Treaddir, and the requests that make, move and remove directory entries.
extension Session {
    func readDirectory(_ request: Treaddir, _ reply: inout Reply) throws(Errno) {
        guard case .open(.directory(let stream)) = try fids[request.fid].state else { throw .EBADF }
        try reply.sendEntries(limit: request.count) { (buffer) throws(Errno) in
            try stream.read(
                from: request.offset,
                into: buffer,
                longestEntry: DirectoryEntry.size(nameLength: FileName.maxLength),
                encode: Self.encode
            )
        }
    }

    /// - Returns: bytes written; nil if the entry doesn't fit.
    private static func encode(
        _ entry: borrowing DirectoryStream.Entry,
        into buffer: UnsafeMutableRawBufferPointer
    ) -> Int? {
        let encoded = DirectoryEntry(
            qid: Qid(entry.id),
            cookie: entry.cookie,
            type: entry.format.directoryType,
            name: entry.name
        )
        var output = OutputRawSpan(buffer: buffer, initializedCount: 0)
        guard (try? encoded.encode(into: &output)) != nil else { return nil }
        return output.finalize(for: buffer)
    }

    func makeDirectory(_ request: Tmkdir, _ reply: inout Reply) throws(Errno) {
        let made = try directory(request.directory)
            .createDirectory(FileName(request.name), gid: request.gid, permissions: request.mode)
        try reply.send(QidReply(.rmkdir, qid: Qid(made)))
    }

    func makeNode(_ request: Tmknod, _ reply: inout Reply) throws(Errno) {
        let parent = try directory(request.directory)
        let name = try FileName(request.name)
        let kind = NodeKind(FileFormat(mode: request.mode), major: request.major, minor: request.minor)
        guard let kind else { throw .EINVAL }
        let made = try parent.createNode(name, kind, gid: request.gid, permissions: request.mode)
        try reply.send(QidReply(.rmknod, qid: Qid(made)))
    }

    func makeSymlink(_ request: Tsymlink, _ reply: inout Reply) throws(Errno) {
        let made = try directory(request.directory)
            .createSymlink(FileName(request.name), target: request.target, gid: request.gid)
        try reply.send(QidReply(.rsymlink, qid: Qid(made)))
    }

    func link(_ request: Tlink, _ reply: inout Reply) throws(Errno) {
        let parent = try directory(request.directory)
        let entry = try fids[request.fid]
        try parent.link(entry.node.holdForChange(entry.opened), as: FileName(request.name))
        try reply.send(EmptyReply(.rlink))
    }

    func rename(_ request: Trename, _ reply: inout Reply) throws(Errno) {
        let entry = try fids[request.fid]
        let file = try entry.node.holdForChange(entry.opened)
        try file.move(to: FileName(request.name), in: directory(request.directory))
        try reply.send(EmptyReply(.rrename))
    }

    func renameAt(_ request: Trenameat, _ reply: inout Reply) throws(Errno) {
        let source = try directory(request.oldDirectory)
        let target = try directory(request.newDirectory)
        try source.move(FileName(request.oldName), to: FileName(request.newName), in: target)
        try reply.send(EmptyReply(.rrenameat))
    }

    func unlink(_ request: Tunlinkat, _ reply: inout Reply) throws(Errno) {
        let removeDirectory: UInt32 = 0x200  // AT_REMOVEDIR, the same on every Linux
        try directory(request.directory)
            .unlink(FileName(request.name), isDirectory: request.flags & removeDirectory != 0)
        try reply.send(EmptyReply(.runlinkat))
    }

    private func directory(_ fid: Fid) throws(Errno) -> ChangeableDirectory {
        let entry = try fids[fid]
        return try entry.node.holdForChange(inside: entry.caller)
    }
}
