internal import FakeRoot
internal import ImageEntries
internal import LinuxFiles
internal import SQLite

/// Writes a database as pseudo 1.9 makes it, schema version 8. Symbolic links stay what they are; device nodes, FIFOs and
/// sockets may be empty regular files.
///
/// It is written beside its place and moved there when it is whole.
final class PseudoWriter: MetadataWriter {
    private let path: String
    private let temporaryPath: String
    private let root: CInt
    /// The directory's absolute path, as pseudo will see it.
    private let prefix: [UInt8]
    private var database: ForeignDatabase?
    private var insertFile: ForeignStatement?
    private var insertAttribute: ForeignStatement?

    private static let schema = """
        CREATE TABLE files ( id INTEGER PRIMARY KEY, path VARCHAR, dev INTEGER, ino INTEGER, uid INTEGER, gid INTEGER, \
        mode INTEGER, rdev INTEGER, deleting INTEGER );
        CREATE TABLE xattrs ( id INTEGER PRIMARY KEY, dev INTEGER, ino INTEGER, name VARCHAR, value VARCHAR );
        CREATE TABLE migrations ( id INTEGER PRIMARY KEY, version INTEGER, stamp INTEGER, sql VARCHAR );
        CREATE INDEX files__path_dev_ino ON files ( path, dev, ino );
        CREATE INDEX files__dev_ino ON files ( dev, ino );
        CREATE INDEX xattrs_dev_ino ON xattrs ( dev, ino );
        CREATE INDEX xattrs_dev_ino_name ON xattrs ( dev, ino, name );
        CREATE INDEX migration__version ON migrations ( version );
        INSERT INTO migrations (version, stamp, sql) VALUES (8, -1, 'N/A (initial setup)');
        """

    /// - Parameters:
    ///   - path: of the database, in a directory that exists.
    ///   - root: the directory's descriptor, which stays open as long as this.
    init(_ path: String, root: CInt, prefix: [UInt8]) {
        self.path = path
        temporaryPath = path + ".converting"
        self.root = root
        self.prefix = prefix
    }

    var file: String? { path }

    func losses(of file: ForeignFile) -> ConversionLosses { ConversionLosses() }

    /// All is written anew: what an interrupted pass has written stands in the temporary file only.
    func hasDescribed(_ file: ForeignFile) throws(ImageError) -> Bool { false }

    private func begin() throws(ImageError) -> (file: ForeignStatement, attribute: ForeignStatement) {
        if let insertFile, let insertAttribute { return (insertFile, insertAttribute) }
        Self.remove(temporaryPath)
        let database = try ForeignDatabase(writing: temporaryPath)
        try database.execute(Self.schema)
        try database.execute("BEGIN")
        let file = try database.prepare(
            "INSERT INTO files (path, dev, ino, uid, gid, mode, rdev, deleting) VALUES (?, ?, ?, ?, ?, ?, ?, 0)"
        )
        let attribute = try database.prepare("INSERT INTO xattrs (dev, ino, name, value) VALUES (?, ?, ?, ?)")
        (self.database, insertFile, insertAttribute) = (database, file, attribute)
        return (file, attribute)
    }

    private static func remove(_ path: String) {
        try? System.unlink(at: System.atCurrentDirectory, path, isDirectory: false)
    }

    func describe(_ file: ForeignFile) throws(ImageError) -> Int {
        guard let status = file.status else { return 0 }
        let insert = try begin()
        let metadata = file.metadata
        let path = file.path.isEmpty ? prefix : prefix + [UInt8(ascii: "/")] + file.path
        insert.file.bind(1, text: path)
        insert.file.bind(2, Int64(truncatingIfNeeded: status.device))
        insert.file.bind(3, Int64(truncatingIfNeeded: status.inode))
        insert.file.bind(4, metadata.owner.uid)
        insert.file.bind(5, metadata.owner.gid)
        insert.file.bind(6, Int64(metadata.kind.format.rawValue | metadata.permissions))
        insert.file.bind(7, Int64(truncatingIfNeeded: metadata.kind.encodedDevice))
        try insert.file.run()
        guard file.isFirst else { return 0 }
        for attribute in metadata.attributes {
            insert.attribute.bind(1, Int64(truncatingIfNeeded: status.device))
            insert.attribute.bind(2, Int64(truncatingIfNeeded: status.inode))
            insert.attribute.bind(3, text: attribute.name)
            insert.attribute.bind(4, text: attribute.value)
            try insert.attribute.run()
        }
        return 0
    }

    func finishDescribing() throws(ImageError) {
        _ = try begin()
        try database?.execute("COMMIT")
        (insertFile, insertAttribute, database) = (nil, nil, nil)
        try moveFile(temporaryPath, to: path)
    }

    func replacement(of file: ForeignFile) throws(ImageError) -> Replacement {
        file.metadata.kind == .symlink && file.format != .symlink ? .replace : .keep
    }

    func replace(_ file: ForeignFile, as name: borrowing FileName, in directory: CInt) throws(ImageError) {
        try makePlainSymlink(file, as: name, in: directory)
    }

    /// What was replaced has another inode number than the one described.
    func finishReplacing() throws(ImageError) {
        let database = try ForeignDatabase(writing: path)
        try database.execute("BEGIN")
        let rows = try database.prepare("SELECT id, path, dev, ino FROM files WHERE deleting = 0 ORDER BY id")
        let file = try database.prepare("UPDATE files SET dev = ?, ino = ? WHERE id = ?")
        let attributes = try database.prepare("UPDATE xattrs SET dev = ?, ino = ? WHERE dev = ? AND ino = ?")
        while try rows.step() {
            guard let status = Self.status(Array(rows.bytes(1).dropFirst(prefix.count + 1)), beneath: root) else {
                continue
            }
            let (device, inode) = (Int64(bitPattern: status.device), Int64(bitPattern: status.inode))
            guard device != rows.number(2) || inode != rows.number(3) else { continue }
            file.bind(1, device)
            file.bind(2, inode)
            file.bind(3, rows.number(0))
            try file.run()
            attributes.bind(1, device)
            attributes.bind(2, inode)
            attributes.bind(3, rows.number(2))
            attributes.bind(4, rows.number(3))
            try attributes.run()
        }
        try database.execute("COMMIT")
    }

    private static func status(_ path: [UInt8], beneath root: CInt) -> FileStatus? {
        guard !path.isEmpty, let file = try? System.open(beneath: root, bytes: path, [.path, .noFollow]) else {
            return nil
        }
        return try? System.status(of: file.raw)
    }

    func abandon() {
        (insertFile, insertAttribute, database) = (nil, nil, nil)
        Self.remove(temporaryPath)
    }
}

/// Moves a finished file to its place, over what is there.
func moveFile(_ path: String, to newPath: String) throws(ImageError) {
    try ImageError.attempt("can't write \(newPath)") { () throws(Errno) in
        try System.rename(at: System.atCurrentDirectory, path, to: System.atCurrentDirectory, newPath)
    }
}

/// A symbolic link without metadata of its own.
func makePlainSymlink(
    _ file: ForeignFile,
    as name: borrowing FileName,
    in directory: CInt
) throws(ImageError) {
    try ImageError.attempt("can't make \(file.description) anew") { () throws(Errno) in
        try (file.target + [0]).span.withUnsafeBytes { (target) throws(Errno) in
            guard let target = target.baseAddress?.assumingMemoryBound(to: CChar.self) else { throw .EINVAL }
            try name.withCString { (name) throws(Errno) in try System.makeSymlink(to: target, at: directory, name) }
        }
    }
}
