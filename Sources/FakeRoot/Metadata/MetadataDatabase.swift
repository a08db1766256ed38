internal import CSQLite
internal import LinuxFiles
internal import Synchronization

/// The tables beside a tree: labels and attributes that no extended attribute holds, and the import's manifest.
///
/// Files are named by their handles, never by an inode number alone. One connection under one lock; other processes may
/// have theirs at the same time.
final class MetadataDatabase: @unchecked Sendable {  // the connection and its statements are used under the lock only
    /// "U9fr", in the header of the file.
    static let applicationID: Int64 = 0x5539_6672
    /// The layout of the tables below.
    static let version: Int64 = 1

    let path: String
    let connection: SQLiteConnection
    let lock = Mutex<Void>(())
    let statements: Statements

    /// What is run often, prepared once.
    struct Statements: ~Copyable {
        let readNode: SQLiteStatement
        let writeNode: SQLiteStatement
        let removeNode: SQLiteStatement
        let readAttribute: SQLiteStatement
        let writeAttribute: SQLiteStatement
        let removeAttribute: SQLiteStatement
        let removeAttributes: SQLiteStatement
        let listAttributes: SQLiteStatement
        let readEntry: SQLiteStatement
        let writeEntry: SQLiteStatement
        let version: SQLiteStatement

        init(_ connection: borrowing SQLiteConnection) throws(MetadataError) {
            let readNode = try connection.prepare("SELECT uid, gid, mode, kind, host_mode FROM node WHERE handle = ?1")
            let writeNode = try connection.prepare("INSERT OR REPLACE INTO node VALUES (?1, ?2, ?3, ?4, ?5, ?6)")
            let removeNode = try connection.prepare("DELETE FROM node WHERE handle = ?1")
            let readAttribute = try connection.prepare("SELECT value FROM attribute WHERE handle = ?1 AND name = ?2")
            let writeAttribute = try connection.prepare("INSERT OR REPLACE INTO attribute VALUES (?1, ?2, ?3)")
            let removeAttribute = try connection.prepare("DELETE FROM attribute WHERE handle = ?1 AND name = ?2")
            let removeAttributes = try connection.prepare("DELETE FROM attribute WHERE handle = ?1")
            let listAttributes = try connection.prepare("SELECT name FROM attribute WHERE handle = ?1 ORDER BY name")
            let readEntry = try connection.prepare("SELECT \(Manifest.columns) FROM manifest WHERE path = ?1")
            let writeEntry = try connection.prepare(
                "INSERT OR REPLACE INTO manifest (\(Manifest.columns)) VALUES (?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11,?12)"
            )
            let version = try connection.prepare("PRAGMA data_version")
            // Only now: a struct of what can't be copied must not be half made when an error is thrown.
            self.readNode = readNode
            self.writeNode = writeNode
            self.removeNode = removeNode
            self.readAttribute = readAttribute
            self.writeAttribute = writeAttribute
            self.removeAttribute = removeAttribute
            self.removeAttributes = removeAttributes
            self.listAttributes = listAttributes
            self.readEntry = readEntry
            self.writeEntry = writeEntry
            self.version = version
        }
    }

    /// The tables. Paths, names and handles are bytes; a kind is a label's TYPE.
    private static let schema = """
        CREATE TABLE meta (key TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;
        CREATE TABLE node (handle BLOB PRIMARY KEY, uid INTEGER NOT NULL, gid INTEGER NOT NULL,
            mode INTEGER NOT NULL, kind TEXT NOT NULL, host_mode INTEGER) WITHOUT ROWID;
        CREATE TABLE attribute (handle BLOB NOT NULL, name BLOB NOT NULL, value BLOB NOT NULL,
            PRIMARY KEY (handle, name));
        CREATE TABLE manifest (path BLOB PRIMARY KEY, handle BLOB, uid INTEGER NOT NULL, gid INTEGER NOT NULL,
            mode INTEGER NOT NULL, kind TEXT NOT NULL, size INTEGER NOT NULL, mtime INTEGER NOT NULL,
            mtime_ns INTEGER NOT NULL, hash BLOB, target BLOB, capability BLOB) WITHOUT ROWID;
        CREATE INDEX manifest_handle ON manifest (handle);
        """

    /// Opens a database that is there, or makes it.
    /// - Parameter root: the handle of the tree's directory, for a new one.
    /// - Throws: `.foreign` for a later version or another program's file.
    convenience init(
        _ path: String,
        _ access: SQLiteConnection.Access,
        root: FileHandle? = nil
    ) throws(MetadataError) {
        let connection = try Self.open(path, access, root)
        let statements = try Statements(connection)
        self.init(path, connection, statements)
    }

