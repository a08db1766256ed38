internal import FakeRoot
internal import LinuxFiles
internal import P9Wire
internal import ServedTree

/// Tgetattr, Tsetattr, Tstatfs, Treadlink and the extended attributes.
extension Session {
    func getAttributes(_ request: Tgetattr, _ reply: inout Reply) throws(Errno) {
        let entry = try fids[request.fid]
        let status = try entry.node.hold(entry.opened).status()
        let host = status.host
        var valid: GetattrMask = [.basic, .generation]
        if host.birthTime.seconds != 0 { valid.insert(.birthTime) }
        try reply.send(
            Rgetattr(
                valid: valid.intersection(request.mask.union(.basic)),
                qid: entry.qid,
                mode: status.mode,
                uid: status.uid,
                gid: status.gid,
                linkCount: UInt64(host.linkCount),
                device: status.kind.encodedDevice,
                size: host.size,
                blockSize: UInt64(host.blockSize),
                blocks: host.blocks,
                accessTime: WireTime(host.accessTime),
                modificationTime: WireTime(host.modificationTime),
                changeTime: WireTime(host.changeTime),
                birthTime: WireTime(host.birthTime),
                generation: host.generation,
                dataVersion: 0
            )
        )
    }

    func setAttributes(_ request: Tsetattr, _ reply: inout Reply) throws(Errno) {
        let entry = try fids[request.fid]
        let file = try entry.node.holdForChange(entry.opened)
        try file.change(AttributeChange(request), by: entry.caller)
        try reply.send(EmptyReply(.rsetattr))
    }

    func fileSystemStatus(_ request: FidRequest, _ reply: inout Reply) throws(Errno) {
        let entry = try fids[request.fid]
        let status = try entry.node.hold(entry.opened).fileSystemStatus()
        try reply.send(
            Rstatfs(
                type: 0x0102_1997,  // V9FS_MAGIC: tools on the board look for it
                blockSize: status.blockSize,
                blocks: status.blocks,
                blocksFree: status.blocksFree,
                blocksAvailable: status.blocksAvailable,
                files: status.files,
                filesFree: status.filesFree,
                fsid: status.id,
                nameLength: status.nameLength
            )
        )
    }

    func readLink(_ request: FidRequest, _ reply: inout Reply) throws(Errno) {
        try fids[request.fid].node.hold()
            .withLinkTarget { (target) throws(Errno) in try reply.send(Rreadlink(target: target)) }
    }

    func walkAttribute(_ request: Txattrwalk, _ reply: inout Reply) throws(Errno) {
        let entry = try fids[request.fid]
        guard request.newfid != request.fid, !fids.contains(request.newfid) else { throw .EBADF }
        let file = try entry.node.hold(entry.opened)
        let value = request.name.isEmpty ? try file.attributeNames() : try file.attribute(request.name)
        let walked = FidEntry(node: entry.node, state: .attributeValue(value), caller: entry.caller)
        try fids.insert(walked, at: request.newfid)
        try reply.send(Rxattrwalk(size: UInt64(value.count)))
    }

    func createAttribute(_ request: Txattrcreate, _ reply: inout Reply) throws(Errno) {
        let entry = try fids[request.fid]
        try entry.node.expectChangeable()
        guard entry.isWalked else { throw .EINVAL }
        guard request.size <= FakeRootTree.maxAttributeSize else { throw .E2BIG }
        let flags = CInt(truncatingIfNeeded: request.flags)
        guard flags & ~AttributeUpload.possibleFlags == 0, !request.name.isEmpty else { throw .EINVAL }
        // setxattr(2) would refuse it at Tclunk; until then many of them could fill the memory.
        guard request.name.byteCount <= FakeRootTree.maxAttributeNameLength else { throw .ERANGE }
        let upload = AttributeUpload(name: request.name.array, size: Int(request.size), flags: flags)
        let uploading = FidEntry(node: entry.node, state: .attributeUpload(upload), caller: entry.caller)
        try fids.replace(request.fid, entry, with: uploading)
        try reply.send(EmptyReply(.rxattrcreate))
    }
}

extension AttributeChange {
    /// - Throws: `EFBIG` for a size that no file has.
    init(_ request: Tsetattr) throws(Errno) {
        let valid = request.valid
        let size = valid.contains(.size) ? Int64(exactly: request.size) : nil
        guard size != nil || !valid.contains(.size) else { throw .EFBIG }
        self.init(
            OwnerAndMode(
                uid: valid.contains(.uid) ? request.uid : nil,
                gid: valid.contains(.gid) ? request.gid : nil,
                permissions: valid.contains(.mode) ? request.mode : nil
            ),
            size: size,
            accessTime: TimeChange(valid.contains(.accessTime), valid.contains(.accessTimeSet), request.accessTime),
            modificationTime: TimeChange(
                valid.contains(.modificationTime),
                valid.contains(.modificationTimeSet),
                request.modificationTime
            )
        )
    }
}

extension WireTime {
    init(_ time: FileTime) {
        self.init(seconds: UInt64(bitPattern: time.seconds), nanoseconds: UInt64(time.nanoseconds))
    }
}

extension TimeChange {
    /// - Parameters:
    ///   - isValid: the time is to be changed,
    ///   - isSet: to the one given, not to now.
    init(_ isValid: Bool, _ isSet: Bool, _ time: WireTime) {
        guard isValid else {
            self = .keep
            return
        }
        let nanoseconds = UInt32(min(time.nanoseconds, 999_999_999))
        self = isSet ? .to(FileTime(seconds: Int64(bitPattern: time.seconds), nanoseconds: nanoseconds)) : .now
    }
}
