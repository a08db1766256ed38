internal import LinuxFiles
internal import Synchronization
internal import SQLite

/// The tables beside a tree: labels and attributes that no extended attribute holds, and the import's manifest.
///
/// Files are named by their handles, never by an inode number alone. One connection reads and another writes, each under
/// its own lock: a reader doesn't wait for a writer that waits for another process. Other processes may have theirs at the same
/// time.
final class MetadataDatabase: @unchecked Sendable {  // what connections and statements do is done under their locks
    let file: DatabaseFile
    /// Whether readers and a writer don't exclude each other.
    let hasLog: Bool
    /// The version of the tables when they were opened.
    let version: Int64
    private let readLock = Mutex<Void>(())
    private let writeLock = Mutex<Void>(())
    private let reader: Reader
    private let writer: Writer
    /// Outside of the database: what it holds.
    let record: DatabaseRecord?
    /// How it was opened.
    private let access: SQLiteAccess
    /// Whether it is only read because the disk had no room for the files beside it. See `MetadataStore.lookForRoom`.
    let isWithoutRoom: Bool
    /// Called under `writeLock` when another process has changed something.
    private let onOthersChange = Mutex<(@Sendable () -> Void)?>(nil)
    private var dataVersion: Int64 = 0
    /// Whether something was written since the log was last on the disk.
    private let isUnsynchronized = Atomic<Bool>(false)

    /// The frequent queries, prepared once.
    final class Reader {
        let connection: MetadataConnection
        let node: MetadataStatement
        let attribute: MetadataStatement
        let attributeNames: MetadataStatement
        let entry: MetadataStatement

        init(_ connection: MetadataConnection, _ version: Int64) throws(MetadataError) {
            let isNodeRight = RowSum.isRight(RowSum.node, version: version)
            let isAttributeRight = RowSum.isRight(RowSum.attribute, version: version)
            let isEntryRight = RowSum.isRight(RowSum.manifest, version: version)
            let node = try connection.prepare(
                "SELECT uid, gid, mode, kind, host_mode, \(isNodeRight) FROM node WHERE handle = ?1"
            )
            let attribute = try connection.prepare(
                "SELECT value, \(isAttributeRight) FROM attribute WHERE handle = ?1 AND name = ?2"
            )
            let names = try connection.prepare("SELECT name FROM attribute WHERE handle = ?1 ORDER BY name")
            let entry = try connection.prepare(
                "SELECT \(Manifest.columns), \(isEntryRight) FROM manifest WHERE path = ?1"
            )
            // Last: an object whose fields can't be copied must not be half made when an error is thrown.
            self.connection = connection
            self.node = node
            self.attribute = attribute
            self.attributeNames = names
            self.entry = entry
        }
    }

    final class Writer {
        let connection: MetadataConnection
        let version: MetadataStatement
        private let mayWrite: Bool
        private var prepared: Changes?

        init(_ connection: MetadataConnection, mayWrite: Bool) throws(MetadataError) {
            let version = try connection.prepare("PRAGMA data_version")
            self.connection = connection
            self.version = version
            self.mayWrite = mayWrite
        }

        /// Nil if nothing may be written. The first change brings the tables up to date; a process that only reads leaves them
        /// as they are for an earlier release that may have them open.
        var changes: Changes? {
            get throws(MetadataError) {
                guard mayWrite else { return nil }
                if let prepared { return prepared }
                if try connection.number("PRAGMA user_version") < DatabaseSchema.version {
                    try DatabaseSchema.bringUpToDate(connection)
                }
                let changes = try Changes(connection)
                prepared = changes
                return changes
            }
        }
    }

    final class Changes {
        let node: MetadataStatement
        let removeNode: MetadataStatement
        let attribute: MetadataStatement
        let removeAttribute: MetadataStatement
        let removeAttributes: MetadataStatement
        let entry: MetadataStatement
        let anyRow: MetadataStatement

        init(_ connection: MetadataConnection) throws(MetadataError) {
            let node = try connection.prepare(
                "INSERT OR REPLACE INTO node VALUES (?1, ?2, ?3, ?4, ?5, ?6, row_sum(?1, ?2, ?3, ?4, ?5, ?6))"
            )
            let removeNode = try connection.prepare("DELETE FROM node WHERE handle = ?1")
            let attribute = try connection.prepare(
                "INSERT OR REPLACE INTO attribute VALUES (?1, ?2, ?3, row_sum(?1, ?2, ?3))"
            )
            let removeAttribute = try connection.prepare("DELETE FROM attribute WHERE handle = ?1 AND name = ?2")
            let removeAttributes = try connection.prepare("DELETE FROM attribute WHERE handle = ?1")
            let values = (1...12).map { "?\($0)" }.joined(separator: ",")
            let entry = try connection.prepare(
                "INSERT OR REPLACE INTO manifest (\(Manifest.columns), sum) VALUES (\(values), row_sum(\(values)))"
            )
            let anyRow = try connection.prepare("SELECT 1 FROM node UNION ALL SELECT 1 FROM attribute LIMIT 1")
            self.node = node
            self.removeNode = removeNode
            self.attribute = attribute
            self.removeAttribute = removeAttribute
            self.removeAttributes = removeAttributes
            self.entry = entry
            self.anyRow = anyRow
        }
    }

