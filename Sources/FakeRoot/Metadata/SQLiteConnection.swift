internal import CSQLite
internal import LinuxFiles

/// An open SQLite database, for one thread at a time.
struct SQLiteConnection: ~Copyable {
    enum Access {
        case readOnly
        /// Nobody may write to it meanwhile; needs no file beside the database.
        case immutable
        case readWrite
    }

    private let raw: OpaquePointer
    let file: DatabaseFile
    /// When statements are cut short, by the monotonic clock in milliseconds; 0 for never. SQLite has the address.
    private let deadline: UnsafeMutablePointer<UInt64>

    /// - Parameter milliseconds: how long all that is done with it may take, until `trust` is called: a file that is not
    ///   known to be ours may be made to keep SQLite busy for ever.
    init(_ file: DatabaseFile, _ access: Access, milliseconds: UInt64) throws(MetadataError) {
        guard SQLiteFiles.isRegistered else {
            throw MetadataError(.system, "SQLite can't be used: it takes no VFS", errno: .EIO)
        }
        var flags = SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_URI | SQLITE_OPEN_EXRESCODE | SQLITE_OPEN_PRIVATECACHE
        switch access {
        case .readOnly, .immutable: flags |= SQLITE_OPEN_READONLY
        case .readWrite: flags |= SQLITE_OPEN_READWRITE
        }
        var opened: OpaquePointer?
        var isImmutable = false
        if case .immutable = access { isImmutable = true }
        let status = sqlite3_open_v2(file.uri(isImmutable: isImmutable), &opened, flags, SQLiteFiles.name)
        guard status == SQLITE_OK, let opened else {
            // Even a failed opening gives an object, which has to be closed.
            let error = Self.error(status, opened, file)
            sqlite3_close_v2(opened)
            throw error
        }
        raw = opened
        self.file = file
        deadline = .allocate(capacity: 1)
        deadline.initialize(to: System.monotonicMilliseconds + milliseconds)
        let check: @convention(c) (UnsafeMutableRawPointer?) -> CInt = { context in
            guard let end = context?.load(as: UInt64.self), end != 0 else { return 0 }
            return System.monotonicMilliseconds > end ? 1 : 0
        }
        sqlite3_progress_handler(raw, 1000, check, deadline)
        RowSum.register(raw)
        harden()
        setBusyTimeout(milliseconds: 5000)
    }

    /// What a file that somebody else has made must not have done by opening it: none of this reads the file.
    private func harden() {
        let settings: [(CInt, CInt)] = [
            (SQLITE_DBCONFIG_DEFENSIVE, 1), (SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0), (SQLITE_DBCONFIG_ENABLE_TRIGGER, 0),
            (SQLITE_DBCONFIG_ENABLE_VIEW, 0), (SQLITE_DBCONFIG_ENABLE_LOAD_EXTENSION, 0), (SQLITE_DBCONFIG_DQS_DDL, 0),
            (SQLITE_DBCONFIG_DQS_DML, 0),
        ]
        for (setting, value) in settings { _ = csqlite_configure(raw, setting, value) }
        let limits: [(CInt, CInt)] = [
            // The largest row has an attribute of 64 KiB; the longest statement is the schema's.
            (SQLITE_LIMIT_LENGTH, 1 << 20), (SQLITE_LIMIT_SQL_LENGTH, 16 << 10), (SQLITE_LIMIT_ATTACHED, 0),
            (SQLITE_LIMIT_TRIGGER_DEPTH, 1), (SQLITE_LIMIT_COLUMN, 100), (SQLITE_LIMIT_EXPR_DEPTH, 100),
        ]
        for (limit, value) in limits { sqlite3_limit(raw, limit, value) }
        _ = sqlite3_exec(raw, "PRAGMA cell_size_check = ON", nil, nil, nil)
        _ = sqlite3_exec(raw, "PRAGMA temp_store = MEMORY", nil, nil, nil)
    }

    /// From now on statements may take their time.
    func trust() { deadline.pointee = 0 }

    /// Cuts short what takes longer from now on.
    func limit(milliseconds: UInt64) { deadline.pointee = System.monotonicMilliseconds + milliseconds }

    /// How long other processes' transactions are waited for.
    func setBusyTimeout(milliseconds: CInt) { sqlite3_busy_timeout(raw, milliseconds) }

