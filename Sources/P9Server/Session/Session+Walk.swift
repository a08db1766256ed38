internal import LinuxFiles
internal import P9Wire
internal import ServedTree

/// Tattach, Twalk, Tclunk, Tremove: how fids come and go.
extension Session {
    func attach(_ request: Tattach, _ reply: inout Reply) throws(Errno) {
        let target = try configuration.resolve(aname: request.aname.array)
        let node = try target.export.attach(target.subdirectory, for: client.files)
        let caller =
            request.numericUname == .max
            ? Caller(named: request.uname, in: target.export) : Caller(uid: request.numericUname)
        let attached = FidEntry(node: node, state: .walked, caller: caller)
        try fids.insert(attached, at: request.fid)
        try reply.send(QidReply(.rattach, qid: attached.qid))
    }

    func walk(_ request: Twalk, _ reply: inout Reply) throws(Errno) {
        let entry = try fids[request.fid]
        guard !entry.isAttribute else { throw .EBADF }
        let isReplacing = request.newfid == request.fid
        if !isReplacing, fids.contains(request.newfid) { throw .EBADF }

        var qids = Rwalk()
        var walk = Walk(from: entry.node)
        var names = request.names.makeCursor()
        while let name = names.next() {
            do throws(Errno) {
                try walk.step(to: name)
            } catch {
                // If the first name fails the request fails; a later failure ends a partial walk, which binds no fid. Linux takes
                // a partial walk for "there is no such file", so it is not an answer for a name that could not be looked at.
                guard qids.count > 0, !Self.isOfTheServer(error) else { throw error }
                return try reply.send(qids)
            }
            qids.append(Qid(walk.id))
        }
        let walked = FidEntry(node: walk.makeNode(), state: .walked, caller: entry.caller)
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

    func clunk(_ request: FidRequest, _ reply: inout Reply) throws(Errno) {
        let entry = try release(request.fid)
        if case .attributeUpload(let upload) = entry.state { try upload.store(on: entry.node) }
        try reply.send(EmptyReply(.rclunk))
    }

    /// The fid is gone afterwards, whether the file could be removed or not.
    func remove(_ request: FidRequest, _ reply: inout Reply) throws(Errno) {
        let entry = try release(request.fid)
        guard !entry.isAttribute else { throw .EBADF }
        try entry.node.holdForChange(entry.opened).remove()
        try reply.send(EmptyReply(.rremove))
    }

    private func release(_ fid: Fid) throws(Errno) -> FidEntry {
        let entry = try fids.remove(fid)
        configuration.locks.releaseAll(of: fid, on: entry.lockFile, for: lockHolder)
        return entry
    }
}

extension RawSpan {
    /// A copy, for what outlives the request.
    var array: [UInt8] {
        withUnsafeBytes { Array($0) }
    }
}