    /// How long a file that is not known to be ours may keep this process busy.
    static let strangersTime: UInt64 = 500

    /// Opens a database that is there.
    /// - Parameter root: the handle of the tree's directory.
    /// - Returns: nil if it is another tree's.
    /// - Throws: `.foreign` for a later version or another program's file.
    static func open(
        _ file: DatabaseFile,
        _ access: SQLiteAccess,
        root: FileHandle,
        mayChange: Bool = false,
        isWithoutRoom: Bool = false,
        record: DatabaseRecord? = nil
    ) throws(MetadataError) -> MetadataDatabase? {
        let connection = try MetadataConnection(file, access, milliseconds: strangersTime)
        connection.setBusyTimeout(milliseconds: 2000)
        let version = try DatabaseSchema.verify(connection, of: file)
        guard try Self.root(of: connection) == root else { return nil }
        return try MetadataDatabase(
            file,
            connection,
            access,
            version,
            mayChange: mayChange,
            isWithoutRoom: isWithoutRoom,
            record
        )
    }

    private convenience init(
        _ file: DatabaseFile,
        _ first: MetadataConnection,
        _ access: SQLiteAccess,
        _ version: Int64,
        mayChange: Bool,
        isWithoutRoom: Bool,
        _ record: DatabaseRecord?
    ) throws(MetadataError) {
        first.setWorkLimit(.none)
        // A log is written to the disk at checkpoints, and when a client asks for it. A journal has no such choice.
        let isLog = try first.text("PRAGMA journal_mode") == "wal"
        if isLog { try first.execute("PRAGMA synchronous = NORMAL") }
        let second = try MetadataConnection(file, access, milliseconds: Self.strangersTime)
        second.setWorkLimit(.none)
        second.setBusyTimeout(milliseconds: 1000)
        first.setBusyTimeout(milliseconds: 5000)
        let writer = try Writer(first, mayWrite: mayChange)
        let reader = try Reader(second, version)
        self.init(file, reader, writer, access, version, record, hasLog: isLog, isWithoutRoom: isWithoutRoom)
    }

    private init(
        _ file: DatabaseFile,
        _ reader: Reader,
        _ writer: Writer,
        _ access: SQLiteAccess,
        _ version: Int64,
        _ record: DatabaseRecord?,
        hasLog: Bool,
        isWithoutRoom: Bool
    ) {
        self.access = access
        self.isWithoutRoom = isWithoutRoom
        self.hasLog = hasLog
        self.file = file
        self.reader = reader
        self.writer = writer
        self.version = version
        self.record = record
    }

    var path: String { file.path }

    /// Whether an earlier release, without checksums, may have it open, too: until somebody brings the tables up to date.
    var isOfFirstVersion: Bool {
        guard version < 2 else { return false }
        return
            (try? read { (reader) throws(MetadataError) in
                try reader.connection.number("PRAGMA user_version") < 2
            }) ?? true
    }

    // MARK: Reading and writing

    func read<Result>(_ body: (Reader) throws(MetadataError) -> Result) throws(MetadataError) -> Result {
        try readLock.withLock { _ throws(MetadataError) in try body(reader) }
    }

    /// - Throws: `.system` with `EROFS` if it was opened for reading, with `ENOSPC` if that was for lack of room.
    func write<Result>(
        _ body: (MetadataConnection, Changes) throws(MetadataError) -> Result
    ) throws(MetadataError) -> Result {
        try writeLock.withLock { _ throws(MetadataError) in
            guard let changes = try writer.changes else {
                if isWithoutRoom { throw noRoom }
                throw MetadataError(.system, "the metadata database \(path) is only read", errno: .EROFS)
            }
            try look()
            let result = try body(writer.connection, changes)
            isUnsynchronized.store(true, ordering: .releasing)
            return result
        }
    }

    var noRoom: MetadataError {
        MetadataError(
            .system,
            "the metadata database \(path): its disk is full",
            hint: "Make room on the disk.",
            errno: .ENOSPC
        )
    }

