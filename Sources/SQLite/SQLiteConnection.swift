internal import CSQLite
internal import LinuxFiles

/// What a database file is opened for.
public enum SQLiteAccess: Sendable {
    case readOnly
    /// Nobody may write to it meanwhile; needs no file beside the database.
    case immutable
    case readWrite
}

/// An open SQLite database, for one thread at a time. All settings assume that somebody else may have made the file: no
/// triggers, no views, no extensions, small limits.
///
/// Statements keep their connection; it closes after the last of them.
///
/// `Failure` is what the user of the database tells its own callers: `describe` makes one of what SQLite says. All methods of
/// a connection and its statements throw one, for any of `SQLiteError.Code`; opening throws `SQLiteError` itself.
public final class SQLiteConnection<Failure: Error> {
    let raw: OpaquePointer
    let meter = WorkMeter()
    private let describe: (SQLiteError) -> Failure

    /// Opens a file that is there, by its name in a directory: see `SQLiteFiles` for which files are taken.
    ///
    /// Waits up to 5 seconds for other processes; see `setBusyTimeout`.
    /// - Parameters:
    ///   - name: of the file, without a slash; any other bytes.
    ///   - directory: a descriptor, `O_PATH` suffices. It must stay open as long as the connection; `describe` may keep it.
    ///   - maxValue: the longest row, text or blob, in bytes.
    ///   - describe: turns SQLite's error into the user's. Lives as long as the connection.
    /// - Throws: `SQLiteError`: `misuse` if SQLite refused the VFS of `SQLiteFiles`, else as `sqlite3_open_v2`.
    public convenience init(
        _ name: [UInt8],
        in directory: CInt,
        _ access: SQLiteAccess,
        limit: WorkLimit,
        maxValue: Int,
        describe: @escaping (SQLiteError) -> Failure
    ) throws(SQLiteError) {
        guard SQLiteFiles.isRegistered else { throw SQLiteError(.misuse, "SQLite refuses this program's VFS") }
        let (flag, query) =
            switch access {
            case .readOnly: (SQLITE_OPEN_READONLY, "")
            case .immutable: (SQLITE_OPEN_READONLY, "?immutable=1")
            case .readWrite: (SQLITE_OPEN_READWRITE, "")
            }
        try self.init(
            SQLiteFiles.uri(of: name, in: directory) + query,
            flag | SQLITE_OPEN_URI | SQLITE_OPEN_PRIVATECACHE,
            vfs: SQLiteFiles.name,
            limit: limit,
            maxValue: maxValue,
            busyTimeout: 5000,
            describe
        )
    }

    /// Opens or makes a file at a path for another program, with SQLite's usual modes and locks.
    /// - Parameter path: absolute; if any part of it is a symbolic link, SQLite refuses it.
    /// - Throws: `SQLiteError`, as `sqlite3_open_v2`.
    public convenience init(
        makingFile path: String,
        maxValue: Int,
        busyTimeout: CInt,
        describe: @escaping (SQLiteError) -> Failure
    ) throws(SQLiteError) {
        try self.init(
            path,
            SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOFOLLOW,
            vfs: nil,
            limit: .none,
            maxValue: maxValue,
            busyTimeout: busyTimeout,
            describe
        )
    }

    /// Opens a copy in memory: SQLite opens no file, waits for no lock and leaves nothing beside the database.
    /// - Parameter image: the whole database file.
    /// - Throws: `SQLiteError`, as `sqlite3_open_v2` and `sqlite3_deserialize`. Whether the image is a database shows
    ///   at the first statement.
    public convenience init(
        reading image: consuming SQLiteImage,
        limit: WorkLimit,
        maxValue: Int,
        describe: @escaping (SQLiteError) -> Failure
    ) throws(SQLiteError) {
        try self.init(
            ":memory:",
            SQLITE_OPEN_READWRITE | SQLITE_OPEN_MEMORY,
            vfs: nil,
            limit: limit,
            maxValue: maxValue,
            busyTimeout: 0,
            describe
        )
        let content = image.release()
        let size = Int64(content.count)
        let flags = UInt32(SQLITE_DESERIALIZE_FREEONCLOSE | SQLITE_DESERIALIZE_READONLY)
        // SQLite owns the memory from here on, even if it fails.
        let bytes = content.baseAddress?.assumingMemoryBound(to: UInt8.self)
        let status = sqlite3_deserialize(raw, "main", bytes, size, size, flags)
        guard status == SQLITE_OK else { throw SQLiteError(status, of: raw) }
        let isSet = sqlite3_exec(raw, "PRAGMA query_only = ON", nil, nil, nil)
        guard isSet == SQLITE_OK else { throw SQLiteError(isSet, of: raw) }
    }

