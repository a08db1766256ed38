internal import LinuxFiles
internal import SQLite

/// What is in the table of the import's files.
enum Manifest {
    static let columns =
        "path, handle, uid, gid, mode, kind, size, mtime, mtime_ns, hash, target, capability"

    /// A row; `file` is who was at the path when the row was written.
    struct Row {
        var entry: ManifestEntry
        var file: FileHandle?
    }
}

extension MetadataDatabase {
    private static func row(_ statement: MetadataStatement) -> Manifest.Row? {
        guard statement.number(12) != 0, let status = label(statement, 2, hasHostMode: false) else { return nil }
        let entry = ManifestEntry(
            path: statement.bytes(0),
            status: status,
            size: UInt64(bitPattern: statement.number(6)),
            modificationTime: FileTime(
                seconds: statement.number(7),
                nanoseconds: UInt32(truncatingIfNeeded: statement.number(8))
            ),
            hash: statement.optionalBytes(9),
            linkTarget: statement.optionalBytes(10),
            capability: statement.optionalBytes(11)
        )
        return Manifest.Row(entry: entry, file: statement.withBytes(1) { FileHandle(stored: $0) })
    }

    private static func write(
        _ row: Manifest.Row,
        _ connection: MetadataConnection,
        _ statement: MetadataStatement
    ) throws(MetadataError) {
        let entry = row.entry
        statement.bind(1, entry.path)
        if let file = row.file { statement.bind(2, file) } else { statement.bindNull(2) }
        statement.bind(3, entry.status.uid)
        statement.bind(4, entry.status.gid)
        statement.bind(5, entry.status.mode)
        statement.bind(6, text: (entry.status.kind ?? .file).labelText)
        statement.bind(7, Int64(bitPattern: entry.size))
        statement.bind(8, entry.modificationTime.seconds)
        statement.bind(9, Int64(entry.modificationTime.nanoseconds))
        statement.bind(10, entry.hash)
        statement.bind(11, entry.linkTarget)
        statement.bind(12, entry.capability)
        try statement.run()
    }

    func setEntries(_ rows: [Manifest.Row]) throws(MetadataError) {
        try write { (connection, changes) throws(MetadataError) in
            try connection.transaction { () throws(MetadataError) in
                for row in rows { try Self.write(row, connection, changes.entry) }
            }
        }
    }

    /// A row's checksum with another value for one or more of its columns.
    private static func sum(with values: [String: String]) -> String {
        let columns = Manifest.columns.split(separator: ",").map { column in
            let name = String(column.drop { $0 == " " })
            return values[name] ?? name
        }
        return "row_sum(\(columns.joined(separator: ", ")))"
    }

    private static let fileUpdate =
        "UPDATE manifest SET handle = ?2, sum = \(sum(with: ["handle": "?2"])) WHERE path = ?1 AND handle IS ?3"

    private static let contentUpdate = """
        UPDATE manifest SET size = ?2, mtime = ?3, mtime_ns = ?4, hash = ?5,
        sum = \(sum(with: ["size": "?2", "mtime": "?3", "mtime_ns": "?4", "hash": "?5"]))
        WHERE handle = ?1 AND hash IS NOT ?5
        """

    private static let newPath = "CAST(?4 || substr(path, ?5) AS BLOB)"
    private static let pathUpdate = """
        UPDATE manifest SET path = \(newPath), sum = \(sum(with: ["path": newPath]))
        WHERE path = ?1 OR path > ?2 AND path < ?3
        """

    /// Notes which file is at a row's path now, unless somebody else has changed the row meanwhile.
    func setFile(_ file: FileHandle, of row: Manifest.Row) throws(MetadataError) {
        try write { (connection, _) throws(MetadataError) in
            let statement = try connection.prepare(Self.fileUpdate)
            statement.bind(1, row.entry.path)
            statement.bind(2, file)
            if let old = row.file { statement.bind(3, old) } else { statement.bindNull(3) }
            try statement.run()
        }
    }

    /// Notes a file's new content in the rows of all its names.
    func setContent(of file: FileHandle, as entry: ManifestEntry) throws(MetadataError) {
        try write { (connection, _) throws(MetadataError) in
            let statement = try connection.prepare(Self.contentUpdate)
            statement.bind(1, file)
            statement.bind(2, Int64(bitPattern: entry.size))
            statement.bind(3, entry.modificationTime.seconds)
            statement.bind(4, Int64(entry.modificationTime.nanoseconds))
            statement.bind(5, entry.hash)
            try statement.run()
        }
    }

    func entry(_ path: [UInt8]) throws(MetadataError) -> Manifest.Row? {
        try read { (reader) throws(MetadataError) in
            defer { reader.entry.reset() }
            reader.entry.bind(1, path)
            guard try reader.entry.step() else { return nil }
            guard let row = Self.row(reader.entry) else { throw damaged("manifest") }
            return row
        }
    }

    private var columns: String { "\(Manifest.columns), \(RowSum.isRight(RowSum.manifest, version: version))" }

    /// Up to `limit` rows after a path, in the order of paths, byte by byte.
    func entries(after last: [UInt8]?, limit: Int) throws(MetadataError) -> [Manifest.Row] {
        try read { (reader) throws(MetadataError) in
            let statement = try reader.connection.prepare(
                "SELECT \(columns) FROM manifest WHERE ?1 IS NULL OR path > ?1 ORDER BY path LIMIT ?2"
            )
            statement.bind(1, last)
            statement.bind(2, Int64(limit))
            return try rows(statement, reader.connection)
        }
    }