    deinit {
        // Statements that are still there keep it open until they go: longer than `deadline`.
        sqlite3_progress_handler(raw, 0, nil, nil)
        sqlite3_close_v2(raw)
        deadline.deallocate()
    }

    func execute(_ sql: String) throws(MetadataError) {
        try check(sqlite3_exec(raw, sql, nil, nil, nil))
    }

    func prepare(_ sql: String) throws(MetadataError) -> SQLiteStatement {
        var statement: OpaquePointer?
        let persistent = UInt32(SQLITE_PREPARE_PERSISTENT)
        try check(sqlite3_prepare_v3(raw, sql, -1, persistent, &statement, nil))
        guard let statement else { throw error(SQLITE_MISUSE) }
        return SQLiteStatement(owning: statement, of: file.directory)
    }

    /// The one number that a query gives; 0 if it gives nothing.
    func number(_ sql: String) throws(MetadataError) -> Int64 {
        let statement = try prepare(sql)
        return try statement.step(self) ? statement.number(0) : 0
    }

    /// The one text that a query gives.
    func text(_ sql: String) throws(MetadataError) -> String {
        let statement = try prepare(sql)
        return try statement.step(self) ? statement.text(0) : ""
    }

    /// Runs changes as one: all of them are stored, or none.
    func transaction<Result>(_ body: () throws(MetadataError) -> Result) throws(MetadataError) -> Result {
        try execute("BEGIN IMMEDIATE")
        do throws(MetadataError) {
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
    var changes: Int { Int(sqlite3_changes64(raw)) }

    func check(_ status: CInt) throws(MetadataError) {
        guard status == SQLITE_OK || status == SQLITE_DONE || status == SQLITE_ROW else { throw error(status) }
    }

    func error(_ status: CInt) -> MetadataError { Self.error(status, raw, file) }

    private static func error(_ status: CInt, _ connection: OpaquePointer?, _ file: DatabaseFile) -> MetadataError {
        let text = connection.flatMap { sqlite3_errmsg($0) }.map { String(cString: $0) } ?? "unknown error"
        let message = "the metadata database \(file.path): \(text)"
        let restore = "Restore the file from a backup. Without it labels that no extended attribute holds are lost."
        switch status & 0xff {
        case SQLITE_CORRUPT: return MetadataError(.corrupt, message, hint: restore, errno: .EIO)
        case SQLITE_NOTADB:
            return MetadataError(
                .corrupt,
                message,
                hint: "Something else has been written over it. \(restore)",
                errno: .EIO
            )
        case SQLITE_INTERRUPT:
            return MetadataError(.corrupt, "\(message): it takes too long", hint: restore, errno: .EIO)
        case SQLITE_BUSY, SQLITE_LOCKED:
            return MetadataError(.busy, message, hint: "Another process holds it; try again.", errno: .EBUSY)
        case SQLITE_FULL: return MetadataError(.system, message, hint: "Make room on the disk.", errno: .ENOSPC)
        case SQLITE_NOMEM: return MetadataError(.system, message, errno: .ENOMEM)
        case SQLITE_TOOBIG: return MetadataError(.system, message, errno: .E2BIG)
        case SQLITE_READONLY: return MetadataError(.system, message, errno: .EROFS)
        case SQLITE_PERM, SQLITE_AUTH: return MetadataError(.system, message, errno: .EACCES)
        case SQLITE_CANTOPEN, SQLITE_IOERR:
            // The log's shared memory and its journal fail so on a full disk, and where a file must not be opened.
            let cause = Errno(rawValue: connection.map { sqlite3_system_errno($0) } ?? 0)
            let told: Set<Errno> = [.ENOSPC, .EDQUOT, .EMFILE, .ENFILE, .EROFS, .ENOMEM]
            let isFull = cause == .ENOSPC || cause == .EDQUOT
            return MetadataError(
                .system,
                told.contains(cause) ? "\(message): \(cause.text)" : message,
                hint: isFull ? "Make room on the disk." : "",
                errno: told.contains(cause) ? cause : status & 0xff == SQLITE_CANTOPEN ? .EACCES : .EIO
            )
        default: return MetadataError(.system, message, errno: .EIO)
        }
    }
}
