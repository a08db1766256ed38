import P9Wire

/// The frame that a message encodes to.
/// - Parameter capacity: the room it gets, in bytes.
func encoded<Sent: Message & ~Escapable>(
    _ message: borrowing Sent,
    tag: UInt16 = 0x0102,
    capacity: Int = 8192
) throws(WireError) -> [UInt8] {
    let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: capacity, alignment: 1)
    defer { buffer.deallocate() }
    var output = OutputRawSpan(buffer: buffer, initializedCount: 0)
    do throws(WireError) {
        try message.encode(tag: Tag(rawValue: tag), into: &output)
    } catch {
        precondition(output.byteCount == 0, "what fails has written nothing")
        throw error
    }
    return Array(buffer[..<output.finalize(for: buffer)])
}

/// Decodes a frame and encodes what was understood.
/// - Parameter capacity: the room for encoding, in bytes.
func recoded(_ frame: [UInt8], capacity: Int = 1 << 20) throws(WireError) -> [UInt8] {
    guard let header = FrameHeader(decoding: frame.span.bytes), let type = MessageType(rawValue: header.type) else {
        throw .truncated
    }
    let body = frame.span.bytes.extracting(droppingFirst: FrameHeader.size)
    return try recoded(type, header.tag.rawValue, body, capacity)
}

private func recoded(
    _ type: MessageType,
    _ tag: UInt16,
    _ body: RawSpan,
    _ capacity: Int
) throws(WireError) -> [UInt8] {
    switch type {
    case .tversion: try encoded(Tversion(decoding: body), tag: tag, capacity: capacity)
    case .rversion: try encoded(Rversion(decoding: body), tag: tag, capacity: capacity)
    case .tauth: try encoded(Tauth(decoding: body), tag: tag, capacity: capacity)
    case .tattach: try encoded(Tattach(decoding: body), tag: tag, capacity: capacity)
    case .tflush: try encoded(Tflush(decoding: body), tag: tag, capacity: capacity)
    case .twalk: try encoded(Twalk(decoding: body), tag: tag, capacity: capacity)
    case .rwalk: try encoded(Rwalk(decoding: body), tag: tag, capacity: capacity)
    case .tclunk, .tremove, .tstatfs, .treadlink:
        try encoded(FidRequest(type, decoding: body), tag: tag, capacity: capacity)
    case .rattach, .rauth, .rsymlink, .rmknod, .rmkdir:
        try encoded(QidReply(type, decoding: body), tag: tag, capacity: capacity)
    case .rlopen, .rlcreate: try encoded(OpenReply(type, decoding: body), tag: tag, capacity: capacity)
    case .tlopen: try encoded(Tlopen(decoding: body), tag: tag, capacity: capacity)
    case .tlcreate: try encoded(Tlcreate(decoding: body), tag: tag, capacity: capacity)
    case .tread: try encoded(Tread(decoding: body), tag: tag, capacity: capacity)
    case .rread: try encoded(Rread(decoding: body), tag: tag, capacity: capacity)
    case .twrite: try encoded(Twrite(decoding: body), tag: tag, capacity: capacity)
    case .rwrite: try encoded(Rwrite(decoding: body), tag: tag, capacity: capacity)
    case .treaddir: try encoded(Treaddir(decoding: body), tag: tag, capacity: capacity)
    case .rreaddir: try recodedEntries(Rreaddir(decoding: body), tag, capacity)
    case .tgetattr: try encoded(Tgetattr(decoding: body), tag: tag, capacity: capacity)
    case .rgetattr: try encoded(Rgetattr(decoding: body), tag: tag, capacity: capacity)
    case .tsetattr: try encoded(Tsetattr(decoding: body), tag: tag, capacity: capacity)
    case .txattrwalk: try encoded(Txattrwalk(decoding: body), tag: tag, capacity: capacity)
    case .rxattrwalk: try encoded(Rxattrwalk(decoding: body), tag: tag, capacity: capacity)
    case .txattrcreate: try encoded(Txattrcreate(decoding: body), tag: tag, capacity: capacity)
    case .tmkdir: try encoded(Tmkdir(decoding: body), tag: tag, capacity: capacity)
    case .tmknod: try encoded(Tmknod(decoding: body), tag: tag, capacity: capacity)
    case .tsymlink: try encoded(Tsymlink(decoding: body), tag: tag, capacity: capacity)
    case .rreadlink: try encoded(Rreadlink(decoding: body), tag: tag, capacity: capacity)
    case .tlink: try encoded(Tlink(decoding: body), tag: tag, capacity: capacity)
    case .trename: try encoded(Trename(decoding: body), tag: tag, capacity: capacity)
    case .trenameat: try encoded(Trenameat(decoding: body), tag: tag, capacity: capacity)
    case .tunlinkat: try encoded(Tunlinkat(decoding: body), tag: tag, capacity: capacity)
    case .tfsync: try encoded(Tfsync(decoding: body), tag: tag, capacity: capacity)
    case .tlock: try encoded(Tlock(decoding: body), tag: tag, capacity: capacity)
    case .rlock: try encoded(Rlock(decoding: body), tag: tag, capacity: capacity)
    case .tgetlock: try encoded(Tgetlock(decoding: body), tag: tag, capacity: capacity)
    case .rgetlock: try encoded(Rgetlock(decoding: body), tag: tag, capacity: capacity)
    case .rstatfs: try encoded(Rstatfs(decoding: body), tag: tag, capacity: capacity)
    case .rlerror: try encoded(Rlerror(decoding: body), tag: tag, capacity: capacity)
    case .rflush, .rclunk, .rremove, .rrename, .rsetattr, .rxattrcreate, .rfsync, .rlink, .rrenameat, .runlinkat:
        try encoded(EmptyReply(type, decoding: body), tag: tag, capacity: capacity)
    }
}

/// Takes an Rreaddir apart into entries, and makes it again from them.
private func recodedEntries(_ message: consuming Rreaddir, _ tag: UInt16, _ capacity: Int) throws(WireError) -> [UInt8]
{
    var data: [UInt8] = []
    while let entry = try message.next() {
        var bytes = [UInt8](repeating: 0, count: DirectoryEntry.size(nameLength: entry.name.byteCount))
        try bytes.withUnsafeMutableBufferPointer { (bytes) throws(WireError) in
            let buffer = UnsafeMutableRawBufferPointer(bytes)
            var output = OutputRawSpan(buffer: buffer, initializedCount: 0)
            try entry.encode(into: &output)
            _ = output.finalize(for: buffer)
        }
        data += bytes
    }
    return try encoded(Rreaddir(data: data.span.bytes), tag: tag, capacity: capacity)
}
