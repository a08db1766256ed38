internal import CSQLite

/// A database of another tool's.
///
/// Belongs to one thread.
final class SQLiteFile {
    let handle: OpaquePointer
    private let path: String

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

    func failure() -> ImageError {
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
