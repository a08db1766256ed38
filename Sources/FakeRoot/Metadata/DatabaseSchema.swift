internal import LinuxFiles
internal import SQLite

/// The tables of a database, and whether a file has exactly those.
///
/// Version 2 added to each row of labels, attributes and files its checksum; without one (NULL) a row is taken as it is.
enum DatabaseSchema {
    /// "U9fr", in the header of the file.
    static let applicationID: Int64 = 0x5539_6672
    /// The layout of the tables below.
    static let version: Int64 = 2

    private struct Object {
        let type: String
        let name: String
        let table: String
        /// Nil for the index that SQLite makes for a primary key.
        let sql: String?
        /// Version 2 has its further column behind this.
        let tail: String
    }

    /// The tables of version 1. Paths, names and handles are bytes; a kind is a label's TYPE.
    private static let objects = [
        Object(
            type: "table",
            name: "meta",
            table: "meta",
            sql: "CREATE TABLE meta (key TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID",
            tail: ""
        ),
        Object(
            type: "table",
            name: "node",
            table: "node",
            sql: """
                CREATE TABLE node (handle BLOB PRIMARY KEY, uid INTEGER NOT NULL, gid INTEGER NOT NULL,
                    mode INTEGER NOT NULL, kind TEXT NOT NULL, host_mode INTEGER) WITHOUT ROWID
                """,
            tail: "host_mode INTEGER"
        ),
        Object(
            type: "table",
            name: "attribute",
            table: "attribute",
            sql: """
                CREATE TABLE attribute (handle BLOB NOT NULL, name BLOB NOT NULL, value BLOB NOT NULL,
                    PRIMARY KEY (handle, name))
                """,
            tail: "value BLOB NOT NULL"
        ),
        Object(
            type: "table",
            name: "manifest",
            table: "manifest",
            sql: """
                CREATE TABLE manifest (path BLOB PRIMARY KEY, handle BLOB, uid INTEGER NOT NULL, gid INTEGER NOT NULL,
                    mode INTEGER NOT NULL, kind TEXT NOT NULL, size INTEGER NOT NULL, mtime INTEGER NOT NULL,
                    mtime_ns INTEGER NOT NULL, hash BLOB, target BLOB, capability BLOB) WITHOUT ROWID
                """,
            tail: "capability BLOB"
        ),
        Object(
            type: "index",
            name: "manifest_handle",
            table: "manifest",
            sql: "CREATE INDEX manifest_handle ON manifest (handle)",
            tail: ""
        ),
        Object(type: "index", name: "sqlite_autoindex_attribute_1", table: "attribute", sql: nil, tail: ""),
    ]

    private static func sql(_ object: Object, version: Int64) -> String? {
        guard version > 1, !object.tail.isEmpty, let sql = object.sql,
            let end = sql.indices.first(where: { sql[$0...].hasPrefix(object.tail) })
        else { return object.sql }
        let place = sql.index(end, offsetBy: object.tail.count)
        return sql[..<place] + ", sum INTEGER" + sql[place...]
    }

    /// What a new database is made of.
    static var creation: String {
        objects.compactMap { sql($0, version: version) }.map { $0 + ";" }.joined()
            + "PRAGMA application_id = \(applicationID); PRAGMA user_version = \(version)"
    }

    private static let upgrade =
        ["node", "attribute", "manifest"].map { "ALTER TABLE \($0) ADD COLUMN sum INTEGER;" }
        .joined() + "PRAGMA user_version = \(version)"

    /// Fills an empty file, or leaves a filled one alone.
    static func create(_ connection: MetadataConnection, _ root: FileHandle) throws(MetadataError) {
        try connection.transaction { () throws(MetadataError) in
            guard try connection.number("SELECT count(*) FROM sqlite_master") == 0 else { return }
            try connection.execute(creation)
            let statement = try connection.prepare("INSERT INTO meta VALUES ('root', ?1)")
            statement.bind(1, root)
            try statement.run()
        }
    }

    /// Adds what an earlier release didn't know.
    static func bringUpToDate(_ connection: MetadataConnection) throws(MetadataError) {
        try connection.transaction { () throws(MetadataError) in
            guard try connection.number("PRAGMA user_version") == 1 else { return }
            try connection.execute(upgrade)
        }
    }

    /// Whether it is empty: left by a process that was killed before it had made the first tables. SQLite may have written its
    /// header already.
    static func isBlank(_ connection: MetadataConnection) throws(MetadataError) -> Bool {
        guard try connection.number("PRAGMA application_id") == 0 else { return false }
        guard try connection.number("PRAGMA user_version") == 0 else { return false }
        return try connection.number("SELECT count(*) FROM sqlite_master") == 0
    }

    /// Makes sure that a file is one of ours, with exactly our tables. To be called before anything else is read of it.
    /// - Returns: its version.
    /// - Throws: `.blank`; `.foreign` for a later version or another program's file; `.corrupt`.
    static func verify(_ connection: MetadataConnection, of file: DatabaseFile) throws(MetadataError) -> Int64 {
        let application = try connection.number("PRAGMA application_id")
        let found = try connection.number("PRAGMA user_version")
        guard application == applicationID else {
            guard try !isBlank(connection) else { throw MetadataError(.blank, "\(file.path) is empty", errno: .EIO) }
            throw MetadataError(
                .foreign,
                "\(file.path) is not a metadata database of usb9pfs",
                hint: "Move the file away; the name is reserved for the metadata of the directory beside it.",
                errno: .EIO
            )
        }
        guard (1...version).contains(found) else {
            throw MetadataError(
                .foreign,
                "\(file.path) has version \(found) of the metadata tables; this program knows \(version)",
                hint: "Use the release that wrote it, or a later one.",
                errno: .EIO
            )
        }
        var expected = objects
        let statement = try connection.prepare("SELECT type, name, tbl_name, sql FROM sqlite_master")
        while try statement.step() {
            let object = expected.firstIndex {
                statement.text(0) == $0.type && statement.text(1) == $0.name && statement.text(2) == $0.table
                    && (statement.isNull(3) ? nil : statement.text(3)) == sql($0, version: found)
            }
            guard let object else { throw otherTables(file.path) }
            expected.remove(at: object)
        }
        guard expected.isEmpty else { throw otherTables(file.path) }
        return found
    }

    private static func otherTables(_ path: String) -> MetadataError {
        MetadataError(
            .corrupt,
            "\(path) has other tables than a metadata database of usb9pfs",
            hint: "Somebody has changed or damaged it: restore it from a backup, or move it away.",
            errno: .EIO
        )
    }
}