    private init(_ path: String, _ connection: consuming SQLiteConnection, _ statements: consuming Statements) {
        self.path = path
        self.connection = connection
        self.statements = statements
    }

    private static func open(
        _ path: String,
        _ access: SQLiteConnection.Access,
        _ root: FileHandle?
    ) throws(MetadataError) -> SQLiteConnection {
        let connection = try SQLiteConnection(path, access)
        if let root { try create(connection, root) }
        guard try !isBlank(connection) else { throw MetadataError(.blank, "\(path) is empty", errno: .EIO) }
        try check(connection, path)
        try connection.execute("PRAGMA synchronous = NORMAL")
        // A schema that somebody else has made must not run anything.
        try connection.execute("PRAGMA trusted_schema = OFF")
        return connection
    }

    private static func create(_ connection: borrowing SQLiteConnection, _ root: FileHandle) throws(MetadataError) {
        // Where shared memory doesn't work, as on NFS, this fails or answers with another mode: both are fine.
        do throws(MetadataError) {
            _ = try connection.text("PRAGMA journal_mode = WAL")
        } catch  where error.code != .system {
            throw error
        } catch {
            _ = try connection.text("PRAGMA journal_mode = DELETE")
        }
        try connection.transaction { () throws(MetadataError) in
            guard try connection.number("SELECT count(*) FROM sqlite_master") == 0 else { return }
            try connection.execute(schema)
            let statement = try connection.prepare("INSERT INTO meta VALUES ('root', ?1)")
            statement.bind(1, root)
            try statement.run(connection)
            try connection.execute("PRAGMA application_id = \(applicationID); PRAGMA user_version = \(version)")
        }
    }

    /// Whether a file is a database that was never made to its end.
    static func isBlank(_ path: String) -> Bool {
        guard let connection = try? SQLiteConnection(path, .readWrite) else { return false }
        return (try? isBlank(connection)) ?? false
    }

    /// Whether there is nothing in it: left by a process that was killed before the first tables were there, when SQLite
    /// may have written its header already.
    private static func isBlank(_ connection: borrowing SQLiteConnection) throws(MetadataError) -> Bool {
        guard try connection.number("PRAGMA application_id") == 0 else { return false }
        guard try connection.number("PRAGMA user_version") == 0 else { return false }
        return try connection.number("SELECT count(*) FROM sqlite_master") == 0
    }

    private static func check(_ connection: borrowing SQLiteConnection, _ path: String) throws(MetadataError) {
        let application = try connection.number("PRAGMA application_id")
        let found = try connection.number("PRAGMA user_version")
        guard application == applicationID else {
            throw MetadataError(
                .foreign,
                "\(path) is not a metadata database of usb9pfs",
                hint: "Move the file away; the name is reserved for the metadata of the directory beside it.",
                errno: .EIO
            )
        }
        guard found == version else {
            throw MetadataError(
                .foreign,
                "\(path) has version \(found) of the metadata tables; this program knows \(version)",
                hint: "Use the release that wrote it, or a later one.",
                errno: .EIO
            )
        }
    }

    /// The handle of the directory that this belongs to.
    var root: FileHandle? {
        get throws(MetadataError) {
            try lock.withLock { _ throws(MetadataError) in
                let statement = try connection.prepare("SELECT value FROM meta WHERE key = 'root'")
                guard try statement.step(connection) else { return nil }
                return statement.withBytes(0) { FileHandle(stored: $0) }
            }
        }
    }

    /// A number that moves when another connection has changed something.
    var dataVersion: Int64 {
        get throws(MetadataError) {
            try lock.withLock { _ throws(MetadataError) in
                defer { statements.version.reset() }
                return try statements.version.step(connection) ? statements.version.number(0) : 0
            }
        }
    }

    /// Moves all into the one file and forbids others to use it meanwhile, for a file that is to be renamed.
    /// - Returns: false if others have it open.
    func becomeSingleFile() -> Bool {
        lock.withLock { _ in
            guard let mode = try? connection.text("PRAGMA journal_mode = DELETE") else { return false }
            return mode == "delete"
        }
    }

    /// After the file's renaming.
    static func setWriteAheadLog(_ path: String) {
        guard let connection = try? SQLiteConnection(path, .readWrite) else { return }
        _ = try? connection.text("PRAGMA journal_mode = WAL")
    }

    /// Has SQLite look at every page.
    /// - Returns: what it found, one line each; empty if all is well.
    func integrityProblems() throws(MetadataError) -> [String] {
        try lock.withLock { _ throws(MetadataError) in
            let statement = try connection.prepare("PRAGMA quick_check(20)")
            var problems: [String] = []
            while try statement.step(connection) { problems.append(statement.text(0)) }
            return problems == ["ok"] ? [] : problems
        }
    }
}
