internal import FakeRoot
internal import LinuxFiles
internal import P9Wire

/// Tgetattr, Tsetattr, Tstatfs, Treadlink and the extended attributes.
extension Session {
    func getAttributes(_ request: Tgetattr, _ reply: inout Reply) throws(Errno) {
        let entry = try fids[request.fid]
        let descriptor = try entry.descriptor()
        defer { extendLifetime(descriptor) }
        let status = try entry.node.tree.status(of: descriptor.raw)
        let host = status.host
        var valid: GetattrMask = [.basic, .generation]
        if host.birthTime.seconds != 0 { valid.insert(.birthTime) }
        try reply.send(
            Rgetattr(
                valid: valid.intersection(request.mask.union(.basic)),
                qid: entry.node.qid,
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
                generation: Self.generation(of: host),
                dataVersion: 0
            )
        )
    }

    /// The client counts the generation to a file's identity. The real one can't be asked for without opening the
    /// file; the time of birth serves as well: it never changes, and a file that gets a used inode number has another.
    private static func generation(of host: FileStatus) -> UInt64 {
        let mixed = UInt64(bitPattern: host.birthTime.seconds) &* 1_000_000_007 ^ UInt64(host.birthTime.nanoseconds)
        return mixed & 0x7fff_ffff
    }

    func setAttributes(_ request: Tsetattr, _ reply: inout Reply) throws(Errno) {
        let entry = try entryForChange(request.fid)
        let tree = entry.node.tree
        let held = try entry.descriptor()
        defer { extendLifetime(held) }
        let descriptor = held.raw
        let valid = request.valid
        // Owner before mode, both in one step: a chown must not take the setuid bit that the same message gives.
        let change = OwnerAndMode(
            uid: valid.contains(.uid) ? request.uid : nil,
            gid: valid.contains(.gid) ? request.gid : nil,
            permissions: valid.contains(.mode) ? request.mode : nil
        )
        let size = valid.contains(.size) ? Int64(exactly: request.size) : 0
        guard let size else { throw .EFBIG }
        // Linux' client asks for this by itself, in the mode of the same message, but by the mode that it has cached.
        if valid.contains(.size), entry.uid != 0 { try tree.dropPrivileges(of: descriptor) }
        if !change.isEmpty { try tree.change(descriptor, change) }
        if valid.contains(.size) { try tree.truncate(descriptor, to: size) }
        let access = TimeChange(valid.contains(.accessTime), valid.contains(.accessTimeSet), request.accessTime)
        let modification = TimeChange(
            valid.contains(.modificationTime),
            valid.contains(.modificationTimeSet),
            request.modificationTime
        )
        if valid.contains(.accessTime) || valid.contains(.modificationTime) {
            try System.setTimes(of: descriptor, access: access, modification: modification)
        }
        try reply.send(EmptyReply(.rsetattr))
    }

    func fileSystemStatus(_ request: FidRequest, _ reply: inout Reply) throws(Errno) {
        let descriptor = try fids[request.fid].descriptor()
        defer { extendLifetime(descriptor) }
        let status = try System.fileSystemStatus(of: descriptor.raw)
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
        let node = try fids[request.fid].node
        guard node.qid.kind == .symlink else { throw .EINVAL }
        let descriptor = try node.descriptor()
        defer { extendLifetime(descriptor) }
        // PATH_MAX; the kernel lets no longer target come into being.
        try withUnsafeTemporaryAllocation(byteCount: 4096, alignment: 1) { (buffer) throws(Errno) in
            let size = try System.readLink(descriptor.raw, into: buffer)
            let target = UnsafeRawBufferPointer(rebasing: buffer[..<size])
            try reply.send(Rreadlink(target: target.bytes))
        }
    }

    func walkAttribute(_ request: Txattrwalk, _ reply: inout Reply) throws(Errno) {
        let entry = try fids[request.fid]
        guard request.newfid != request.fid, !fids.contains(request.newfid) else { throw .EBADF }
        let descriptor = try entry.descriptor()
        defer { extendLifetime(descriptor) }
        let value =
            request.name.isEmpty
            ? try entry.node.tree.attributeNames(of: descriptor.raw)
            : try entry.node.tree.attribute(request.name, of: descriptor.raw)
        let walked = FidEntry(node: entry.node, state: .attributeValue(value), uid: entry.uid)
        try fids.insert(walked, at: request.newfid)
        try reply.send(Rxattrwalk(size: UInt64(value.count)))
    }

    func createAttribute(_ request: Txattrcreate, _ reply: inout Reply) throws(Errno) {
        let entry = try entryForChange(request.fid)
        guard case .walked = entry.state else { throw .EINVAL }
        guard request.size <= FakeRootTree.maxAttributeSize else { throw .E2BIG }
        guard request.flags & ~Self.attributeFlags == 0, !request.name.isEmpty else { throw .EINVAL }
        // setxattr(2) would refuse it at Tclunk; until then many could fill the memory.
        guard request.name.byteCount <= FakeRootTree.maxAttributeNameLength else { throw .ERANGE }
        let upload = AttributeUpload(
            name: request.name.array,
            size: Int(request.size),
            flags: CInt(request.flags)
        )
        let uploading = FidEntry(node: entry.node, state: .attributeUpload(upload), uid: entry.uid)
        try fids.replace(request.fid, entry, with: uploading)
        try reply.send(EmptyReply(.rxattrcreate))
    }

    private static let attributeReplace: UInt32 = 2  // XATTR_REPLACE
    private static let attributeFlags: UInt32 = 1 | attributeReplace

    /// Stores what a Txattrcreate announced; the Linux client removes an attribute by replacing it with nothing.
    func store(_ upload: AttributeUpload, on node: Node) throws(Errno) {
        let value = try upload.value()
        let name = upload.name
        let held = try node.descriptor()
        defer { extendLifetime(held) }
        let descriptor = held.raw
        if value.isEmpty, upload.flags == CInt(Self.attributeReplace) {
            try node.tree.removeAttribute(name.span.bytes, of: descriptor)
        } else {
            try node.tree.setAttribute(name.span.bytes, of: descriptor, to: value.span.bytes, flags: upload.flags)
        }
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
