public import LinuxFiles

/// The database's rows, for who checks or converts a tree.
extension FakeRootTree {
    /// Hands over every label that is in the database, in the order of handles. The body may use the tree.
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

    /// Removes label and attributes of a file from the database; for one that is no more.
    public func removeRows(of file: FileHandle) throws(Errno) {
        guard mayRaiseModes else { throw .EROFS }
        guard let database = metadata.database else { return }
        try metadata.reporting { () throws(MetadataError) in try database.removeRows(file) }
    }

    /// Has SQLite look at the database's every page.
    /// - Returns: what is wrong, one line each; nothing if all is well or there is no database.
    public func databaseProblems() throws(Errno) -> [String] {
        guard let database = metadata.database else { return [] }
        return try metadata.reporting { () throws(MetadataError) in try database.integrityProblems() }
    }
}
