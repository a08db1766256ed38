internal import CSQLite
internal import ImageEntries
internal import LinuxFiles

/// A database of another tool's, which may be anybody's: what is in it is not trusted.
///
/// One that is read is read as a whole into memory, as any file, and SQLite gets only that copy: so it opens no file,
/// waits for no lock and leaves nothing beside the database. It must hold tables and their indexes only; and a query that
/// takes far longer than any of ours can is ended.
///
/// Belongs to one thread.
final class SQLiteFile {
    let handle: OpaquePointer
    private let path: String

    /// In bytes; a database of pseudo's has some 500 for each file.
    private static let maxSize: UInt64 = 512 << 20
    /// A row takes a dozen instructions of SQLite's machine; this many of a million are some seconds.
    private static let maxMillions = 300
    /// How many millions the step in hand has taken.
    private let millions = UnsafeMutablePointer<Int>.allocate(capacity: 1)

    /// Opens a database to read.
    /// - Throws: `badArchive` for what is no database, or none of a kind that we read.
    init(_ path: String) throws(ImageError) {
        self.path = path
        millions.initialize(to: 0)
        handle = try Self.open(":memory:", path, SQLITE_OPEN_READWRITE | SQLITE_OPEN_MEMORY)
        harden()
        limitQueries()
        try load()
        try execute("PRAGMA query_only = ON")
        try refuseProgram()
    }

    /// Opens a database to write, and makes it if it isn't there. No symbolic link leads elsewhere.
    init(writing path: String) throws(ImageError) {
        self.path = path
        millions.initialize(to: 0)
        let (parent, last) = StagingDirectory.split(path)
        let directory = try ImageError.attempt("can't open \(parent)") { () throws(Errno) in
            let opened = try System.open(parent, [.path, .directory])
            return try System.currentPath(of: opened.raw)
        }
        // SQLite refuses links in the whole path, so it gets the one without any.
        guard let real = String(validating: directory, as: UTF8.self) else {
            throw ImageError(.badDestination, "the path \(printable(directory)) is not UTF-8, which SQLite wants")
        }
        let flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOFOLLOW
        handle = try Self.open("\(real)/\(last)", path, flags)
        harden()
        sqlite3_busy_timeout(handle, 2000)
    }

    deinit {
        sqlite3_close_v2(handle)
        millions.deallocate()
    }

    private static func open(_ name: String, _ path: String, _ flags: CInt) throws(ImageError) -> OpaquePointer {
        var handle: OpaquePointer?
        let code = sqlite3_open_v2(name, &handle, flags, nil)
        guard let handle, code == SQLITE_OK else {
            let text = handle.map { String(cString: sqlite3_errmsg($0)) } ?? "no memory"
            sqlite3_close_v2(handle)
            throw ImageError(.badArchive, "can't open the database \(path): \(text)")
        }
        return handle
    }

    // MARK: Reading what is not trusted

    /// Changes that are not in the file itself yet are in a log or a journal beside it: without them it says something that
    /// was never true.
    private func refuseUnfinished() throws(ImageError) {
        for suffix in ["-wal", "-journal"] {
            guard let file = try? System.open(path + suffix, .path), let status = try? System.status(of: file.raw),
                status.format == .regular, status.size > 0
            else { continue }
            // A journal that is kept for the next change begins with zeros.
            if suffix == "-journal", (try? readMetadataFile(path + suffix, limit: Self.maxSize))?.first == 0 {
                continue
            }
            throw ImageError(
                .badArchive,
                "the database \(path) is in use, or was when its program ended: \(path + suffix) has the latest changes",
                hint: "End the program that uses it. If none does, have SQLite finish it:\n"
                    + "    sqlite3 \(ShellWord(path)) 'PRAGMA wal_checkpoint(TRUNCATE)'"
            )
        }
    }

    /// Gives SQLite the content, in memory that becomes its own.
    private func load() throws(ImageError) {
        let held = try ImageError.attempt("can't open \(path)") { () throws(Errno) in try System.open(path, .path) }
        let size = try regularSize(of: held.raw, path, limit: Self.maxSize)
        try refuseUnfinished()
        guard size >= 512, let memory = sqlite3_malloc64(size) else {
            throw ImageError(
                .badArchive,
                "the database \(path): \(size < 512 ? "it is too short for one" : "no memory")"
            )
        }
        let content = UnsafeMutableRawBufferPointer(start: memory, count: Int(size))
        do throws(Errno) {
            let file = try openRegularFile(held.raw)
            guard try System.read(file.raw, into: content, at: 0) == content.count else { throw .ESTALE }
        } catch {
            sqlite3_free(memory)
            throw ImageError("can't read \(path)", error)
        }
        // A write-ahead log would have been refused: so this is all there is, and is read as if there had never been one.
        if content[18] == 2, content[19] == 2 { (content[18], content[19]) = (1, 1) }
        let flags = UInt32(SQLITE_DESERIALIZE_FREEONCLOSE | SQLITE_DESERIALIZE_READONLY)
        // It owns the memory from here on, even if it fails.
        let bytes = memory.assumingMemoryBound(to: UInt8.self)
        let code = sqlite3_deserialize(handle, "main", bytes, Int64(size), Int64(size), flags)
        guard code == SQLITE_OK else { throw failure() }
    }

