internal import LinuxFiles
internal import Synchronization
internal import SQLite

/// A tree's database, and what is known of it in memory, so that requests for all other files don't ask it. It is found when
/// the tree is opened, and made when something must be stored that no extended attribute can hold.
final class MetadataStore: Sendable {
    struct Options: Sendable {
        var mayWrite: Bool
        /// Whether one is made when something must be stored in it; false for a directory that may not be a tree's root.
        var makesDatabase: Bool
        /// Whether a database that has lost its content is taken as it is.
        var acceptsLoss: Bool
        /// The directories that clients reach.
        var exported: [DirectoryID]
        var warn: @Sendable (String) -> Void
    }

    private struct State {
        var database: MetadataDatabase?
        /// The last thing that went wrong.
        var problem: MetadataError?
    }

    /// Never held over a system call: every request for a file with rows asks it.
    private let state = Mutex(State())
    /// Held while a database is looked for, made or moved.
    let finding = Mutex<Void>(())
    let filters = RowFilters()
    /// In milliseconds, by the monotonic clock.
    private let lastLook = Atomic<UInt64>(0)
    /// How often a thread has begun to take in another process' changes, and how often that has ended. Several threads may do
    /// it at once.
    private let looksBegun = Atomic<UInt32>(0)
    private let looksEnded = Atomic<UInt32>(0)
    /// True while it is unknown whether another process has changed something.
    private let isBlind = Atomic<Bool>(false)
    let absence = Mutex<Absence?>(nil)
    private let reading = Mutex(Reading())
    /// Held while the rows are read: by one thread at a time.
    private let loading = Mutex<Void>(())
    /// Labels of removed files that may still be open.
    private let orphans = Mutex(Orphans())
    let told = Mutex(Told())

    let rootDescriptor: CInt
    let rootHandle: FileHandle
    let rootDevice: UInt64
    let options: Options
    let record: DatabaseRecord

    /// How long another process' changes may stay unseen, in milliseconds.
    static let refreshInterval: UInt64 = 100

    /// - Parameter root: of the tree; stays open as long as this is used.
    init(root: CInt, _ options: Options) throws(MetadataError) {
        rootDescriptor = root
        var options = options
        do throws(Errno) {
            let status = try System.status(of: root)
            rootDevice = status.device
            SQLiteFiles.trust(status.uid)
            options.exported.append(try DirectoryID(of: root))
            // The root of one file system has the same handle as that of the next.
            let fileSystem = System.isMountRoot(root) ? try System.fileSystemStatus(of: root).id : nil
            rootHandle = try System.fileHandle(of: root, status, fileSystem: fileSystem)
        } catch {
            throw MetadataError(.system, "can't identify the tree's directory: \(error.text)", errno: error)
        }
        self.options = options
        let location = DatabaseLocation(root, rootHandle, exported: Set(options.exported))
        record = DatabaseRecord(
            root: root,
            handle: rootHandle,
            mayWrite: options.mayWrite,
            beside: location.files
        )
        let found = try find(waitingAtMost: 2000)
        setDatabase(found)
        try load()
        try compareWithRecord(location)
        tellWaiting()
    }

    var path: String? { database?.path }

    var problem: MetadataError? { state.withLock { $0.problem } }

    /// The database, if there is one.
    var database: MetadataDatabase? { state.withLock { $0.database } }

    /// Takes another database, or none. The one before is closed after the lock was given back: SQLite may write to the
    /// disk then.
    func setDatabase(_ database: MetadataDatabase?) {
        let old = state.withLock { state in
            defer { state.database = database }
            return state.database
        }
        withExtendedLifetime(old) {}
    }

    struct Told {
        var lines: Set<String> = []
        /// Lines of a tree that is being opened: they may become a part of a failure.
        var waiting: [String]? = []
    }

    /// Says something to the user, once.
    func tell(_ line: String) {
        let isNow = told.withLock { told in
            guard told.lines.insert(line).inserted else { return false }
            told.waiting?.append(line)
            return told.waiting == nil
        }
        if isNow { options.warn(line) }
    }

    private func tellWaiting() {
        let lines = told.withLock { told in
            defer { told.waiting = nil }
            return told.waiting ?? []
        }
        for line in lines { options.warn(line) }
    }

