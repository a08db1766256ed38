internal import FakeRoot
internal import LinuxFiles
internal import P9Wire

/// Tattach, Twalk, Tclunk, Tremove: how fids come and go.
extension Session {
    func attach(_ request: Tattach, _ reply: inout Reply) throws(Errno) {
        let target = try configuration.resolve(aname: request.aname.array)
        let export = target.export
        let root = try open(target.subdirectory, of: export)
        let attachPoint = try AttachPoint(export: export, root: root, client.descriptors)
        guard attachPoint.rootStatus.format == .directory else { throw .ENOTDIR }

        let node = Node(attachPoint.root, attachPoint.rootStatus, at: attachPoint)
        let uid = request.numericUname == .max ? userID(named: request.uname, in: export.tree) : request.numericUname
        try fids.insert(FidEntry(node: node, state: .walked, uid: uid), at: request.fid)
        try reply.send(QidReply(.rattach, qid: node.qid))
    }

    /// A directory in an export; all that attach to its root share one descriptor.
    private func open(_ subdirectory: [[UInt8]], of export: Export) throws(Errno) -> SharedDescriptor {
        var root = export.root
        for component in subdirectory {
            try client.descriptors.reserve()
            let found = try export.tree.lookup(FileName(component.span.bytes), in: root.raw)
            root = SharedDescriptor(found, countedBy: client.descriptors)
        }
        return root
    }

    /// The uid of a name in the board's own /etc/passwd; a number is a uid, and an unknown name is root (boot loaders
    /// send anything here).
    private func userID(named uname: RawSpan, in tree: FakeRootTree) -> UInt32 {
        let name = String(decoding: uname.array, as: UTF8.self)
        if let number = UInt32(name) { return number }
        guard !name.isEmpty, name != "root",
            let file = try? System.open(beneath: tree.root.raw, "etc/passwd", [.readOnly, .nonBlocking])
        else { return 0 }
        var text = [UInt8](repeating: 0, count: 64 << 10)
        let size = text.withUnsafeMutableBytes { (try? System.read(file.raw, into: $0, at: 0)) ?? 0 }
        for line in text[..<size].split(separator: UInt8(ascii: "\n")) {
            let fields = line.split(separator: UInt8(ascii: ":"), omittingEmptySubsequences: false)
            guard fields.count > 2, fields[0].elementsEqual(name.utf8) else { continue }
            return UInt32(String(decoding: fields[2], as: UTF8.self)) ?? 0
        }
        return 0
    }

    func walk(_ request: Twalk, _ reply: inout Reply) throws(Errno) {
        let entry = try fids[request.fid]
        switch entry.state {
        case .attributeValue, .attributeUpload: throw .EBADF
        case .walked, .file, .directory: break
        }
        let isReplacing = request.newfid == request.fid
        if !isReplacing, fids.contains(request.newfid) { throw .EBADF }

        var qids = Rwalk()
        var step = WalkStep(node: entry.node)
        var names = request.names.makeCursor()
        while let name = names.next() {
            do throws(Errno) {
                step = try walk(from: step, to: name, below: entry.node.attachPoint)
            } catch {
                // The first name's failure is the request's; a later one ends a partial walk, which binds nothing. Linux takes
                // that for "there is no such file", so it must not be said of what could not be looked at.
                guard qids.count > 0, !Self.isOfTheServer(error) else { throw error }
                return try reply.send(qids)
            }
            qids.append(step.qid)
        }
        let node = step.makeNode(at: entry.node.attachPoint)
        let walked = FidEntry(node: node, state: .walked, uid: entry.uid)
        if !isReplacing {
            try fids.insert(walked, at: request.newfid)
        } else if request.names.count > 0 {
            try fids.replace(request.fid, entry, with: walked)
        }
        try reply.send(qids)
    }

    /// Whether a walk failed for another reason than the name.
    private static func isOfTheServer(_ error: Errno) -> Bool {
        error == .EMFILE || error == .ENFILE || error == .ENOMEM || error == .EIO || error == .EBUSY
    }

    /// Where a walk has come to: a file that a fid has already, or one opened on the way.
    private struct WalkStep {
        var node: Node?
        var descriptor: SharedDescriptor?
        var status: FileStatus?
        var qid: Qid

        init(node: Node) {
            self.node = node
            qid = node.qid
        }

        init(_ descriptor: SharedDescriptor, _ status: FileStatus, qid: Qid) {
            self.descriptor = descriptor
            self.status = status
            self.qid = qid
        }

        func open() throws(Errno) -> SharedDescriptor {
            if let descriptor { return descriptor }
            guard let node else { throw .EBADF }
            return try node.descriptor()
        }

        func makeNode(at attachPoint: AttachPoint) -> Node {
            if let node { return node }
            guard let descriptor, let status else { preconditionFailure("a step has a node, or what makes one") }
            return Node(descriptor, status, at: attachPoint)
        }
    }

    private func walk(from step: WalkStep, to name: RawSpan, below attachPoint: AttachPoint) throws(Errno) -> WalkStep {
        let directory = try step.open()
        defer { extendLifetime(directory) }
        guard step.qid.kind == .directory else { throw .ENOTDIR }
        if FileName.isDot(name) { return step }
        try client.descriptors.reserve()
        let found: OwnedDescriptor
        if FileName.isDotDot(name) {
            let isRoot = try System.status(of: directory.raw).isSameFile(as: attachPoint.rootStatus)
            if isRoot { return step }
            found = try attachPoint.export.tree.parent(of: directory.raw, beneath: attachPoint.root.raw)
        } else {
            found = try attachPoint.export.tree.lookup(FileName(name), in: directory.raw)
        }
        let status = try System.status(of: found.raw)
        // Whoever walks to the top again needs no further descriptor.
        let isRoot = status.isSameFile(as: attachPoint.rootStatus)
        return WalkStep(
            isRoot ? attachPoint.root : SharedDescriptor(found, countedBy: client.descriptors),
            status,
            qid: attachPoint.export.qid(of: status)
        )
    }

    func clunk(_ request: FidRequest, _ reply: inout Reply) throws(Errno) {
        let entry = try release(request.fid)
        if case .attributeUpload(let upload) = entry.state { try store(upload, on: entry.node) }
        try reply.send(EmptyReply(.rclunk))
    }

    /// The fid is gone afterwards, whether the file could be removed or not.
    func remove(_ request: FidRequest, _ reply: inout Reply) throws(Errno) {
        let entry = try release(request.fid)
        switch entry.state {
        case .attributeValue, .attributeUpload: throw .EBADF  // not a file's fid
        case .walked, .file, .directory: break
        }
        guard !entry.node.export.isReadOnly else { throw .EROFS }
        guard !entry.node.isAttachRoot else { throw .EBUSY }
        let tree = entry.node.tree
        let descriptor = try entry.descriptor()
        defer { extendLifetime(descriptor) }
        let place = try tree.locate(descriptor.raw, beneath: entry.node.attachPoint.root.raw)
        try tree.unlink(place.name, in: place.directory.raw, isDirectory: entry.node.qid.kind == .directory)
        try reply.send(EmptyReply(.rremove))
    }

    private func release(_ fid: Fid) throws(Errno) -> FidEntry {
        let entry = try fids.remove(fid)
        configuration.locks.releaseAll(of: fid, on: entry.node.lockFile, for: lockHolder)
        return entry
    }
}

extension RawSpan {
    /// A copy, for what outlives the request.
    var array: [UInt8] {
        withUnsafeBytes { Array($0) }
    }
}
