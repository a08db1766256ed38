internal import FakeRoot
internal import ImageEntries
internal import LinuxFiles
internal import SQLite

/// The database of Yocto's pseudo, `files.db`: a row for each name that was made or changed under pseudo.
///
/// Rows are found by path: inode numbers are used again, and change when a tree is copied. A file without a row is the
/// host's, as pseudo itself shows it.
final class PseudoReader: MetadataReader {
    private let database: ForeignDatabase
    private let rows: ForeignStatement
    private let attributes: ForeignStatement
    /// What the paths in the database begin with.
    private let prefix: [UInt8]
    private let rowCount: Int64
    private var found: Int64 = 0
    private var unlabelled = 0

    init(_ path: String, root: CInt) throws(ImageError) {
        try Self.refuseRunningServer(path)
        database = try ForeignDatabase(reading: path)
        let own = try ImageError.attempt("can't find the directory's path") { () throws(Errno) in
            try System.currentPath(of: root)
        }
        let status = try ImageError.attempt("can't look at the directory") { () throws(Errno) in
            try System.status(of: root)
        }
        prefix = try Self.prefix(database, path, own: own, inode: status.inode)
        rows = try database.prepare(
            "SELECT uid, gid, mode, rdev, dev, ino FROM files WHERE path = ?1 AND deleting = 0 ORDER BY ino <> ?2, id DESC"
        )
        attributes = try database.prepare("SELECT name, value FROM xattrs WHERE dev = ?1 AND ino = ?2 ORDER BY name")
        rowCount = try Self.count(database, prefix)
    }

    /// How many names the database knows in a directory, itself included.
    static func count(_ database: ForeignDatabase, _ prefix: [UInt8]) throws(ImageError) -> Int64 {
        // "0" is the character that follows "/".
        let query = try database.prepare(
            "SELECT count(DISTINCT path) FROM files WHERE deleting = 0 AND (path = ?1 OR path >= ?2 AND path < ?3)"
        )
        query.bind(1, text: prefix)
        query.bind(2, text: prefix + Array("/".utf8))
        query.bind(3, text: prefix + Array("0".utf8))
        return try query.step() ? query.number(0) : 0
    }

    /// Where the tree was when pseudo saw it: where it is now; else the directory with the root's inode number; else the
    /// one that all rows lie in.
    private static func prefix(
        _ database: ForeignDatabase,
        _ path: String,
        own: [UInt8],
        inode: UInt64
    ) throws(ImageError) -> [UInt8] {
        if try count(database, own) > 0 { return own }
        let moved = try database.prepare(
            "SELECT path FROM files WHERE ino = ?1 AND deleting = 0 AND mode & 61440 = 16384"
        )
        moved.bind(1, Int64(truncatingIfNeeded: inode))
        if try moved.step() { return moved.bytes(0) }
        let ends = try database.prepare("SELECT min(path), max(path) FROM files WHERE deleting = 0 AND path LIKE '/%'")
        guard try ends.step(), !ends.bytes(0).isEmpty else {
            throw ImageError(
                .badArchive,
                "the pseudo database \(path) says nothing of any file",
                hint: "Pseudo writes it when its server ends: run pseudo -S, with the same PSEUDO_LOCALSTATEDIR."
            )
        }
        let (first, last) = (ends.bytes(0), ends.bytes(1))
        let common = zip(first, last).prefix { $0 == $1 }.count
        // One is the directory itself, or the names differ somewhere beneath it.
        if common == first.count, last.count == common || last[common] == UInt8(ascii: "/") { return first }
        return Array(first[..<(first[..<common].lastIndex(of: UInt8(ascii: "/")) ?? 0)])
    }

    /// A server holds the database in memory, and the file is old until it ends.
    private static func refuseRunningServer(_ path: String) throws(ImageError) {
        let directory = path.lastIndex(of: "/").map { String(path[..<$0]) } ?? "."
        guard let text = try? readMetadataFile("\(directory)/pseudo.pid", limit: 64) else { return }
        var scanner = ByteScanner(text)
        guard let process = scanner.takeNumber(Int32.self),
            let status = try? System.open("/proc/\(process)/stat", .readOnly)
        else { return }
        var buffer = [UInt8](repeating: 0, count: 64)
        let count = try? buffer.withUnsafeMutableBufferPointer { (buffer) throws(Errno) in
            try System.read(status.raw, into: UnsafeMutableRawBufferPointer(buffer), at: 0)
        }
        guard let count, isServer(buffer[..<count], process) else { return }
        throw ImageError(
            .badArchive,
            "a pseudo server (process \(process)) is running, and what it knows is not in \(path) yet",
            hint: "End it first:\n    PSEUDO_LOCALSTATEDIR=\(ShellWord(directory)) pseudo -S"
        )
    }

    /// Whether a line of /proc/PID/stat is about a pseudo server, and about one that has not ended: nobody may wait for it.
    static func isServer(_ status: ArraySlice<UInt8>, _ process: Int32) -> Bool {
        let head = Array("\(process) (pseudo) ".utf8)
        guard status.starts(with: head), let state = status.dropFirst(head.count).first else { return false }
        return ![UInt8(ascii: "Z"), UInt8(ascii: "X")].contains(state)
    }

    func metadata(of file: HostFile) throws(ImageError) -> FileMetadata? {
        guard try findRow(of: file) else {
            unlabelled += 1
            var metadata = FileMetadata(of: file)
            metadata.attributes = try HostAttributes(of: file).own
            return metadata
        }
        found += 1
        let owner = Owner(
            uid: UInt32(truncatingIfNeeded: rows.number(0)),
            gid: UInt32(truncatingIfNeeded: rows.number(1))
        )
        let metadata = FileMetadata(
            owner: owner,
            mode: UInt32(truncatingIfNeeded: rows.number(2)),
            rawDevice: UInt64(truncatingIfNeeded: rows.number(3))
        )
        guard var metadata else {
            throw ImageError(
                .badArchive,
                "the pseudo database gives \(file.description) a mode that Linux doesn't have"
            )
        }
        attributes.reset()
        attributes.bind(1, rows.number(4))
        attributes.bind(2, rows.number(5))
        while try attributes.step() {
            metadata.attributes.append(
                ImageEntry.Attribute(name: attributes.bytes(0), value: attributes.bytes(1))
            )
        }
        return metadata
    }

    func knows(_ file: HostFile) throws(ImageError) -> Bool {
        try findRow(of: file)
    }

    /// Has `rows` stand at a file's row.
    /// - Returns: whether there is one.
    private func findRow(of file: HostFile) throws(ImageError) -> Bool {
        rows.reset()
        rows.bind(1, text: file.path.isEmpty ? prefix : prefix + [UInt8(ascii: "/")] + file.path)
        rows.bind(2, Int64(truncatingIfNeeded: file.status.inode))
        return try rows.step()
    }

    func finish() throws(ImageError) -> [String] {
        var notices: [String] = []
        if unlabelled > 0 {
            notices.append(
                "not in the pseudo database: \(unlabelled) \(unlabelled == 1 ? "file keeps" : "files keep") the host's owner, as pseudo itself shows them"
            )
        }
        if rowCount > found {
            notices.append("\(rowCount - found) names of the pseudo database have no file in the directory")
        }
        return notices
    }
}
