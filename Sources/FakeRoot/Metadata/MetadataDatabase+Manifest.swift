internal import LinuxFiles
internal import Synchronization

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
    private static func row(_ statement: borrowing SQLiteStatement) -> Manifest.Row? {
        guard let status = label(statement, 2, hasHostMode: false) else { return nil }
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

    private func write(_ row: Manifest.Row) throws(MetadataError) {
        let entry = row.entry
        statements.writeEntry.bind(1, entry.path)
        if let file = row.file { statements.writeEntry.bind(2, file) } else { statements.writeEntry.bindNull(2) }
        statements.writeEntry.bind(3, entry.status.uid)
        statements.writeEntry.bind(4, entry.status.gid)
        statements.writeEntry.bind(5, entry.status.mode)
        statements.writeEntry.bind(6, text: (entry.status.kind ?? .file).labelText)
        statements.writeEntry.bind(7, Int64(bitPattern: entry.size))
        statements.writeEntry.bind(8, entry.modificationTime.seconds)
        statements.writeEntry.bind(9, entry.modificationTime.nanoseconds)
        statements.writeEntry.bind(10, entry.hash)
        statements.writeEntry.bind(11, entry.linkTarget)
        statements.writeEntry.bind(12, entry.capability)
        try statements.writeEntry.run(connection)
    }

    func setEntries(_ rows: [Manifest.Row]) throws(MetadataError) {
        try lock.withLock { _ throws(MetadataError) in
            try connection.transaction { () throws(MetadataError) in
                for row in rows { try write(row) }
            }
        }
    }

    /// Notes which file is at a row's path now, unless somebody else has changed the row meanwhile.
    func setFile(_ file: FileHandle, of row: Manifest.Row) throws(MetadataError) {
        try lock.withLock { _ throws(MetadataError) in
            let statement = try connection.prepare("UPDATE manifest SET handle = ?2 WHERE path = ?1 AND handle IS ?3")
            statement.bind(1, row.entry.path)
            statement.bind(2, file)
            if let old = row.file { statement.bind(3, old) } else { statement.bindNull(3) }
            try statement.run(connection)
        }
    }

    /// Notes a file's new content in the rows of all its names.
    func setContent(of file: FileHandle, as entry: ManifestEntry) throws(MetadataError) {
        try lock.withLock { _ throws(MetadataError) in
            let statement = try connection.prepare(
                "UPDATE manifest SET size = ?2, mtime = ?3, mtime_ns = ?4, hash = ?5 WHERE handle = ?1 AND hash IS NOT ?5"
            )
            statement.bind(1, file)
            statement.bind(2, Int64(bitPattern: entry.size))
            statement.bind(3, entry.modificationTime.seconds)
            statement.bind(4, entry.modificationTime.nanoseconds)
            statement.bind(5, entry.hash)
            try statement.run(connection)
        }
    }

    func entry(_ path: [UInt8]) throws(MetadataError) -> Manifest.Row? {
        try lock.withLock { _ throws(MetadataError) in
            defer { statements.readEntry.reset() }
            statements.readEntry.bind(1, path)
            guard try statements.readEntry.step(connection) else { return nil }
            guard let row = Self.row(statements.readEntry) else { throw damaged("manifest") }
            return row
        }
    }

    /// Up to `limit` rows after a path, in the order of paths, byte by byte.
    func entries(after last: [UInt8]?, limit: Int) throws(MetadataError) -> [Manifest.Row] {
        try lock.withLock { _ throws(MetadataError) in
            let statement = try connection.prepare(
                "SELECT \(Manifest.columns) FROM manifest WHERE ?1 IS NULL OR path > ?1 ORDER BY path LIMIT ?2"
            )
            statement.bind(1, last)
            statement.bind(2, Int64(limit))
            return try rows(statement)
        }
    }

    /// The rows that name this file: several for one with several names.
    func entries(of file: FileHandle) throws(MetadataError) -> [Manifest.Row] {
        try lock.withLock { _ throws(MetadataError) in
            let statement = try connection.prepare("SELECT \(Manifest.columns) FROM manifest WHERE handle = ?1")
            statement.bind(1, file)
            return try rows(statement)
        }
    }

    /// The paths of files that a plain host file can't show: by their kind, owner, mode or capability.
    /// - Parameter top: only this path and those beneath it.
    func pathsOfExpectations(beneath top: [UInt8]? = nil) throws(MetadataError) -> [[UInt8]] {
        try lock.withLock { _ throws(MetadataError) in
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
            if let top {
                statement.bind(1, top)
                statement.bind(2, top + [UInt8(ascii: "/")])
                statement.bind(3, top + [UInt8(ascii: "/") + 1])
            }
            var paths: [[UInt8]] = []
            while try statement.step(connection) { paths.append(statement.bytes(0)) }
            return paths
        }
    }

    private func rows(_ statement: borrowing SQLiteStatement) throws(MetadataError) -> [Manifest.Row] {
        var rows: [Manifest.Row] = []
        while try statement.step(connection) {
            guard let row = Self.row(statement) else { throw damaged("manifest") }
            rows.append(row)
        }
        return rows
    }

    /// Forgets a path, and with `beneath` all that is below.
    func removeEntry(_ path: [UInt8], beneath: Bool) throws(MetadataError) {
        try lock.withLock { _ throws(MetadataError) in
            let condition = beneath ? "path = ?1 OR path > ?2 AND path < ?3" : "path = ?1"
            let statement = try connection.prepare("DELETE FROM manifest WHERE \(condition)")
            statement.bind(1, path)
            if beneath {
                statement.bind(2, path + [UInt8(ascii: "/")])
                statement.bind(3, path + [UInt8(ascii: "/") + 1])
            }
            try statement.run(connection)
        }
    }

    /// Follows a file or directory that got another name; what was expected there is forgotten.
    func moveEntries(from old: [UInt8], to new: [UInt8]) throws(MetadataError) {
        try lock.withLock { _ throws(MetadataError) in
            try connection.transaction { () throws(MetadataError) in
                let clear = try connection.prepare("DELETE FROM manifest WHERE path = ?1 OR path > ?2 AND path < ?3")
                clear.bind(1, new)
                clear.bind(2, new + [UInt8(ascii: "/")])
                clear.bind(3, new + [UInt8(ascii: "/") + 1])
                try clear.run(connection)
                let move = try connection.prepare(
                    """
                    UPDATE manifest SET path = CAST(?4 || substr(path, ?5) AS BLOB)
                    WHERE path = ?1 OR path > ?2 AND path < ?3
                    """
                )
                move.bind(1, old)
                move.bind(2, old + [UInt8(ascii: "/")])
                move.bind(3, old + [UInt8(ascii: "/") + 1])
                move.bind(4, new)
                move.bind(5, Int64(old.count + 1))
                try move.run(connection)
            }
        }
    }

    /// Whether an import has written its list to the end.
    var isManifestComplete: Bool {
        get throws(MetadataError) {
            try lock.withLock { _ throws(MetadataError) in
                try connection.number("SELECT count(*) FROM meta WHERE key = 'manifest'") > 0
            }
        }
    }

    func clearManifest() throws(MetadataError) {
        try lock.withLock { _ throws(MetadataError) in
            try connection.execute("DELETE FROM meta WHERE key = 'manifest'; DELETE FROM manifest")
        }
    }

    func completeManifest() throws(MetadataError) {
        try lock.withLock { _ throws(MetadataError) in
            try connection.execute("INSERT OR REPLACE INTO meta VALUES ('manifest', CAST('complete' AS BLOB))")
        }
    }
}

extension MetadataDatabase {
    /// Whether there is a row for a path, or beneath.
    func hasEntries(_ path: [UInt8]) throws(MetadataError) -> Bool {
        try lock.withLock { _ throws(MetadataError) in
            let statement = try connection.prepare(
                "SELECT 1 FROM manifest WHERE path = ?1 OR path > ?2 AND path < ?3 LIMIT 1"
            )
            statement.bind(1, path)
            statement.bind(2, path + [UInt8(ascii: "/")])
            statement.bind(3, path + [UInt8(ascii: "/") + 1])
            return try statement.step(connection)
        }
    }
}
