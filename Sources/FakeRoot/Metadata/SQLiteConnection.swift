internal import CSQLite
internal import LinuxFiles

/// An open SQLite database, for one thread at a time.
struct SQLiteConnection: ~Copyable {
    enum Access {
        case readOnly
        /// Nobody may write to it meanwhile; needs no file beside the database.
        case immutable
        case readWrite
        case create
    }

    private let raw: OpaquePointer
    private let path: String

    init(_ path: String, _ access: Access) throws(MetadataError) {
        var flags = SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_URI | SQLITE_OPEN_EXRESCODE
        switch access {
        case .readOnly, .immutable: flags |= SQLITE_OPEN_READONLY
        case .readWrite: flags |= SQLITE_OPEN_READWRITE
        case .create: flags |= SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE
        }
        var opened: OpaquePointer?
        var isImmutable = false
        if case .immutable = access { isImmutable = true }
        let status = sqlite3_open_v2(Self.uri(path, isImmutable: isImmutable), &opened, flags, nil)
        guard status == SQLITE_OK, let opened else {
            // Even a failed opening gives an object, which has to be closed.
            let error = Self.error(status, opened, path)
            sqlite3_close_v2(opened)
            throw error
        }
        raw = opened
        self.path = path
        sqlite3_busy_timeout(raw, 10_000)
    }

    deinit {
        // Statements that are still there keep it open until they go.
        sqlite3_close_v2(raw)
    }

    /// A path may have characters that mean something in a URI.
    private static func uri(_ path: String, isImmutable: Bool) -> String {
        let digits = Array("0123456789ABCDEF".utf8)
        var bytes = Array("file:".utf8)
        for byte in path.utf8 {
            switch byte {
            case UInt8(ascii: "%"), UInt8(ascii: "?"), UInt8(ascii: "#"):
                bytes += [UInt8(ascii: "%"), digits[Int(byte >> 4)], digits[Int(byte & 15)]]
            default: bytes.append(byte)
            }
        }
        return String(decoding: bytes, as: UTF8.self) + (isImmutable ? "?immutable=1" : "")
    }

    func execute(_ sql: String) throws(MetadataError) {
        try check(sqlite3_exec(raw, sql, nil, nil, nil))
    }

    func prepare(_ sql: String) throws(MetadataError) -> SQLiteStatement {
        var statement: OpaquePointer?
        let persistent = UInt32(SQLITE_PREPARE_PERSISTENT)
        try check(sqlite3_prepare_v3(raw, sql, -1, persistent, &statement, nil))
        guard let statement else { throw error(SQLITE_MISUSE) }
        return SQLiteStatement(owning: statement)
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

    func error(_ status: CInt) -> MetadataError { Self.error(status, raw, path) }

    private static func error(_ status: CInt, _ connection: OpaquePointer?, _ path: String) -> MetadataError {
        let text = connection.flatMap { sqlite3_errmsg($0) }.map { String(cString: $0) } ?? "unknown error"
        let message = "the metadata database \(path): \(text)"
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
        case SQLITE_BUSY, SQLITE_LOCKED:
            return MetadataError(.busy, message, hint: "Another process holds it; try again.", errno: .EBUSY)
        case SQLITE_FULL: return MetadataError(.system, message, hint: "Make room on the disk.", errno: .ENOSPC)
        case SQLITE_NOMEM: return MetadataError(.system, message, errno: .ENOMEM)
        case SQLITE_TOOBIG: return MetadataError(.system, message, errno: .E2BIG)
        case SQLITE_READONLY: return MetadataError(.system, message, errno: .EROFS)
        case SQLITE_CANTOPEN, SQLITE_PERM, SQLITE_AUTH: return MetadataError(.system, message, errno: .EACCES)
        default: return MetadataError(.system, message, errno: .EIO)
        }
    }
}
