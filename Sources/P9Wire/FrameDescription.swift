/// A frame as one line of text, for message traces: "Twalk tag 3 fid 1 newfid 2 [etc, passwd]".
///
/// Never fails: a frame that can't be decoded is described as what it claims to be. Only for traces, as it allocates.
public func describe(_ frame: RawSpan) -> String {
    guard let header = FrameHeader(decoding: frame) else { return "\(frame.byteCount) bytes without a header" }
    let tag = header.tag == .none ? "notag" : "tag \(header.tag.rawValue)"
    guard let type = MessageType(rawValue: header.type) else {
        return "type \(header.type) \(tag), \(frame.byteCount) bytes"
    }
    let name = "\(type)".prefix(1).uppercased() + "\(type)".dropFirst()
    let body = frame.extracting(droppingFirst: FrameHeader.size)
    do throws(WireError) {
        let fields = try describe(type, body)
        return fields.isEmpty ? "\(name) \(tag)" : "\(name) \(tag) \(fields)"
    } catch {
        return "\(name) \(tag), malformed (\(error)), \(frame.byteCount) bytes"
    }
}

private func describe(_ type: MessageType, _ body: RawSpan) throws(WireError) -> String {
    switch type {
    case .tversion:
        let m = try Tversion(decoding: body)
        return "msize \(m.msize) \(text(m.version))"
    case .rversion:
        let m = try Rversion(decoding: body)
        return "msize \(m.msize) \(text(m.version))"
    case .tauth:
        let m = try Tauth(decoding: body)
        return "afid \(m.afid.rawValue) uname \(text(m.uname)) aname \(text(m.aname))"
    case .tattach:
        let m = try Tattach(decoding: body)
        return "fid \(m.fid.rawValue) uname \(text(m.uname)) aname \(text(m.aname)) n_uname \(m.numericUname)"
    case .tflush: return try "oldtag \(Tflush(decoding: body).oldTag.rawValue)"
    case .twalk:
        let m = try Twalk(decoding: body)
        var names: [String] = []
        var cursor = m.names.makeCursor()
        while let name = cursor.next() { names.append(text(name)) }
        return "fid \(m.fid.rawValue) newfid \(m.newfid.rawValue) [\(names.joined(separator: ", "))]"
    case .rwalk:
        let m = try Rwalk(decoding: body)
        return (0..<m.count).map { text(m[$0]) }.joined(separator: " ")
    case .tclunk, .tremove, .tstatfs, .treadlink:
        return try "fid \(FidRequest(type, decoding: body).fid.rawValue)"
    case .rattach, .rauth, .rsymlink, .rmknod, .rmkdir: return try text(QidReply(type, decoding: body).qid)
    case .rlopen, .rlcreate:
        let m = try OpenReply(type, decoding: body)
        return "\(text(m.qid)) iounit \(m.iounit)"
    case .tlopen:
        let m = try Tlopen(decoding: body)
        return "fid \(m.fid.rawValue) flags 0\(String(m.flags.rawValue, radix: 8))"
    case .tlcreate:
        let m = try Tlcreate(decoding: body)
        return "fid \(m.fid.rawValue) \(text(m.name)) flags 0\(String(m.flags.rawValue, radix: 8)) "
            + "mode 0\(String(m.mode, radix: 8)) gid \(m.gid)"
    case .tread:
        let m = try Tread(decoding: body)
        return "fid \(m.fid.rawValue) offset \(m.offset) count \(m.count)"
    case .rread: return try "count \(Rread(decoding: body).data.byteCount)"
    case .twrite:
        let m = try Twrite(decoding: body)
        return "fid \(m.fid.rawValue) offset \(m.offset) count \(m.data.byteCount)"
    case .rwrite: return try "count \(Rwrite(decoding: body).count)"
    case .treaddir:
        let m = try Treaddir(decoding: body)
        return "fid \(m.fid.rawValue) offset \(m.offset) count \(m.count)"
    case .rreaddir:
        var m = try Rreaddir(decoding: body)
        var count = 0
        while try m.next() != nil { count += 1 }
        return "\(count) entries"
    case .tgetattr:
        let m = try Tgetattr(decoding: body)
        return "fid \(m.fid.rawValue) mask 0x\(String(m.mask.rawValue, radix: 16))"
    case .rgetattr:
        let m = try Rgetattr(decoding: body)
        return "\(text(m.qid)) mode 0\(String(m.mode, radix: 8)) \(m.uid):\(m.gid) nlink \(m.linkCount) size \(m.size)"
    case .tsetattr:
        let m = try Tsetattr(decoding: body)
        return "fid \(m.fid.rawValue) valid 0x\(String(m.valid.rawValue, radix: 16)) "
            + "mode 0\(String(m.mode, radix: 8)) \(m.uid):\(m.gid) size \(m.size)"
    case .txattrwalk:
        let m = try Txattrwalk(decoding: body)
        return "fid \(m.fid.rawValue) newfid \(m.newfid.rawValue) \(text(m.name))"
    case .rxattrwalk: return try "size \(Rxattrwalk(decoding: body).size)"
    case .txattrcreate:
        let m = try Txattrcreate(decoding: body)
        return "fid \(m.fid.rawValue) \(text(m.name)) size \(m.size) flags \(m.flags)"
    case .tmkdir:
        let m = try Tmkdir(decoding: body)
        return "dfid \(m.directory.rawValue) \(text(m.name)) mode 0\(String(m.mode, radix: 8)) gid \(m.gid)"
    case .tmknod:
        let m = try Tmknod(decoding: body)
        return "dfid \(m.directory.rawValue) \(text(m.name)) mode 0\(String(m.mode, radix: 8)) "
            + "device \(m.major):\(m.minor) gid \(m.gid)"
    case .tsymlink:
        let m = try Tsymlink(decoding: body)
        return "dfid \(m.directory.rawValue) \(text(m.name)) -> \(text(m.target)) gid \(m.gid)"
    case .rreadlink: return try text(Rreadlink(decoding: body).target)
    case .tlink:
        let m = try Tlink(decoding: body)
        return "dfid \(m.directory.rawValue) fid \(m.fid.rawValue) \(text(m.name))"
    case .trename:
        let m = try Trename(decoding: body)
        return "fid \(m.fid.rawValue) dfid \(m.directory.rawValue) \(text(m.name))"
    case .trenameat:
        let m = try Trenameat(decoding: body)
        return "olddirfid \(m.oldDirectory.rawValue) \(text(m.oldName)) "
            + "newdirfid \(m.newDirectory.rawValue) \(text(m.newName))"
    case .tunlinkat:
        let m = try Tunlinkat(decoding: body)
        return "dirfid \(m.directory.rawValue) \(text(m.name)) flags 0x\(String(m.flags, radix: 16))"
    case .tfsync:
        let m = try Tfsync(decoding: body)
        return "fid \(m.fid.rawValue) datasync \(m.dataOnly)"
    case .tlock:
        let m = try Tlock(decoding: body)
        return "fid \(m.fid.rawValue) type \(m.type.rawValue) start \(m.start) length \(m.length) pid \(m.processID)"
    case .rlock: return try "status \(Rlock(decoding: body).status.rawValue)"
    case .tgetlock:
        let m = try Tgetlock(decoding: body)
        return "fid \(m.fid.rawValue) type \(m.type.rawValue) start \(m.start) length \(m.length) pid \(m.processID)"
    case .rgetlock:
        let m = try Rgetlock(decoding: body)
        return "type \(m.type.rawValue) start \(m.start) length \(m.length) pid \(m.processID)"
    case .rstatfs:
        let m = try Rstatfs(decoding: body)
        return "type 0x\(String(m.type, radix: 16)) bsize \(m.blockSize) blocks \(m.blocks) bavail \(m.blocksAvailable)"
    case .rlerror: return try "errno \(Rlerror(decoding: body).ecode)"
    case .rflush, .rclunk, .rremove, .rrename, .rsetattr, .rxattrcreate, .rfsync, .rlink, .rrenameat, .runlinkat:
        _ = try EmptyReply(type, decoding: body)
        return ""
    }
}

private func text(_ string: RawSpan) -> String {
    string.withUnsafeBytes { bytes in
        var result = ""
        for scalar in String(decoding: bytes, as: UTF8.self).unicodeScalars {
            // A name may hold anything; a trace stays one line that a terminal shows and never obeys.
            result += isPlain(scalar) ? String(scalar) : scalar.escaped(asASCII: true)
        }
        return "\"\(result)\""
    }
}

/// Whether a character between quotes stands for itself: a terminal does not obey it, and it neither turns nor hides the text
/// beside it.
private func isPlain(_ scalar: Unicode.Scalar) -> Bool {
    switch scalar {
    case "\"", "\\": return false
    case " "..."~", "\u{200c}", "\u{200d}": return true
    default: break
    }
    switch scalar.properties.generalCategory {
    case .control, .format, .lineSeparator, .paragraphSeparator: return false
    default: return true
    }
}

private func text(_ qid: Qid) -> String {
    "qid(\(String(qid.kind.rawValue, radix: 16)) \(qid.version) \(qid.path))"
}
