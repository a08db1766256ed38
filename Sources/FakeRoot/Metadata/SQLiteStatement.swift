internal import CSQLite
internal import LinuxFiles

/// A prepared statement; made once, run often. Parameters count from 1, columns from 0.
struct SQLiteStatement: ~Copyable {
    private let raw: OpaquePointer
    /// The last statement of a closed connection closes its files: their directory must still be there.
    private let directory: DatabaseDirectory

    init(owning raw: OpaquePointer, of directory: DatabaseDirectory) {
        self.raw = raw
        self.directory = directory
    }

    deinit {
        sqlite3_finalize(raw)
    }

    // The bind functions fail only for a wrong number or without memory; the next step says so then.

    func bind(_ index: CInt, _ number: Int64) { sqlite3_bind_int64(raw, index, number) }

    func bind(_ index: CInt, _ number: UInt32) { sqlite3_bind_int64(raw, index, Int64(number)) }

    func bindNull(_ index: CInt) { sqlite3_bind_null(raw, index) }

    func bind(_ index: CInt, text: String) {
        sqlite3_bind_text(raw, index, text, CInt(text.utf8.count), csqlite_transient())
    }

    func bind(_ index: CInt, _ bytes: UnsafeRawBufferPointer) {
        // Without an address it would be NULL.
        if bytes.count == 0 {
            sqlite3_bind_zeroblob(raw, index, 0)
        } else {
            sqlite3_bind_blob64(raw, index, bytes.baseAddress, UInt64(bytes.count), csqlite_transient())
        }
    }

    func bind(_ index: CInt, _ bytes: [UInt8]) { bytes.withUnsafeBytes { bind(index, $0) } }

    func bind(_ index: CInt, _ bytes: [UInt8]?) {
        if let bytes { bind(index, bytes) } else { bindNull(index) }
    }

    func bind(_ index: CInt, _ handle: FileHandle) { handle.withBytes { bind(index, $0) } }

    /// - Returns: whether there is a row to read.
    func step(_ connection: borrowing SQLiteConnection) throws(MetadataError) -> Bool {
        let status = sqlite3_step(raw)
        if status == SQLITE_ROW { return true }
        if status == SQLITE_DONE { return false }
        let error = connection.error(status)
        reset()
        throw error
    }

    /// Runs a statement that gives no rows.
    func run(_ connection: borrowing SQLiteConnection) throws(MetadataError) {
        defer { reset() }
        while try step(connection) {}
    }

    /// To be run again; a statement that is not reset keeps its read transaction.
    func reset() {
        sqlite3_reset(raw)
        sqlite3_clear_bindings(raw)
    }

    func number(_ column: CInt) -> Int64 { sqlite3_column_int64(raw, column) }

    func isNull(_ column: CInt) -> Bool { sqlite3_column_type(raw, column) == SQLITE_NULL }

    func text(_ column: CInt) -> String {
        withBytes(column) { String(decoding: $0, as: UTF8.self) }
    }

    func bytes(_ column: CInt) -> [UInt8] { withBytes(column) { Array($0) } }

    func optionalBytes(_ column: CInt) -> [UInt8]? { isNull(column) ? nil : bytes(column) }

    /// Lends the bytes of a column, until the next step.
    func withBytes<Result>(_ column: CInt, _ body: (UnsafeRawBufferPointer) -> Result) -> Result {
        let address = sqlite3_column_blob(raw, column)
        return body(UnsafeRawBufferPointer(start: address, count: Int(sqlite3_column_bytes(raw, column))))
    }
}
