import LinuxFiles
import TestSupport

@testable import SQLite

/// A directory with a database "a.db".
final class DatabaseFixture {
    let directory: TemporaryDirectory
    let descriptor: OwnedDescriptor
    let name = Array("a.db".utf8)

    init(_ sql: String = "CREATE TABLE t (k BLOB PRIMARY KEY, v); INSERT INTO t VALUES (x'00ff', 7)") throws {
        directory = try TemporaryDirectory()
        descriptor = try System.open(directory.path, [.path, .directory])
        let made = try SQLiteConnection<SQLiteError>(makingFile: path, maxValue: 1 << 20, busyTimeout: 0) { $0 }
        try made.execute(sql)
    }

    var path: String { "\(directory.path)/a.db" }

    func open(
        _ access: SQLiteAccess = .readWrite,
        limit: WorkLimit = .none,
        maxValue: Int = 1 << 20
    ) throws(SQLiteError) -> SQLiteConnection<SQLiteError> {
        let connection = try SQLiteConnection<SQLiteError>(
            name,
            in: descriptor.raw,
            access,
            limit: limit,
            maxValue: maxValue
        ) { error in
            // The directory stays as long as the connection.
            withExtendedLifetime(self) { error }
        }
        connection.setBusyTimeout(milliseconds: 0)
        return connection
    }

    func copy(limit: WorkLimit = .none) throws -> SQLiteConnection<SQLiteError> {
        let file = try System.open(path, .readOnly)
        let image = try SQLiteImage(of: file.raw, size: System.status(of: file.raw).size)
        return try SQLiteConnection(reading: image, limit: limit, maxValue: 1 << 20) { $0 }
    }
}

/// Runs for ever.
let endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n"

/// The code of what `body` throws.
func code<Result>(_ body: () throws -> Result) -> SQLiteError.Code? {
    do {
        _ = try body()
        return nil
    } catch {
        return (error as? SQLiteError)?.code
    }
}
