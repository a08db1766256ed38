public import LinuxFiles

/// Writes the list of what an import has made, entry by entry. It counts from `commit` on.
///
/// For one thread. The database it goes to lies beside the tree's directory as it is called now; `followRename` moves
/// it when the directory has its own name.
public final class ManifestWriter {
    private let tree: FakeRootTree
    /// Nil after `commit`: an open one can't be renamed along with the tree.
    private var database: MetadataDatabase?
    private var waiting: [Manifest.Row] = []

    /// Rows that are kept in memory until they are written as one.
    private static let batch = 512

    fileprivate init(_ tree: FakeRootTree, _ database: MetadataDatabase) {
        self.tree = tree
        self.database = database
    }

    /// Adds a file, or replaces what was said of its path before.
    /// - Parameters:
    ///   - entry: with a complete status.
    ///   - descriptor: of the file itself, O_PATH is enough. It tells the file from one that takes its place later.
    /// - Throws: `EBADF` after `commit`; as `FakeRootTree.handle`; what the database gives.
    public func append(_ entry: ManifestEntry, of descriptor: CInt) throws(Errno) {
        waiting.append(Manifest.Row(entry: entry, file: try tree.handle(of: descriptor)))
        if waiting.count >= Self.batch { try flush() }
    }

    /// Forgets a path, because the import has removed it or put something else there.
    /// - Throws: `EBADF` after `commit`; what the database gives.
    public func remove(_ path: [UInt8]) throws(Errno) {
        try flush()
        try write { (database) throws(MetadataError) in try database.removeEntry(path, beneath: true) }
    }

    /// Changes what was said of a file's content under each of its names.
    /// - Parameters:
    ///   - descriptor: of the file itself, O_PATH is enough.
    ///   - entry: for its size, time and hash.
    /// - Throws: `EBADF` after `commit`; as `FakeRootTree.handle`; what the database gives.
    public func setContent(of descriptor: CInt, as entry: ManifestEntry) throws(Errno) {
        let file = try tree.handle(of: descriptor)
        try flush()
        try write { (database) throws(MetadataError) in try database.setContent(of: file, as: entry) }
    }

    private func write(_ body: (MetadataDatabase) throws(MetadataError) -> Void) throws(Errno) {
        guard let database else { throw .EBADF }
        try tree.metadata.reporting { () throws(MetadataError) in try body(database) }
    }

    private func flush() throws(Errno) {
        guard !waiting.isEmpty else { return }
        let rows = waiting
        try write { (database) throws(MetadataError) in try database.setEntries(rows) }
        waiting.removeAll(keepingCapacity: true)
    }

    /// Writes what is left, and lets the list count from now on.
    /// - Throws: `EBADF` if it was called before; what the database gives.
    public func commit() throws(Errno) {
        try flush()
        try write { (database) throws(MetadataError) in try database.completeManifest() }
        database = nil
        try tree.metadata.reload()
    }
}

extension FakeRootTree {
    /// Begins a new manifest in the place of the old one, if there is one. Makes the database.
    /// - Throws: `EROFS` for a tree that is only read; `EOPNOTSUPP` for one opened with
    ///   `makesDatabase: false`; what the database gives.
    public func makeManifestWriter() throws(Errno) -> ManifestWriter {
        let database = try metadata.create()
        try metadata.reporting { () throws(MetadataError) in try database.clearManifest() }
        try metadata.reload()
        return ManifestWriter(self, database)
    }

    /// Whether an import has left its list of files.
    public var hasManifest: Bool { metadata.holds.contains(.manifest) }

    /// What is expected at a path, which is relative to the root; nil if the import knows nothing of it.
    /// - Throws: what the database gives.
    public func manifestEntry(_ path: [UInt8]) throws(Errno) -> ManifestEntry? {
        guard hasManifest, let database = metadata.database else { return nil }
        return try metadata.reporting { () throws(MetadataError) in try database.entry(path)?.entry }
    }

    /// Hands over all entries, sorted by path, byte by byte.
    /// - Parameter body: gets also the handle of the file that was there when the entry was last written. It may use
    ///   the tree.
    /// - Throws: `.database` with what the database gives, `.body` with what `body` throws.
    public func forEachManifestEntry<Failure: Error>(
        _ body: (ManifestEntry, FileHandle?) throws(Failure) -> Void
    ) throws(ManifestFailure<Failure>) {
        guard hasManifest, let database = metadata.database else { return }
        var last: [UInt8]?
        while true {
            let rows: [Manifest.Row]
            do throws(Errno) {
                rows = try metadata.reporting { () throws(MetadataError) in
                    try database.entries(after: last, limit: 256)
                }
            } catch {
                throw .database(error)
            }
            guard let end = rows.last else { return }
            last = end.entry.path
            for row in rows {
                do throws(Failure) {
                    try body(row.entry, row.file)
                } catch {
                    throw .body(error)
                }
            }
        }
    }

    /// Lets the database follow the tree's directory, which has been renamed. Costs nothing where there is none; done
    /// when a tree is opened, too.
    /// - Throws: what the database gives.
    public func followRename() throws(Errno) { try metadata.followRename() }
}

/// Why going through the manifest ended early.
public enum ManifestFailure<Failure: Error>: Error {
    case database(Errno)
    case body(Failure)
}