    /// As `write`, for removing labels and attributes: once the last row has gone the record must not say that there are rows,
    /// even if the process is killed.
    func remove<Result>(
        _ body: (MetadataConnection, Changes) throws(MetadataError) -> Result
    ) throws(MetadataError) -> Result {
        try write { (connection, changes) throws(MetadataError) in
            try connection.transaction { () throws(MetadataError) in
                let result = try body(connection, changes)
                defer { changes.anyRow.reset() }
                if try !changes.anyRow.step() { record?.update { $0.rows = 0 } }
                return result
            }
        }
    }

    /// To be called after a row was written. Best effort: the row is there, and the next one tries again.
    func recordRows() {
        guard let record, record.content?.rows ?? 0 == 0 else { return }
        // The row must be on the disk first: after a power failure the record must not say more than there is.
        guard (try? synchronize(evenIfClean: true)) != nil else { return }
        // Somebody may have removed the row meanwhile; the lock keeps it there while this looks.
        _ = try? writeLock.withLock { _ throws(MetadataError) in
            guard let changes = try writer.changes else { return }
            try writer.connection.transaction { () throws(MetadataError) in
                defer { changes.anyRow.reset() }
                guard try changes.anyRow.step() else { return }
                // The tables may have been brought up to date just now: then the list is recorded for the first time.
                let hasManifest = try isManifestComplete(writer.connection)
                record.update { content in
                    content.rows = max(content.rows, 1)
                    content.hasManifest = content.hasManifest || hasManifest
                }
            }
        }
    }

    /// Another connection to the file, for long work.
    func withOwnConnection<Result>(
        _ body: (MetadataConnection) throws(MetadataError) -> Result
    ) throws(MetadataError) -> Result {
        let isImmutable = if case .immutable = access { true } else { false }
        let connection = try MetadataConnection(
            file,
            isImmutable ? .immutable : .readOnly,
            milliseconds: Self.strangersTime
        )
        connection.setWorkLimit(.none)
        return try body(connection)
    }

    // MARK: Other processes

    func setOnOthersChange(_ body: @escaping @Sendable () -> Void) { onOthersChange.withLock { $0 = body } }

    /// Only under `writeLock`. The writing connection's data_version does not move with its own changes.
    private func look() throws(MetadataError) {
        defer { writer.version.reset() }
        guard try writer.version.step() else { return }
        let found = writer.version.number(0)
        guard found != dataVersion else { return }
        dataVersion = found
        onOthersChange.withLock { $0 }?()
    }

    enum Look {
        /// All is known; `onOthersChange` has been called if there was something.
        case done
        /// A thread of this process writes, or waits for another process to end.
        case writing
        /// Another process keeps readers out.
        case locked
    }

    /// Looks for other processes' changes, without waiting.
    func lookForChanges() -> Look {
        writeLock.withLockIfAvailable { _ in
            writer.connection.setBusyTimeout(milliseconds: 0)
            defer { writer.connection.setBusyTimeout(milliseconds: 5000) }
            return (try? look()) == nil ? .locked : .done
        } ?? .writing
    }

    /// Takes the present state for known: what others change from now on is reported.
    func startLooking() throws(MetadataError) {
        try writeLock.withLock { _ throws(MetadataError) in
            defer { writer.version.reset() }
            if try writer.version.step() { dataVersion = writer.version.number(0) }
        }
    }

    // MARK: The disk

    /// Whether something was stored that a power failure may take away.
    var hasUnsynchronizedChanges: Bool { isUnsynchronized.load(ordering: .acquiring) }

    /// Writes all that was stored to the disk.
    /// - Parameter evenIfClean: also if this process has written nothing since.
    func synchronize(evenIfClean: Bool = false) throws(MetadataError) {
        guard isUnsynchronized.exchange(false, ordering: .acquiringAndReleasing) || evenIfClean else { return }
        do throws(Errno) {
            // Not the database itself: closing it would take SQLite's locks away. What has left the log is on the disk, and
            // without a log every change is.
            let log = file.with("-wal")
            guard try log.status != nil else { return }
            let opened = try log.open(.readOnly)
            try System.synchronize(opened.raw, dataOnly: true)
            let directory = try System.open(at: file.directory.descriptor.raw, ".", [.readOnly, .directory])
            try System.synchronizeDirectory(directory.raw)
        } catch {
            isUnsynchronized.store(true, ordering: .releasing)
            throw MetadataError(.system, "can't write \(path)-wal to the disk: \(error.text)", errno: error)
        }
    }
}
