internal import FakeRoot
internal import LinuxFiles
internal import P9Wire

/// Tlopen, Tlcreate, Tread, Twrite, Tfsync: a file's data.
extension Session {
    /// The most bytes that one Tread or Twrite may move, P9_IOHDRSZ less than msize.
    private var ioUnit: UInt32 { UInt32(messageSize - 24) }

    func open(_ request: Tlopen, _ reply: inout Reply) throws(Errno) {
        let changes = request.flags.writes || request.flags.contains(.truncate)
        let entry = try changes ? entryForChange(request.fid) : fids[request.fid]
        guard case .walked = entry.state else { throw .EBADF }
        let opened = try openNode(entry.node, request.flags, uid: entry.uid)
        try fids.replace(request.fid, entry, with: FidEntry(node: entry.node, state: opened, uid: entry.uid))
        try reply.send(OpenReply(.rlopen, qid: entry.node.qid, iounit: ioUnit))
    }

    /// Opens a node by what a client's flags mean here. O_APPEND is the client's own business (it sends offsets),
    /// O_CREAT and O_EXCL were settled before; O_DIRECT, O_NOATIME and the like are not for a server to pass on.
    /// - Parameter uid: the client's user.
    private func openNode(_ node: Node, _ flags: OpenFlags, uid: UInt32) throws(Errno) -> FidEntry.State {
        let held = try node.descriptor()
        defer { extendLifetime(held) }
        try client.descriptors.reserve()
        if node.qid.kind == .directory {
            guard !flags.writes, !flags.contains(.truncate) else { throw .EISDIR }
            let descriptor = try node.tree.open(held.raw, [.readOnly, .directory])
            let shared = SharedDescriptor(descriptor, countedBy: client.descriptors)
            return .directory(DirectoryStream(shared, client.memory, configuration.directoryBuffers))
        }
        guard !flags.contains(.directory) else { throw .ENOTDIR }
        var mode: OpenMode = !flags.writes ? .readOnly : flags.reads ? .readWrite : .writeOnly
        let truncates = flags.contains(.truncate)
        // A file that another user than root truncates loses its privileges, but not one that can't be opened.
        if truncates, uid == 0 { mode.insert(.truncate) }
        let descriptor = try node.tree.open(held.raw, mode)
        if truncates, uid != 0 {
            try node.tree.dropPrivileges(of: descriptor.raw)
            try node.tree.truncate(descriptor.raw, to: 0)
        }
        return .file(OpenFile(SharedDescriptor(descriptor, countedBy: client.descriptors), flags))
    }

    func create(_ request: Tlcreate, _ reply: inout Reply) throws(Errno) {
        let entry = try entryForChange(request.fid)
        guard case .walked = entry.state else { throw .EBADF }
        guard entry.node.qid.kind == .directory else { throw .ENOTDIR }
        let name = try FileName(request.name)
        let directory = try entry.node.descriptor()
        defer { extendLifetime(directory) }
        try client.descriptors.reserve()
        let created = try createOrOpen(name, in: directory, entry, request)
        try fids.replace(request.fid, entry, with: created)
        try reply.send(OpenReply(.rlcreate, qid: created.node.qid, iounit: ioUnit))
    }

    private func createOrOpen(
        _ name: borrowing FileName,
        in directory: SharedDescriptor,
        _ parent: FidEntry,
        _ request: Tlcreate
    ) throws(Errno) -> FidEntry {
        let tree = parent.node.tree
        let attachPoint = parent.node.attachPoint
        let owner = Owner(uid: parent.uid, gid: request.gid)
        // Without O_EXCL an existing file is opened; it may come and go between the two steps.
        for _ in 0..<8 {
            do throws(Errno) {
                let file = try SharedDescriptor(
                    tree.createFile(name, in: directory.raw, owner: owner, permissions: request.mode),
                    countedBy: client.descriptors
                )
                let node = try Node(file, System.status(of: file.raw), isOpenFile: true, at: attachPoint)
                return FidEntry(node: node, state: .file(OpenFile(file, request.flags)), uid: parent.uid)
            } catch .EEXIST where !request.flags.contains(.exclusive) {
                do throws(Errno) {
                    let found = try SharedDescriptor(
                        tree.lookup(name, in: directory.raw),
                        countedBy: client.descriptors
                    )
                    let node = try Node(found, System.status(of: found.raw), at: attachPoint)
                    guard node.qid.kind != .directory else { throw .EISDIR }
                    let opened = try openNode(node, request.flags, uid: parent.uid)
                    return FidEntry(node: node, state: opened, uid: parent.uid)
                } catch .ENOENT {
                    continue
                }
            }
        }
        throw .EBUSY
    }

    func read(_ request: Tread, _ reply: inout Reply) throws(Errno) {
        switch try fids[request.fid].state {
        case .file(let file):
            guard file.flags.reads else { throw .EBADF }
            let descriptor = file.descriptor
            defer { extendLifetime(descriptor) }
            let offset = try Self.fileOffset(request.offset)
            try reply.sendData(limit: request.count) { (buffer) throws(Errno) in
                try System.read(descriptor.raw, into: buffer, at: offset)
            }
        case .attributeValue(let value):
            try reply.sendData(limit: request.count) { (buffer) throws(Errno) in
                let start = Int(min(request.offset, UInt64(value.count)))
                let part = value[start...].prefix(buffer.count)
                buffer.copyBytes(from: part)
                return part.count
            }
        case .directory: throw .EISDIR
        case .walked, .attributeUpload: throw .EBADF
        }
    }

    func write(_ request: Twrite, _ reply: inout Reply) throws(Errno) {
        let written: Int
        let entry = try entryForChange(request.fid)
        switch entry.state {
        case .file(let file):
            guard file.flags.writes else { throw .EBADF }
            let descriptor = file.descriptor
            defer { extendLifetime(descriptor) }
            // Linux 6.12's client asks for this by itself; older ones leave it to the server.
            if entry.uid != 0 { try entry.node.tree.dropPrivileges(of: descriptor.raw) }
            written = try System.write(descriptor.raw, request.data, at: Self.fileOffset(request.offset))
        case .attributeUpload(let upload):
            try upload.append(request.data, at: request.offset)
            written = request.data.byteCount
        case .walked, .directory, .attributeValue: throw .EBADF
        }
        try reply.send(Rwrite(count: UInt32(written)))
    }

    private static func fileOffset(_ offset: UInt64) throws(Errno) -> Int64 {
        guard let offset = Int64(exactly: offset) else { throw .EINVAL }
        return offset
    }

    func synchronize(_ request: Tfsync, _ reply: inout Reply) throws(Errno) {
        let entry = try fids[request.fid]
        let descriptor =
            switch entry.state {
            case .file(let file): file.descriptor
            case .directory(let directory): directory.descriptor
            case .walked, .attributeValue, .attributeUpload: throw Errno.EBADF
            }
        defer { extendLifetime(descriptor) }
        try entry.node.tree.synchronize(descriptor.raw, dataOnly: request.dataOnly != 0)
        try reply.send(EmptyReply(.rfsync))
    }
}
