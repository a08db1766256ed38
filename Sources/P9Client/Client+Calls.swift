internal import LinuxFiles
public import P9Wire

/// The requests by name; arguments and results are those of the messages.
///
/// All throw as `call`: `.refused` with the server's errno, `.socket` if the connection failed, `.protocolViolation` for a reply
/// that doesn't fit, `.tooLarge` for a request beyond msize.
extension Client {
    /// Attaches to an export.
    public func attach(aname: String = "", uname: String = "root", uid: UInt32 = 0) throws(ClientError) -> Fid {
        let fid = newFid()
        let uname = Array(uname.utf8)
        let aname = Array(aname.utf8)
        let request = Tattach(
            fid: fid,
            afid: .none,
            uname: uname.span.bytes,
            aname: aname.span.bytes,
            numericUname: uid
        )
        _ = try call(request) { (body) throws(WireError) in try QidReply(.rattach, decoding: body) }
        return fid
    }

    /// Walks to a new fid.
    /// - Throws: `.refused(.ENOENT)` also for a partial walk.
    public func walk(_ fid: Fid, _ names: [String]) throws(ClientError) -> Fid {
        let newfid = newFid()
        let walked = try walk(fid, to: newfid, names.map { Array($0.utf8) })
        guard walked.count == names.count else { throw .refused(.ENOENT) }
        return newfid
    }

    /// Sends one Twalk with at most 16 names.
    public func walk(_ fid: Fid, to newfid: Fid, _ names: [[UInt8]]) throws(ClientError) -> Rwalk {
        var encoded: [UInt8] = []
        for name in names { encoded += [UInt8(name.count & 0xff), UInt8(name.count >> 8)] + name }
        guard let list = try? WalkNames(count: names.count, encoded: encoded.span.bytes) else { throw .tooLarge }
        return try call(Twalk(fid: fid, newfid: newfid, names: list)) { (body) throws(WireError) in
            try Rwalk(decoding: body)
        }
    }

    /// Gives a fid back.
    public func clunk(_ fid: Fid) throws(ClientError) {
        try acknowledge(FidRequest(.tclunk, fid: fid), .rclunk)
    }

    /// Removes the file of a fid, and gives the fid back.
    public func remove(_ fid: Fid) throws(ClientError) {
        try acknowledge(FidRequest(.tremove, fid: fid), .rremove)
    }

    /// Opens the file of a fid.
    public func open(_ fid: Fid, _ flags: OpenFlags = []) throws(ClientError) {
        _ = try call(Tlopen(fid: fid, flags: flags)) { (body) throws(WireError) in
            try OpenReply(.rlopen, decoding: body)
        }
    }

    /// Makes a file in the directory `fid`, which is the open file from then on.
    public func create(
        _ fid: Fid,
        _ name: String,
        _ flags: OpenFlags,
        mode: UInt32,
        gid: UInt32 = 0
    ) throws(ClientError) {
        let name = Array(name.utf8)
        let request = Tlcreate(fid: fid, name: name.span.bytes, flags: flags, mode: mode, gid: gid)
        _ = try call(request) { (body) throws(WireError) in try OpenReply(.rlcreate, decoding: body) }
    }

    /// Reads once, at most what one message holds.
    public func read(_ fid: Fid, at offset: UInt64, count: Int) throws(ClientError) -> [UInt8] {
        let count = min(count, msize - Rread.overhead)
        return try call(Tread(fid: fid, offset: offset, count: UInt32(count))) { (body) throws(WireError) in
            try Rread(decoding: body).data.withUnsafeBytes { Array($0) }
        }
    }

    /// Reads to the end.
    public func readAll(_ fid: Fid) throws(ClientError) -> [UInt8] {
        var data: [UInt8] = []
        while true {
            let part = try read(fid, at: UInt64(data.count), count: msize)
            if part.isEmpty { return data }
            data += part
        }
    }

    /// Writes all of some data, in as many messages as it takes.
    public func write(_ fid: Fid, at offset: UInt64, _ data: [UInt8]) throws(ClientError) {
        var done = 0
        while done < data.count {
            let part = Array(data[done...].prefix(msize - Twrite.overhead))
            let request = Twrite(fid: fid, offset: offset + UInt64(done), data: part.span.bytes)
            done += Int(try call(request) { (body) throws(WireError) in try Rwrite(decoding: body) }.count)
        }
    }

