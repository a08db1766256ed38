internal import SQLite

/// The checksum in each row, `row_sum(...)` in SQL: a byte that turned on the disk must not become another owner.
///
/// FNV-1a of 64 bits over the columns in their order, each with its type and length: any single change moves it.
enum RowSum {
    static let node = "row_sum(handle, uid, gid, mode, kind, host_mode)"
    static let attribute = "row_sum(handle, name, value)"
    static let manifest = "row_sum(\(Manifest.columns))"

    /// A condition on rows: whether one is as it was written.
    static func isRight(_ sum: String, version: Int64) -> String { version < 2 ? "1" : "sum IS NULL OR sum = \(sum)" }

    static let name = "row_sum"

    /// What `row_sum` gives for its arguments.
    static func sum(_ columns: SQLiteArguments) -> Int64 {
        var sum: UInt64 = 0xcbf2_9ce4_8422_2325
        for index in 0..<columns.count { add(columns[index], to: &sum) }
        return Int64(bitPattern: sum)
    }

    private static func add(_ value: SQLiteValue, to sum: inout UInt64) {
        let kind = value.kind
        add(UInt64(kind.rawValue), bytes: 1, to: &sum)
        switch kind {
        case .null: return
        case .integer: add(UInt64(bitPattern: value.number), bytes: 8, to: &sum)
        case .real, .text, .blob:
            value.withBytes { bytes in
                add(UInt64(bytes.count), bytes: 4, to: &sum)
                for byte in bytes { sum = (sum ^ UInt64(byte)) &* 0x100_0000_01b3 }
            }
        }
    }

    private static func add(_ number: UInt64, bytes: UInt64, to sum: inout UInt64) {
        for index in 0..<bytes { sum = (sum ^ (number >> (8 * index) & 0xff)) &* 0x100_0000_01b3 }
    }
}