    /// Forgets the last problem, so that `problem` says what goes wrong from now on.
    func forgetProblem() { state.withLock { $0.problem = nil } }

    /// Keeps an error for `problem`, says it once, and throws its errno.
    func reporting<Result>(_ body: () throws(MetadataError) -> Result) throws(Errno) -> Result {
        do throws(MetadataError) {
            return try body()
        } catch {
            state.withLock { $0.problem = error }
            tell(error.hint.isEmpty ? error.message : "\(error.message). \(error.hint)")
            throw error.errno
        }
    }

    // MARK: Finding and making

    var location: DatabaseLocation {
        DatabaseLocation(rootDescriptor, rootHandle, exported: Set(options.exported))
    }

    /// The database, made if need be.
    func create() throws(Errno) -> MetadataDatabase {
        guard options.mayWrite else { throw .EROFS }
        if let database, !database.isWithoutRoom { return database }
        return try reporting { () throws(MetadataError) in
            try finding.withLock { _ throws(MetadataError) in
                if let database, !database.isWithoutRoom { return database }
                // A request must not wait longer for another process.
                let found = try find(waitingAtMost: 50)
                let made = if let found { try withRoom(found) } else { try make(waitingAtMost: 50) }
                setDatabase(made)
                try load()
                return made
            }
        }
    }

    /// After the tree's directory was renamed: lets the database follow.
    func followRename() throws(Errno) {
        try reporting { () throws(MetadataError) in
            try finding.withLock { _ throws(MetadataError) in
                guard database != nil else { return }
                setDatabase(nil)
                let found = try find(waitingAtMost: 2000)
                setDatabase(found)
                try load()
                updateRecord()
            }
        }
    }

    // MARK: What is known in memory

    /// Reads what there are rows for, and brings the record up to date.
    func load() throws(MetadataError) {
        try loading.withLock { _ throws(MetadataError) in
            guard let database else { return try filters.replace { RowFilters.Sets() } }
            database.setOnOthersChange { [weak self] in self?.takeNote() }
            // Before the rows are read: the next look then shows what changes meanwhile.
            try database.startLooking()
            try filters.replace { () throws(MetadataError) in
                try database.read { (reader) throws(MetadataError) in try Self.rows(of: database, reader.connection) }
            }
        }
        lastLook.store(System.monotonicMilliseconds, ordering: .relaxed)
    }

    /// Only under `loading`.
    private func readRows(of database: MetadataDatabase) throws(MetadataError) {
        try filters.replace { () throws(MetadataError) in
            try database.withOwnConnection { (connection) throws(MetadataError) in
                try Self.rows(of: database, connection)
            }
        }
    }

    private static func rows(
        of database: MetadataDatabase,
        _ connection: MetadataConnection
    ) throws(MetadataError) -> RowFilters.Sets {
        var sets = RowFilters.Sets()
        try database.forEachHandle(
            connection,
            label: { fingerprint, isSymlink in
                if isSymlink { sets.symlinks.insert(fingerprint) } else { sets.nodes.insert(fingerprint) }
            },
            attribute: { sets.attributes.insert($0) }
        )
        if try database.isManifestComplete(connection) {
            sets.hasManifest = true
            for path in try database.pathsOfExpectations(connection) { sets.expect(path) }
        }
        return sets
    }

    /// Reads anew what there are rows for.
    func reload() throws(Errno) {
        try reporting { () throws(MetadataError) in
            try load()
            updateRecord()
        }
    }

    /// Takes note of a removed row.
    func countRemoval() {
        if filters.countRemoval() { readInBackground() }
    }

    // MARK: Other processes

    /// The kinds of rows that the database has; looks for other processes' changes now and then.
    var holds: RowFilters.Content {
        let now = System.monotonicMilliseconds
        let last = lastLook.load(ordering: .relaxed)
        if now &- last >= Self.refreshInterval,
            lastLook.compareExchange(expected: last, desired: now, ordering: .relaxed).exchanged
        {
            refresh()
        }
        return filters.content
    }

    /// A point in time, for `isUndisturbed`; nil while changes are being taken in.
    typealias Look = UInt32?