    private init(
        _ name: String,
        _ flags: CInt,
        vfs: String?,
        limit: WorkLimit,
        maxValue: Int,
        busyTimeout: CInt,
        _ describe: @escaping (SQLiteError) -> Failure
    ) throws(SQLiteError) {
        var opened: OpaquePointer?
        let status = sqlite3_open_v2(name, &opened, flags | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE, vfs)
        guard status == SQLITE_OK, let opened else {
            // Even a failed opening gives an object, which has to be closed.
            let error = SQLiteError(status, of: opened)
            sqlite3_close_v2(opened)
            throw error
        }
        raw = opened
        self.describe = describe
        meter.set(limit)
        meter.attach(to: raw)
        harden(maxValue: maxValue)
        setBusyTimeout(milliseconds: busyTimeout)
    }

    deinit {
        sqlite3_close_v2(raw)
    }

    /// What opening somebody else's file must not cause: none of this reads the file.
    private func harden(maxValue: Int) {
        let settings: [(CInt, CInt)] = [
            (SQLITE_DBCONFIG_DEFENSIVE, 1), (SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0), (SQLITE_DBCONFIG_ENABLE_TRIGGER, 0),
            (SQLITE_DBCONFIG_ENABLE_VIEW, 0), (SQLITE_DBCONFIG_ENABLE_LOAD_EXTENSION, 0), (SQLITE_DBCONFIG_DQS_DDL, 0),
            (SQLITE_DBCONFIG_DQS_DML, 0),
        ]
        for (setting, value) in settings { _ = csqlite_configure(raw, setting, value) }
        let limits: [(CInt, CInt)] = [
            (SQLITE_LIMIT_LENGTH, CInt(clamping: maxValue)), (SQLITE_LIMIT_SQL_LENGTH, 16 << 10),
            (SQLITE_LIMIT_ATTACHED, 0), (SQLITE_LIMIT_TRIGGER_DEPTH, 1), (SQLITE_LIMIT_COLUMN, 100),
            (SQLITE_LIMIT_EXPR_DEPTH, 100),
        ]
        for (limit, value) in limits { sqlite3_limit(raw, limit, value) }
        _ = sqlite3_exec(raw, "PRAGMA cell_size_check = ON; PRAGMA temp_store = MEMORY", nil, nil, nil)
    }

    /// Replaces the limit that the connection was opened with.
    public func setWorkLimit(_ limit: WorkLimit) { meter.set(limit) }

    /// How long other processes' transactions are waited for.
    public func setBusyTimeout(milliseconds: CInt) { sqlite3_busy_timeout(raw, milliseconds) }

    // MARK: Statements

    /// Runs statements that give no rows.
    /// - Throws: what `describe` makes of the error.
    public func execute(_ sql: String) throws(Failure) {
        meter.beginStep()
        let status = sqlite3_exec(raw, sql, nil, nil, nil)
        guard status == SQLITE_OK else { throw error(status) }
    }

    /// Makes a statement of SQL, to be run often.
    /// - Throws: what `describe` makes of the error, such as for wrong SQL or a missing table.
    public func prepare(_ sql: String) throws(Failure) -> SQLiteStatement<Failure> {
        var statement: OpaquePointer?
        let status = sqlite3_prepare_v3(raw, sql, -1, UInt32(SQLITE_PREPARE_PERSISTENT), &statement, nil)
        guard status == SQLITE_OK, let statement else { throw error(status == SQLITE_OK ? SQLITE_MISUSE : status) }
        return SQLiteStatement(owning: statement, of: self)
    }

    /// The one number that a query gives; 0 if it gives nothing.
    /// - Throws: as `prepare` and `step`.
    public func number(_ sql: String) throws(Failure) -> Int64 {
        let statement = try prepare(sql)
        return try statement.step() ? statement.number(0) : 0
    }

    /// The one text that a query gives; empty if it gives nothing.
    /// - Throws: as `prepare` and `step`.
    public func text(_ sql: String) throws(Failure) -> String {
        let statement = try prepare(sql)
        return try statement.step() ? statement.text(0) : ""
    }

    /// Runs changes as one: all of them are stored, or none.
    /// - Throws: what `body` throws, and as `execute`; nothing is stored then.
    public func transaction<Result>(_ body: () throws(Failure) -> Result) throws(Failure) -> Result {
        try execute("BEGIN IMMEDIATE")
        do throws(Failure) {
            let result = try body()
            try execute("COMMIT")
            return result
        } catch {
            // Some failures have rolled back by themselves.
            _ = sqlite3_exec(raw, "ROLLBACK", nil, nil, nil)
            throw error
        }
    }

    /// How many rows the last statement changed.
    public var changes: Int { Int(sqlite3_changes64(raw)) }

    func error(_ status: CInt) -> Failure { describe(SQLiteError(status, of: raw)) }
}
