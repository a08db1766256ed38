internal import CSQLite

/// The checksum in each row, `row_sum(...)` in SQL: a byte that turned on the disk must not become another owner.
///
/// FNV-1a of 64 bits over the columns in their order, each with its type and length: any single change moves it.
enum RowSum {
    static let node = "row_sum(handle, uid, gid, mode, kind, host_mode)"
    static let attribute = "row_sum(handle, name, value)"
    static let manifest = "row_sum(\(Manifest.columns))"

    /// A condition on rows: whether one is as it was written.
    static func isRight(_ sum: String, version: Int64) -> String { version < 2 ? "1" : "sum IS NULL OR sum = \(sum)" }

    static func register(_ connection: OpaquePointer) {
        let flags = SQLITE_UTF8 | SQLITE_DETERMINISTIC | SQLITE_DIRECTONLY
        sqlite3_create_function_v2(
            connection,
            "row_sum",
            -1,
            flags,
            nil,
            { context, count, values in
                var sum: UInt64 = 0xcbf2_9ce4_8422_2325
                for index in 0..<Int(count) { RowSum.add(values?[index], to: &sum) }
                sqlite3_result_int64(context, Int64(bitPattern: sum))
            },
            nil,
            nil,
            nil
        )
    }

    private static func add(_ value: OpaquePointer?, to sum: inout UInt64) {
        let type = sqlite3_value_type(value)
        add(UInt64(type), bytes: 1, to: &sum)
        switch type {
        case SQLITE_NULL: return
        case SQLITE_INTEGER: add(UInt64(bitPattern: sqlite3_value_int64(value)), bytes: 8, to: &sum)
        default:
            let start = sqlite3_value_blob(value)
            let bytes = UnsafeRawBufferPointer(start: start, count: Int(sqlite3_value_bytes(value)))
            add(UInt64(bytes.count), bytes: 4, to: &sum)
            for byte in bytes { sum = (sum ^ UInt64(byte)) &* 0x100_0000_01b3 }
        }
    }

    private static func add(_ number: UInt64, bytes: UInt64, to sum: inout UInt64) {
        for index in 0..<bytes { sum = (sum ^ (number >> (8 * index) & 0xff)) &* 0x100_0000_01b3 }
    }
}