    /// The present moment; to be asked for before a file's rows are, and given to `isUndisturbed` afterwards.
    var look: Look {
        // `looksEnded` first: if `looksBegun` is the same afterwards, none was under way in between.
        let ended = looksEnded.load(ordering: .acquiring)
        return looksBegun.load(ordering: .acquiring) == ended ? ended : nil
    }

    /// Whether no other process' change was taken in since then, and none may be unknown: so a later reading gives the same.
    func isUndisturbed(since look: Look) -> Bool {
        look != nil && look == self.look && !isBlind.load(ordering: .acquiring)
    }

    /// Takes in other processes' changes now, for whoever is about to change what it has read.
    func refreshNow() {
        if database != nil { refresh() }
    }

    /// Never waits for a process or a thread that keeps the database locked.
    private func refresh() {
        looksBegun.wrappingAdd(1, ordering: .acquiringAndReleasing)
        defer { looksEnded.wrappingAdd(1, ordering: .acquiringAndReleasing) }
        guard let database else { return lookForDatabase() }
        if database.isWithoutRoom { return lookForRoom(database) }
        switch database.lookForChanges() {
        case .done: isBlind.store(false, ordering: .releasing)
        case .locked: isBlind.store(true, ordering: .releasing)
        case .writing:
            // For the second time: what others have written is read from the tables until it can be known. Without a log
            // reading them might mean to wait.
            guard isBlind.exchange(true, ordering: .acquiringAndReleasing), database.hasLog else { return }
            filters.markStale(hasManifest: filters.content.contains(.manifest))
            readInBackground()
        }
    }

    /// Another process has changed something. Called when the database has just been found unlocked.
    private func takeNote() {
        guard let database else { return }
        let hasManifest = (try? database.isManifestComplete) ?? filters.content.contains(.manifest)
        looksBegun.wrappingAdd(1, ordering: .acquiringAndReleasing)
        filters.markStale(hasManifest: hasManifest)
        looksEnded.wrappingAdd(1, ordering: .acquiringAndReleasing)
        record.readAgain()
        readInBackground()
    }

    private struct Reading {
        var isRunning = false
        var isWanted = false
    }

    /// Reads the rows anew on a thread of its own. Requests ask the tables meanwhile, for every file.
    private func readInBackground() {
        let isStarted = reading.withLock { reading in
            reading.isWanted = true
            defer { reading.isRunning = true }
            return reading.isRunning
        }
        guard !isStarted else { return }
        do throws(Errno) {
            try startThread { [weak self] in
                while let self, self.readOnce() {}
            }
        } catch {
            // Slower, but right: the next change tries again.
            reading.withLock { $0.isRunning = false }
        }
    }

    /// - Returns: whether it is to be called again.
    private func readOnce() -> Bool {
        let isWanted = reading.withLock { reading in
            defer { reading.isWanted = false }
            reading.isRunning = reading.isWanted
            return reading.isWanted
        }
        guard isWanted else { return false }
        guard let database else { return true }
        let start = System.monotonicMilliseconds
        _ = try? reporting { () throws(MetadataError) in
            try loading.withLock { _ throws(MetadataError) in try readRows(of: database) }
        }
        // A process that writes all the time must not keep this one reading all the time.
        let pause = min(5000, 50 + 10 * (System.monotonicMilliseconds - start))
        _ = Monitor(()).wait(seconds: Double(pause) / 1000) { _ in nil as Void? }
        return true
    }

    // MARK: Removed files that are still open

    private struct Orphans {
        var labels: [FileHandle: Label] = [:]
        var order: [FileHandle] = []
    }

    private static let maxOrphans = 1024

    /// Keeps in memory what a removed file is for those who have it open.
    func keepOrphan(_ file: FileHandle, _ label: Label) {
        orphans.withLock {
            if $0.labels.updateValue(label, forKey: file) == nil { $0.order.append(file) }
            if $0.order.count > Self.maxOrphans { $0.labels[$0.order.removeFirst()] = nil }
        }
    }

    func orphan(_ file: FileHandle) -> Label? { orphans.withLock { $0.labels[file] } }

    var hasOrphans: Bool { orphans.withLock { !$0.order.isEmpty } }
}