    /// Has a file's data written to the disk.
    public func synchronize(_ fid: Fid, dataOnly: Bool = false) throws(ClientError) {
        try acknowledge(Tfsync(fid: fid, dataOnly: dataOnly ? 1 : 0), .rfsync)
    }

    /// The attributes of a file.
    public func getAttributes(_ fid: Fid, _ mask: GetattrMask = .all) throws(ClientError) -> Rgetattr {
        try call(Tgetattr(fid: fid, mask: mask)) { (body) throws(WireError) in try Rgetattr(decoding: body) }
    }

    /// Changes attributes of a file.
    public func setAttributes(_ request: Tsetattr) throws(ClientError) {
        try acknowledge(request, .rsetattr)
    }

    /// The state of the file system that holds a file.
    public func fileSystemStatus(_ fid: Fid) throws(ClientError) -> Rstatfs {
        try call(FidRequest(.tstatfs, fid: fid)) { (body) throws(WireError) in try Rstatfs(decoding: body) }
    }

    /// The target of a symbolic link; bytes that are not UTF-8 are replaced.
    public func readLink(_ fid: Fid) throws(ClientError) -> String {
        try call(FidRequest(.treadlink, fid: fid)) { (body) throws(WireError) in
            try Rreadlink(decoding: body).target.withUnsafeBytes { String(decoding: $0, as: UTF8.self) }
        }
    }

    /// One entry of a directory, copied out of its message.
    public struct Entry: Hashable, Sendable {
        /// The qid of the entry.
        public var qid: Qid
        /// Where `readDirectory` goes on after this entry.
        public var cookie: UInt64
        /// As `d_type` in `readdir(3)`.
        public var type: UInt8
        /// Bytes that are not UTF-8 are replaced.
        public var name: String
    }

    /// Sends one Treaddir.
    public func readDirectory(_ fid: Fid, from cookie: UInt64, count: Int) throws(ClientError) -> [Entry] {
        try call(Treaddir(fid: fid, offset: cookie, count: UInt32(count))) { (body) throws(WireError) in
            var reply = try Rreaddir(decoding: body)
            var entries: [Entry] = []
            while let entry = try reply.next() {
                let name = entry.name.withUnsafeBytes { String(decoding: $0, as: UTF8.self) }
                entries.append(Entry(qid: entry.qid, cookie: entry.cookie, type: entry.type, name: name))
            }
            return entries
        }
    }

    /// All entries of an open directory.
    public func readDirectory(_ fid: Fid) throws(ClientError) -> [Entry] {
        var all: [Entry] = []
        while true {
            let part = try readDirectory(fid, from: all.last?.cookie ?? 0, count: msize - Rread.overhead)
            if part.isEmpty { return all }
            all += part
        }
    }

    /// Makes a directory.
    public func makeDirectory(
        _ directory: Fid,
        _ name: String,
        mode: UInt32,
        gid: UInt32 = 0
    ) throws(ClientError) -> Qid {
        let name = Array(name.utf8)
        let request = Tmkdir(directory: directory, name: name.span.bytes, mode: mode, gid: gid)
        return try call(request) { (body) throws(WireError) in try QidReply(.rmkdir, decoding: body).qid }
    }

    /// Makes a device node, FIFO, socket or empty file.
    public func makeNode(
        _ directory: Fid,
        _ name: String,
        mode: UInt32,
        major: UInt32 = 0,
        minor: UInt32 = 0,
        gid: UInt32 = 0
    ) throws(ClientError) -> Qid {
        let name = Array(name.utf8)
        let request = Tmknod(
            directory: directory,
            name: name.span.bytes,
            mode: mode,
            major: major,
            minor: minor,
            gid: gid
        )
        return try call(request) { (body) throws(WireError) in try QidReply(.rmknod, decoding: body).qid }
    }

    /// Makes a symbolic link.
    public func makeSymlink(
        _ directory: Fid,
        _ name: String,
        target: String,
        gid: UInt32 = 0
    ) throws(ClientError) -> Qid {
        let name = Array(name.utf8)
        let target = Array(target.utf8)
        let request = Tsymlink(directory: directory, name: name.span.bytes, target: target.span.bytes, gid: gid)
        return try call(request) { (body) throws(WireError) in try QidReply(.rsymlink, decoding: body).qid }
    }

