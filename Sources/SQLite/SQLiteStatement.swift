internal import CSQLite

/// A prepared statement; made once, run often. Parameters count from 1, columns from 0.
public final class SQLiteStatement<Failure: Error> {
    private let raw: OpaquePointer
    private let connection: SQLiteConnection<Failure>

    init(owning raw: OpaquePointer, of connection: SQLiteConnection<Failure>) {
        self.raw = raw
        self.connection = connection
    }

    deinit {
        sqlite3_finalize(raw)
    }

    // MARK: Parameters
    // The bind functions fail only for a wrong number or without memory; the next step says so then.

    /// Sets a parameter, counted from 1.
    public func bind(_ index: CInt, _ number: Int64) { sqlite3_bind_int64(raw, index, number) }

    /// Sets a parameter, counted from 1.
    public func bind(_ index: CInt, _ number: UInt32) { sqlite3_bind_int64(raw, index, Int64(number)) }

    /// Sets a parameter, counted from 1, to NULL.
    public func bindNull(_ index: CInt) { sqlite3_bind_null(raw, index) }

    /// Sets a parameter, counted from 1, to a text.
    public func bind(_ index: CInt, text: String) {
        sqlite3_bind_text(raw, index, text, CInt(text.utf8.count), csqlite_transient())
    }

    /// Binds text, which may hold NULs and need not be UTF-8.
    public func bind(_ index: CInt, text: [UInt8]) {
        text.withUnsafeBytes { bytes in
            let start = bytes.baseAddress?.assumingMemoryBound(to: CChar.self)
            if let start {
                sqlite3_bind_text(raw, index, start, CInt(bytes.count), csqlite_transient())
            } else {
                // An empty array may have no address, and without an address it would be NULL.
                sqlite3_bind_text(raw, index, "", 0, csqlite_transient())
            }
        }
    }

    /// Binds a blob; SQLite copies it.
    public func bind(_ index: CInt, _ bytes: UnsafeRawBufferPointer) {
        // Without an address it would be NULL.
        if bytes.count == 0 {
            sqlite3_bind_zeroblob(raw, index, 0)
        } else {
            sqlite3_bind_blob64(raw, index, bytes.baseAddress, UInt64(bytes.count), csqlite_transient())
        }
    }

    /// Sets a parameter, counted from 1, to a blob.
    public func bind(_ index: CInt, _ bytes: [UInt8]) { bytes.withUnsafeBytes { bind(index, $0) } }

    /// Sets a parameter, counted from 1, to a blob or NULL.
    public func bind(_ index: CInt, _ bytes: [UInt8]?) {
        if let bytes { bind(index, bytes) } else { bindNull(index) }
    }

    // MARK: Running

    /// Runs the statement up to its next row.
    /// - Returns: whether there is a row to read.
    /// - Throws: what `describe` makes of the error; the statement is reset then.
    public func step() throws(Failure) -> Bool {
        connection.meter.beginStep()
        let status = sqlite3_step(raw)
        if status == SQLITE_ROW { return true }
        if status == SQLITE_DONE { return false }
        let error = connection.error(status)
        reset()
        throw error
    }

    /// Runs a statement that gives no rows.
    /// - Throws: as `step`.
    public func run() throws(Failure) {
        defer { reset() }
        while try step() {}
    }

    /// To be run again; a statement that is not reset keeps its read transaction.
    public func reset() {
        sqlite3_reset(raw)
        sqlite3_clear_bindings(raw)
    }

    // MARK: Columns

    /// A column of the current row as a whole number; 0 if it is none.
    public func number(_ column: CInt) -> Int64 { sqlite3_column_int64(raw, column) }

    /// Whether a column of the current row is NULL.
    public func isNull(_ column: CInt) -> Bool { sqlite3_column_type(raw, column) == SQLITE_NULL }

    /// A column of the current row as a text.
    public func text(_ column: CInt) -> String {
        withBytes(column) { String(decoding: $0, as: UTF8.self) }
    }

    /// Text or a blob, NULs included; empty for NULL.
    public func bytes(_ column: CInt) -> [UInt8] { withBytes(column) { Array($0) } }

    /// A column of the current row as bytes; nil for NULL.
    public func optionalBytes(_ column: CInt) -> [UInt8]? { isNull(column) ? nil : bytes(column) }

    /// Lends the bytes of a column, until the next step.
    public func withBytes<Result>(_ column: CInt, _ body: (UnsafeRawBufferPointer) -> Result) -> Result {
        let address = sqlite3_column_blob(raw, column)
        return body(UnsafeRawBufferPointer(start: address, count: Int(sqlite3_column_bytes(raw, column))))
    }
}
