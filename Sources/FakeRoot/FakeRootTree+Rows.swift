public import LinuxFiles

/// The database's rows, for checking or converting a tree.
extension FakeRootTree {
    /// Hands over every label that is in the database, in the order of handles. The body may use the tree.
    /// - Throws: what the database gives; what `body` throws.
    public func forEachLabelRow(_ body: (FileHandle, Label) throws(Errno) -> Void) throws(Errno) {
        guard let database = metadata.database else { return }
        var last: [UInt8]?
        while true {
            let rows = try metadata.reporting { () throws(MetadataError) in
                try database.labels(after: last, limit: 256)
            }
            guard let end = rows.last else { return }
            last = end.0.withBytes { Array($0) }
            for (file, label) in rows { try body(file, label) }
        }
    }

    /// Hands over every attribute that is in the database. The body may use the tree.
    /// - Throws: what the database gives; what `body` throws.
    public func forEachAttributeRow(_ body: (AttributeRow) throws(Errno) -> Void) throws(Errno) {
        guard let database = metadata.database else { return }
        var last: (handle: [UInt8], name: [UInt8])?
        while true {
            let rows = try metadata.reporting { () throws(MetadataError) in
                try database.attributes(after: last, limit: 64)
            }
            guard let end = rows.last else { return }
            last = (end.file.withBytes { Array($0) }, end.name)
            for row in rows { try body(row) }
        }
    }

    /// Removes label and attributes of a file that is gone from the database.
    /// - Throws: `EROFS` for a tree that is only read; what the database gives.
    public func removeRows(of file: FileHandle) throws(Errno) {
        guard mayRaiseModes else { throw .EROFS }
        guard let database = metadata.database else { return }
        try metadata.reporting { () throws(MetadataError) in try database.removeRows(file) }
    }

    /// Has SQLite look at the database's every page, and compares every row with its checksum.
    /// - Returns: what is wrong, one line each; nothing if all is well or there is no database.
    /// - Throws: what the database gives if it can't be searched.
    public func databaseProblems() throws(Errno) -> [String] {
        guard let database = metadata.database else { return [] }
        return try metadata.reporting { () throws(MetadataError) in try database.problems() ?? [] }
    }

    /// Forgets the last problem, so that `databaseProblem` says what goes wrong from now on.
    public func forgetDatabaseProblem() { metadata.forgetProblem() }

    /// How long the check may delay the opening of a tree, in milliseconds; and the largest file that is checked then, in
    /// bytes: SQLite doesn't stop in the middle of a table.
    private static let startTime: UInt64 = 8
    private static let startSize: UInt64 = 512 << 10

    /// - Throws: `.corrupt` if something is found within a few milliseconds; later, it is a warning.
    func checkDatabase() throws(MetadataError) {
        guard let database = metadata.database else { return }
        let size = ((try? database.file.status) ?? nil)?.size ?? 0
        if size <= Self.startSize, let problems = try database.problems(milliseconds: Self.startTime) {
            guard let first = problems.first else { return }
            throw database.damage(first)
        }
        let warn = warn
        // Without the thread only `check` finds it.
        try? startThread {
            // Once the server has begun to serve.
            _ = Monitor(()).wait(seconds: 0.5) { _ in nil as Void? }
            do throws(MetadataError) {
                guard let first = try database.problems()?.first else { return }
                throw database.damage(first)
            } catch {
                warn(error.description)
            }
        }
    }

    /// Writes a file and what the database has of it to the disk.
    /// - Parameter dataOnly: leaves out what the host's file system can do without; the label is always written.
    /// - Throws: as `fsync(2)`; what the database gives.
    ///
    /// The corresponding C functions are `fsync` and `fdatasync`.
    public func synchronize(_ descriptor: CInt, dataOnly: Bool) throws(Errno) {
        try System.synchronize(descriptor, dataOnly: dataOnly)
        guard let database = metadata.database else { return }
        try metadata.reporting { () throws(MetadataError) in try database.synchronize() }
    }

    /// Forgets that there was a database. To be called before it is removed.
    public func forgetDatabase() { metadata.record.remove() }

    /// What SQLite and this program add to a database's name for files that lie beside it.
    public static let databaseCompanions = DatabaseFile.companions + [DatabaseRecord.suffix]
}

extension MetadataDatabase {
    fileprivate func damage(_ what: String) -> MetadataError {
        MetadataError(
            .corrupt,
            "the metadata database \(path) is damaged: \(what)",
            hint: "Restore the file from a backup. Without it labels that no extended attribute holds are lost.",
            errno: .EIO
        )
    }
}
