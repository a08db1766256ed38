internal import CSQLite

/// A database of another tool's.
///
/// Belongs to one thread.
final class SQLiteFile {
    fileprivate let handle: OpaquePointer
    fileprivate let path: String

    /// - Parameter isNew: whether it is to be made; else it is only read.
    /// - Throws: `badArchive` for what is no database; that may show with the first query only.
    init(_ path: String, isNew: Bool = false) throws(ImageError) {
        var handle: OpaquePointer?
        let flags = isNew ? SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE : SQLITE_OPEN_READONLY
        let code = sqlite3_open_v2(path, &handle, flags, nil)
        guard let handle, code == SQLITE_OK else {
            let text = handle.map { String(cString: sqlite3_errmsg($0)) } ?? "no memory"
            sqlite3_close_v2(handle)
            throw ImageError(.badArchive, "can't open the database \(path): \(text)")
        }
        self.handle = handle
        self.path = path
        sqlite3_busy_timeout(handle, 2000)
    }

    deinit {
        sqlite3_close_v2(handle)
    }

    func execute(_ sql: String) throws(ImageError) {
        let code = sqlite3_exec(handle, sql, nil, nil, nil)
        guard code == SQLITE_OK else { throw failure() }
    }

    func query(_ sql: String) throws(ImageError) -> SQLiteQuery {
        try SQLiteQuery(self, sql)
    }

    fileprivate func failure() -> ImageError {
        let code: ImageError.Code =
            switch sqlite3_errcode(handle) {
            case SQLITE_FULL: .noSpace
            case SQLITE_PERM, SQLITE_AUTH, SQLITE_READONLY: .permission
            case SQLITE_IOERR, SQLITE_BUSY, SQLITE_NOMEM: .system
            default: .badArchive
            }
        return ImageError(code, "the database \(path): \(String(cString: sqlite3_errmsg(handle)))")
    }
}

/// A prepared statement.
final class SQLiteQuery {
    private let database: SQLiteFile
    private let handle: OpaquePointer

    fileprivate init(_ database: SQLiteFile, _ sql: String) throws(ImageError) {
        var handle: OpaquePointer?
        guard sqlite3_prepare_v2(database.handle, sql, -1, &handle, nil) == SQLITE_OK, let handle else {
            throw database.failure()
        }
        self.database = database
        self.handle = handle
    }

    deinit {
        sqlite3_finalize(handle)
    }

    /// Begins anew, without values.
    func reset() -> SQLiteQuery {
        sqlite3_reset(handle)
        sqlite3_clear_bindings(handle)
        return self
    }

    /// - Parameter index: from 1.
    @discardableResult
    func bind(_ index: CInt, _ value: some BinaryInteger) -> SQLiteQuery {
        sqlite3_bind_int64(handle, index, Int64(truncatingIfNeeded: value))
        return self
    }

    /// Binds text, which may hold NULs and need not be UTF-8.
    @discardableResult
    func bind(_ index: CInt, text: [UInt8]) -> SQLiteQuery {
        text.withUnsafeBytes { bytes in
            // An empty array may have no address, and a missing address would be NULL.
            let start = bytes.baseAddress?.assumingMemoryBound(to: CChar.self)
            _ =
                start == nil
                ? sqlite3_bind_text(handle, index, "", 0, csqlite_transient())
                : sqlite3_bind_text(handle, index, start, CInt(bytes.count), csqlite_transient())
        }
        return self
    }

    /// - Returns: whether there is a row.
    @discardableResult
    func step() throws(ImageError) -> Bool {
        switch sqlite3_step(handle) {
        case SQLITE_ROW: return true
        case SQLITE_DONE: return false
        default: throw database.failure()
        }
    }

    func integer(_ column: CInt) -> Int64 { sqlite3_column_int64(handle, column) }

    /// Text or a blob, NULs included.
    func bytes(_ column: CInt) -> [UInt8] {
        guard let start = sqlite3_column_blob(handle, column) else { return [] }
        return Array(UnsafeRawBufferPointer(start: start, count: Int(sqlite3_column_bytes(handle, column))))
    }
}