    /// The rows that name this file: several for one with several names.
    func entries(of file: FileHandle) throws(MetadataError) -> [Manifest.Row] {
        try read { (reader) throws(MetadataError) in
            let statement = try reader.connection.prepare("SELECT \(columns) FROM manifest WHERE handle = ?1")
            statement.bind(1, file)
            // An index that is damaged finds others' rows.
            return try rows(statement, reader.connection).filter { $0.file == file }
        }
    }

    /// The paths of files that a plain host file can't show: by their kind, owner, mode or capability.
    /// - Parameters:
    ///   - top: only this path and those beneath it.
    ///   - connection: nil for the one that requests read with.
    func pathsOfExpectations(beneath top: [UInt8]) throws(MetadataError) -> [[UInt8]] {
        try read { (reader) throws(MetadataError) in try pathsOfExpectations(reader.connection, beneath: top) }
    }

    func pathsOfExpectations(
        _ connection: MetadataConnection,
        beneath top: [UInt8]? = nil
    ) throws(MetadataError) -> [[UInt8]] {
        // Without the range of paths for all: the planner would scan the table for a single path, too.
        let range = top == nil ? "" : "(path = ?1 OR path > ?2 AND path < ?3) AND"
        let statement = try connection.prepare(
            """
            SELECT path FROM manifest WHERE \(range) (capability IS NOT NULL OR uid <> 0 OR gid <> 0
            OR kind NOT IN ('file', 'dir', 'symlink')
            OR kind = 'file' AND (mode > 511 OR mode & 384 <> 384)
            OR kind = 'dir' AND (mode > 511 OR mode & 448 <> 448))
            """
        )
        if let top { Self.bindRange(statement, top) }
        var paths: [[UInt8]] = []
        while try statement.step() { paths.append(statement.bytes(0)) }
        return paths
    }

    /// A path as ?1; as ?2 and ?3 what those beneath it lie between.
    private static func bindRange(_ statement: MetadataStatement, _ path: [UInt8]) {
        statement.bind(1, path)
        statement.bind(2, path + [UInt8(ascii: "/")])
        statement.bind(3, path + [UInt8(ascii: "/") + 1])
    }

    private func rows(
        _ statement: MetadataStatement,
        _ connection: MetadataConnection
    ) throws(MetadataError) -> [Manifest.Row] {
        var rows: [Manifest.Row] = []
        while try statement.step() {
            guard let row = Self.row(statement) else { throw damaged("manifest") }
            rows.append(row)
        }
        return rows
    }

    /// Forgets a path, and with `beneath` all that is below.
    func removeEntry(_ path: [UInt8], beneath: Bool) throws(MetadataError) {
        try write { (connection, _) throws(MetadataError) in
            let condition = beneath ? "path = ?1 OR path > ?2 AND path < ?3" : "path = ?1"
            let statement = try connection.prepare("DELETE FROM manifest WHERE \(condition)")
            if beneath { Self.bindRange(statement, path) } else { statement.bind(1, path) }
            try statement.run()
        }
    }

    /// Follows a file or directory that got another name; what was expected there is forgotten.
    func moveEntries(from old: [UInt8], to new: [UInt8]) throws(MetadataError) {
        try write { (connection, _) throws(MetadataError) in
            try connection.transaction { () throws(MetadataError) in
                let clear = try connection.prepare("DELETE FROM manifest WHERE path = ?1 OR path > ?2 AND path < ?3")
                Self.bindRange(clear, new)
                try clear.run()
                let move = try connection.prepare(Self.pathUpdate)
                Self.bindRange(move, old)
                move.bind(4, new)
                move.bind(5, Int64(old.count + 1))
                try move.run()
            }
        }
    }

    /// Whether there is a row for a path, or beneath.
    func hasEntries(_ path: [UInt8]) throws(MetadataError) -> Bool {
        try read { (reader) throws(MetadataError) in
            let statement = try reader.connection.prepare(
                "SELECT 1 FROM manifest WHERE path = ?1 OR path > ?2 AND path < ?3 LIMIT 1"
            )
            Self.bindRange(statement, path)
            return try statement.step()
        }
    }

    /// Whether an import has written its list to the end.
    var isManifestComplete: Bool {
        get throws(MetadataError) {
            try read { (reader) throws(MetadataError) in try isManifestComplete(reader.connection) }
        }
    }

    func isManifestComplete(_ connection: MetadataConnection) throws(MetadataError) -> Bool {
        try connection.number("SELECT count(*) FROM meta WHERE key = 'manifest'") > 0
    }

    func clearManifest() throws(MetadataError) {
        record?.update { $0.hasManifest = false }
        try write { (connection, _) throws(MetadataError) in
            try connection.execute("DELETE FROM meta WHERE key = 'manifest'; DELETE FROM manifest")
        }
    }

    func completeManifest() throws(MetadataError) {
        try write { (connection, _) throws(MetadataError) in
            try connection.execute("INSERT OR REPLACE INTO meta VALUES ('manifest', CAST('complete' AS BLOB))")
        }
    }
}
