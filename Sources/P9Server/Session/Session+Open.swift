internal import LinuxFiles
internal import P9Wire
internal import ServedTree

/// Tlopen, Tlcreate, Tread, Twrite, Tfsync: a file's data.
extension Session {
    /// The most bytes that one Tread or Twrite may move, P9_IOHDRSZ less than msize.
    private var ioUnit: UInt32 { UInt32(messageSize - 24) }

    func open(_ request: Tlopen, _ reply: inout Reply) throws(Errno) {
        let entry = try fids[request.fid]
        guard entry.isWalked else { throw .EBADF }
        let opened = try entry.node.open(FileAccess(request.flags), by: entry.caller)
        try fids.replace(
            request.fid,
            entry,
            with: FidEntry(node: entry.node, state: .open(opened), caller: entry.caller)
        )
        try reply.send(OpenReply(.rlopen, qid: entry.qid, iounit: ioUnit))
    }

    func create(_ request: Tlcreate, _ reply: inout Reply) throws(Errno) {
        let entry = try fids[request.fid]
        guard entry.isWalked else { throw .EBADF }
        let directory = try entry.node.holdForChange(inside: entry.caller)
        let made = try directory.create(
            FileName(request.name),
            FileAccess(request.flags),
            gid: request.gid,
            permissions: request.mode
        )
        let created = FidEntry(node: made.node, state: .open(made.opened), caller: entry.caller)
        try fids.replace(request.fid, entry, with: created)
        try reply.send(OpenReply(.rlcreate, qid: created.qid, iounit: ioUnit))
    }

    func read(_ request: Tread, _ reply: inout Reply) throws(Errno) {
        switch try fids[request.fid].state {
        case .open(.file(let file)):
            try reply.sendData(limit: request.count) { (buffer) throws(Errno) in
                try file.read(into: buffer, at: request.offset)
            }
        case .attributeValue(let value):
            try reply.sendData(limit: request.count) { (buffer) throws(Errno) in
                let start = Int(min(request.offset, UInt64(value.count)))
                let part = value[start...].prefix(buffer.count)
                buffer.copyBytes(from: part)
                return part.count
            }
        case .open(.directory): throw .EISDIR
        case .walked, .attributeUpload: throw .EBADF
        }
    }

    func write(_ request: Twrite, _ reply: inout Reply) throws(Errno) {
        let entry = try fids[request.fid]
        let written: Int
        switch entry.state {
        case .open(.file(let file)):
            written = try file.write(request.data, at: request.offset, by: entry.caller)
        case .attributeUpload(let upload):
            try upload.append(request.data, at: request.offset)
            written = request.data.byteCount
        case .walked, .open(.directory), .attributeValue: throw .EBADF
        }
        try reply.send(Rwrite(count: UInt32(written)))
    }

    func synchronize(_ request: Tfsync, _ reply: inout Reply) throws(Errno) {
        guard let opened = try fids[request.fid].opened else { throw .EBADF }
        try opened.synchronize(dataOnly: request.dataOnly != 0)
        try reply.send(EmptyReply(.rfsync))
    }
}

extension FileAccess {
    /// What a client's flags mean here.
    init(_ flags: OpenFlags) {
        self = []
        if flags.reads { insert(.read) }
        if flags.writes { insert(.write) }
        if flags.contains(.truncate) { insert(.truncate) }
        if flags.contains(.directory) { insert(.directory) }
        if flags.contains(.exclusive) { insert(.exclusive) }
    }
}
