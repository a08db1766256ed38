internal import CSQLite
internal import ImageEntries

/// A prepared statement.
final class SQLiteQuery {
    private let database: SQLiteFile
    private let handle: OpaquePointer

    init(_ database: SQLiteFile, _ sql: String) throws(ImageError) {
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
        database.beginStep()
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