    /// Gives a file another name.
    public func link(_ directory: Fid, _ fid: Fid, _ name: String) throws(ClientError) {
        let name = Array(name.utf8)
        try acknowledge(Tlink(directory: directory, fid: fid, name: name.span.bytes), .rlink)
    }

    /// Moves the file of a fid.
    public func rename(_ fid: Fid, to directory: Fid, _ name: String) throws(ClientError) {
        let name = Array(name.utf8)
        try acknowledge(Trename(fid: fid, directory: directory, name: name.span.bytes), .rrename)
    }

    /// Moves a directory entry, over an existing one if there is one.
    public func rename(
        _ oldDirectory: Fid,
        _ oldName: String,
        to newDirectory: Fid,
        _ newName: String
    ) throws(ClientError) {
        let oldName = Array(oldName.utf8)
        let newName = Array(newName.utf8)
        let request = Trenameat(
            oldDirectory: oldDirectory,
            oldName: oldName.span.bytes,
            newDirectory: newDirectory,
            newName: newName.span.bytes
        )
        try acknowledge(request, .rrenameat)
    }

    /// Removes a directory entry.
    public func unlink(_ directory: Fid, _ name: String, isDirectory: Bool = false) throws(ClientError) {
        let name = Array(name.utf8)
        let request = Tunlinkat(directory: directory, name: name.span.bytes, flags: isDirectory ? 0x200 : 0)
        try acknowledge(request, .runlinkat)
    }

    /// The value of an extended attribute, or the list of names (each with a NUL) for the empty name.
    public func attribute(_ fid: Fid, _ name: String) throws(ClientError) -> [UInt8] {
        let newfid = newFid()
        let name = Array(name.utf8)
        let size = try call(Txattrwalk(fid: fid, newfid: newfid, name: name.span.bytes)) { (body) throws(WireError) in
            try Rxattrwalk(decoding: body).size
        }
        let value = try readAll(newfid)
        try clunk(newfid)
        guard value.count == Int(size) else { throw .protocolViolation }
        return value
    }

    /// Sets an extended attribute; an empty value with flags 2 (XATTR_REPLACE) removes it.
    public func setAttribute(
        _ fid: Fid,
        _ name: String,
        _ value: [UInt8],
        flags: UInt32 = 0
    ) throws(ClientError) {
        let upload = try walk(fid, [])
        let name = Array(name.utf8)
        let request = Txattrcreate(fid: upload, name: name.span.bytes, size: UInt64(value.count), flags: flags)
        try acknowledge(request, .rxattrcreate)
        try write(upload, at: 0, value)
        try clunk(upload)
    }

    /// Takes a byte-range lock, or gives one back.
    public func lock(
        _ fid: Fid,
        _ type: LockType,
        start: UInt64,
        length: UInt64,
        processID: UInt32
    ) throws(ClientError) -> LockStatus {
        let client = Array("client".utf8)
        let request = Tlock(
            fid: fid,
            type: type,
            flags: 0,
            start: start,
            length: length,
            processID: processID,
            clientID: client.span.bytes
        )
        return try call(request) { (body) throws(WireError) in try Rlock(decoding: body).status }
    }

    /// The lock in the way of one: its type (`unlock` if there is none), range and process.
    public func getLock(
        _ fid: Fid,
        _ type: LockType,
        start: UInt64,
        length: UInt64,
        processID: UInt32
    ) throws(ClientError) -> (type: LockType, start: UInt64, length: UInt64, processID: UInt32) {
        let client = Array("client".utf8)
        let request = Tgetlock(
            fid: fid,
            type: type,
            start: start,
            length: length,
            processID: processID,
            clientID: client.span.bytes
        )
        return try call(request) { (body) throws(WireError) in
            let reply = try Rgetlock(decoding: body)
            return (reply.type, reply.start, reply.length, reply.processID)
        }
    }

    /// Says that the reply to a request is no longer wanted.
    public func flush(_ tag: Tag) throws(ClientError) {
        try acknowledge(Tflush(oldTag: tag), .rflush)
    }

    private func acknowledge<Request: Message & ~Escapable>(
        _ request: borrowing Request,
        _ reply: MessageType
    ) throws(ClientError) {
        _ = try call(request) { (body) throws(WireError) in try EmptyReply(reply, decoding: body) }
    }
}