    /// To be called before each step of a query.
    func beginStep() { millions.pointee = 0 }

    /// What a file that somebody else has made must not have done: none of this reads the file.
    private func harden() {
        let settings: [(CInt, CInt)] = [
            (SQLITE_DBCONFIG_DEFENSIVE, 1), (SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0), (SQLITE_DBCONFIG_ENABLE_TRIGGER, 0),
            (SQLITE_DBCONFIG_ENABLE_VIEW, 0), (SQLITE_DBCONFIG_ENABLE_LOAD_EXTENSION, 0), (SQLITE_DBCONFIG_DQS_DDL, 0),
            (SQLITE_DBCONFIG_DQS_DML, 0),
        ]
        for (setting, value) in settings { _ = csqlite_configure(handle, setting, value) }
        let limits: [(CInt, CInt)] = [
            (SQLITE_LIMIT_LENGTH, 64 << 20), (SQLITE_LIMIT_SQL_LENGTH, 16 << 10), (SQLITE_LIMIT_ATTACHED, 0),
            (SQLITE_LIMIT_TRIGGER_DEPTH, 1), (SQLITE_LIMIT_COLUMN, 100), (SQLITE_LIMIT_EXPR_DEPTH, 100),
        ]
        for (limit, value) in limits { sqlite3_limit(handle, limit, value) }
        _ = sqlite3_exec(handle, "PRAGMA cell_size_check = ON; PRAGMA temp_store = MEMORY", nil, nil, nil)
    }

    /// The library calls back once in a while, and ends a query that is told to.
    private func limitQueries() {
        let count: @convention(c) (UnsafeMutableRawPointer?) -> CInt = { context in
            guard let millions = context?.assumingMemoryBound(to: Int.self) else { return 1 }
            millions.pointee += 1
            return millions.pointee > SQLiteFile.maxMillions ? 1 : 0
        }
        sqlite3_progress_handler(handle, 1_000_000, count, millions)
    }

    /// Refuses what computes: views, triggers, virtual tables and generated columns.
    private func refuseProgram() throws(ImageError) {
        // SQLite makes what the text in `sql` says, whatever `type` is: it can say "table" of a view.
        let schema = try query(
            """
            SELECT name FROM sqlite_master WHERE type NOT IN ('table', 'index')
            OR type = 'table' AND (rootpage IS NULL OR rootpage <= 0 OR sql NOT LIKE 'CREATE TABLE %' OR sql IS NULL
                OR name LIKE 'sqlite\\_%' ESCAPE '\\' AND name NOT IN ('sqlite_sequence', 'sqlite_stat1', 'sqlite_stat4'))
            OR type = 'index' AND sql NOT LIKE 'CREATE INDEX %' AND sql NOT LIKE 'CREATE UNIQUE INDEX %'
            """
        )
        if try schema.step() { throw program(schema.bytes(0)) }
        for table in ["files", "xattrs"] {
            let columns = try query("PRAGMA table_xinfo(\(table))")
            while try columns.step() {
                // 0 is a column with a value of its own.
                if columns.integer(6) != 0 { throw program(columns.bytes(1)) }
            }
        }
    }

    private func program(_ name: [UInt8]) -> ImageError {
        ImageError(
            .badArchive,
            "the database \(path) has \(printable(name)), which is not a plain table: no tool that we know makes that"
        )
    }

    func execute(_ sql: String) throws(ImageError) {
        let code = sqlite3_exec(handle, sql, nil, nil, nil)
        guard code == SQLITE_OK else { throw failure() }
    }

    func query(_ sql: String) throws(ImageError) -> SQLiteQuery {
        try SQLiteQuery(self, sql)
    }

    func failure() -> ImageError {
        let code: ImageError.Code =
            switch sqlite3_errcode(handle) {
            case SQLITE_FULL: .noSpace
            case SQLITE_PERM, SQLITE_AUTH, SQLITE_READONLY: .permission
            case SQLITE_IOERR, SQLITE_BUSY, SQLITE_NOMEM: .system
            default: .badArchive
            }
        return ImageError(code, "the database \(path): \(printable(String(cString: sqlite3_errmsg(handle))))")
    }
}
