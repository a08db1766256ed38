internal import LinuxFiles
internal import Synchronization

/// A tree's database, found when the tree is opened, made when something must be stored that no extended attribute
/// carries; and what is known of it in memory, so that requests for all other files don't ask it.
final class MetadataStore: Sendable {
    private struct State {
        var database: MetadataDatabase?
        /// Of the last look at the database's version.
        var dataVersion: Int64 = 0
        /// The last thing that went wrong.
        var problem: MetadataError?
    }

    private let state = Mutex(State())
    let filters = RowFilters()
    /// In milliseconds, by the monotonic clock.
    private let lastLook = Atomic<UInt64>(0)
    /// Odd while another process' changes are being taken in.
    private let lookSequence = Atomic<UInt32>(0)
    /// What the last link of was removed while it may still be open.
    private let orphans = Mutex(Orphans())

    private let rootDescriptor: CInt
    let rootHandle: FileHandle
    let rootDevice: UInt64
    private let rootOwner: UInt32
    private let mayWrite: Bool
    private let makesDatabase: Bool

    /// How long another process' changes may stay unseen, in milliseconds.
    static let refreshInterval: UInt64 = 100

    /// - Parameters:
    ///   - root: of the tree; stays open as long as this is used.
    ///   - makesDatabase: whether one is made when something must be stored in it.
    init(root: CInt, mayWrite: Bool, makesDatabase: Bool) throws(MetadataError) {
        rootDescriptor = root
        self.mayWrite = mayWrite
        self.makesDatabase = makesDatabase
        do throws(Errno) {
            let status = try System.status(of: root)
            rootDevice = status.device
            rootOwner = status.uid
            // The root of one file system has the same handle as that of the next.
            let fileSystem = System.isMountRoot(root) ? try System.fileSystemStatus(of: root).id : nil
            rootHandle = try System.fileHandle(of: root, status, fileSystem: fileSystem)
        } catch {
            throw MetadataError(.system, "can't identify the tree's directory: \(error.text)", errno: error)
        }
        try state.withLock { state throws(MetadataError) in
            state.database = try find()
            try load(&state)
        }
    }

    // MARK: Finding and making

    var path: String? { state.withLock { $0.database?.path } }

    var problem: MetadataError? { state.withLock { $0.problem } }

    private var location: DatabaseLocation { DatabaseLocation(rootDescriptor, rootHandle) }

    private func find() throws(MetadataError) -> MetadataDatabase? {
        let location = location
        return try withParentLocked(location) { () throws(MetadataError) in
            if let sidecar = location.sidecar, let found = try open(sidecar) { return found }
            for name in location.neighbours where name != location.name {
                guard let parent = location.parent, isOurs("\(parent)/\(name)") else { continue }
                let path = mayWrite ? rename("\(parent)/\(name)", to: location) : "\(parent)/\(name)"
                if let found = try open(path) { return found }
            }
            // A home directory that this process may not look into, as after su, holds nothing of its own.
            guard let path = location.statePath, System.canLookUp(path) else { return nil }
            return try open(path)
        }
    }

    /// - Returns: nil if there is none, or it is another tree's.
    private func open(_ path: String) throws(MetadataError) -> MetadataDatabase? {
        do throws(Errno) {
            let file = try System.open(path, [.path, .noFollow])
            let status = try System.status(of: file.raw)
            guard status.format == .regular, isTrusted(status) else { return nil }
            // Left by a process that was killed before it had written anything.
            guard status.size > 0 else { return nil }
        } catch .ENOENT, .ELOOP, .ENOTDIR {
            return nil
        } catch {
            throw MetadataError(.system, "can't look at \(path): \(error.text)", errno: error)
        }
        let database: MetadataDatabase
        do throws(MetadataError) {
            // A reader that could write leaves no files beside it when it closes; one that can't, does.
            database = try MetadataDatabase(path, mayWrite || System.isWritable(path) ? .readWrite : .readOnly)
        } catch  where error.code == .blank {
            return nil
        } catch  where error.code == .system && !mayWrite {
            // The files beside it that readers share can't be made. Nobody writes to it then either.
            database = try MetadataDatabase(path, .immutable)
        }
        return try database.root == rootHandle ? database : nil
    }

    /// In a directory that anybody may write to, anybody can put a file of this name: labels are taken from the user's own
    /// database only, the tree's owner's, or root's.
    private func isTrusted(_ file: FileStatus) -> Bool {
        let isOwned = file.uid == System.effectiveUser || file.uid == rootOwner || file.uid == 0
        let worldWritable: UInt32 = 0o002
        return isOwned && file.mode & worldWritable == 0
    }

    /// Whether a neighbour's file is this tree's; what can't be read is not. The file is closed again.
    private func isOurs(_ path: String) -> Bool { ((try? open(path)) ?? nil) != nil }

    /// Gives the database of a renamed tree the tree's new name; later, if another process has it open now.
    /// - Returns: what it is called afterwards.
    private func rename(_ old: String, to location: DatabaseLocation) -> String {
        guard let new = location.sidecar, Self.makeSingleFile(old) else { return old }
        var path = new
        do throws(Errno) {
            try moveAside(new, location)
            try Self.renameFile(old, to: new)
        } catch {
            path = old
        }
        MetadataDatabase.setWriteAheadLog(path)
        return path
    }

    /// Prepares a database for its renaming: SQLite finds the files beside it by its name.
    private static func makeSingleFile(_ path: String) -> Bool {
        (try? MetadataDatabase(path, .readWrite))?.becomeSingleFile() ?? false
    }

    private static func renameFile(_ old: String, to new: String, replacing: Bool = false) throws(Errno) {
        let old = Array(old.utf8CString)
        let new = Array(new.utf8CString)
        try old.span.withUnsafeBufferPointer { (old) throws(Errno) in
            try new.span.withUnsafeBufferPointer { (new) throws(Errno) in
                guard let old = old.baseAddress, let new = new.baseAddress else { throw .EINVAL }
                try System.rename(
                    at: System.atCurrentDirectory,
                    old,
                    to: System.atCurrentDirectory,
                    new,
                    replacing: replacing
                )
            }
        }
    }

    /// Makes room for this tree's database where another tree's is. That one follows its tree if it is beside this one;
    /// else its tree has gone, and the last such database is kept, for whoever wants it back.
    private func moveAside(_ path: String, _ location: DatabaseLocation) throws(Errno) {
        guard let parent = location.parent, (try? System.open(path, [.path, .noFollow])) != nil else { return }
        guard Self.makeSingleFile(path) else { throw .EBUSY }
        let root = (try? MetadataDatabase(path, .readWrite).root) ?? nil
        if let root, let name = location.nameOfNeighbour(root) {
            try Self.renameFile(path, to: "\(parent)/.\(name)\(DatabaseLocation.suffix)")
        } else {
            try Self.renameFile(path, to: "\(path).old", replacing: true)
        }
    }

    /// Two processes must not look for one tree's database, make and rename it, at the same moment.
    private func withParentLocked<Result>(
        _ location: DatabaseLocation,
        _ body: () throws(MetadataError) -> Result
    ) throws(MetadataError) -> Result {
        guard mayWrite, let parent = location.parent,
            let directory = try? System.open(parent, [.readOnly, .directory])
        else { return try body() }
        // Whoever holds it longer holds it for another reason.
        _ = try? System.lock(directory.raw, milliseconds: 2000)
        defer { extendLifetime(directory) }
        return try body()
    }

    /// The database, made if need be.
    func create() throws(Errno) -> MetadataDatabase {
        guard mayWrite else { throw .EROFS }
        return try reporting { () throws(MetadataError) in
            try state.withLock { state throws(MetadataError) in
                if let database = state.database { return database }
                if let found = try find() {
                    state.database = found
                    try load(&state)
                    return found
                }
                guard makesDatabase else {
                    throw MetadataError(.system, "no database may be made for this directory", errno: .EOPNOTSUPP)
                }
                let location = location
                let made = try withParentLocked(location) { () throws(MetadataError) in
                    if let path = location.sidecar, let found = try open(path) { return found }
                    let path = try location.pathForNew()
                    if path == location.sidecar {
                        do throws(Errno) {
                            if try Self.isFilled(path) { try moveAside(path, location) }
                        } catch {
                            throw MetadataError(
                                .foreign,
                                "\(path) is in the way of this tree's metadata: \(error.text)",
                                hint: "Move the file away.",
                                errno: .EIO
                            )
                        }
                    }
                    return try MetadataDatabase(path, .create, root: rootHandle)
                }
                state.database = made
                try load(&state)
                return made
            }
        }
    }

    private static func isFilled(_ path: String) throws(Errno) -> Bool {
        do throws(Errno) {
            let file = try System.open(path, [.path, .noFollow])
            let status = try System.status(of: file.raw)
            return status.format != .regular || status.size > 0 && !MetadataDatabase.isBlank(path)
        } catch .ENOENT {
            return false
        }
    }

    /// After the tree's directory was renamed: lets the database follow.
    func followRename() throws(Errno) {
        try reporting { () throws(MetadataError) in
            try state.withLock { state throws(MetadataError) in
                guard state.database != nil else { return }
                state.database = nil
                state.database = try find()
                try load(&state)
            }
        }
    }

    /// Keeps what went wrong, for `problem`, and goes on with its errno.
    func reporting<Result>(_ body: () throws(MetadataError) -> Result) throws(Errno) -> Result {
        do throws(MetadataError) {
            return try body()
        } catch {
            state.withLock { $0.problem = error }
            throw error.errno
        }
    }

    // MARK: What is known in memory

    private func load(_ state: inout State) throws(MetadataError) {
        let database = state.database
        var version: Int64 = 0
        try filters.replace { () throws(MetadataError) in
            var sets = RowFilters.Sets()
            guard let database else { return sets }
            // Before the rows: what comes while they are read is seen at the next look. And it counts only if all were.
            version = try database.dataVersion
            try database.forEachHandle(
                label: { fingerprint, isSymlink in
                    if isSymlink { sets.symlinks.insert(fingerprint) } else { sets.nodes.insert(fingerprint) }
                },
                attribute: { sets.attributes.insert($0) }
            )
            if try database.isManifestComplete {
                sets.hasManifest = true
                for path in try database.pathsOfExpectations() { sets.expect(path) }
            }
            return sets
        }
        state.dataVersion = version
        lastLook.store(System.monotonicMilliseconds, ordering: .relaxed)
    }

    /// What there are rows of at all; looks for other processes' changes now and then.
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

    /// To be asked for before the rows of a file are, and given to `isUndisturbed` afterwards.
    var look: UInt32 { lookSequence.load(ordering: .acquiring) }

    /// Whether what was read since then is what a later reading gives as well, as far as other processes' changes go.
    func isUndisturbed(since look: UInt32) -> Bool { look & 1 == 0 && look == self.look }

    /// Takes in other processes' changes now, for whoever is about to change what it has read.
    func refreshNow() {
        guard database != nil else { return }
        refresh()
    }

    private func refresh() {
        lookSequence.wrappingAdd(1, ordering: .acquiringAndReleasing)
        defer { lookSequence.wrappingAdd(1, ordering: .acquiringAndReleasing) }
        _ = try? reporting { () throws(MetadataError) in
            try state.withLock { state throws(MetadataError) in
                if let database = state.database {
                    guard try database.dataVersion != state.dataVersion else { return }
                } else {
                    // Most trees have none: a look at two names is all that this may cost.
                    let location = location
                    let paths = [location.sidecar, location.statePath].compactMap(\.self)
                    guard paths.contains(where: { (try? System.open($0, [.path, .noFollow])) != nil }) else { return }
                    state.database = try find()
                    guard state.database != nil else { return }
                }
                try load(&state)
            }
        }
    }

    /// Reads anew what there are rows for.
    func reload() throws(Errno) {
        try reporting { () throws(MetadataError) in
            try state.withLock { state throws(MetadataError) in try load(&state) }
        }
    }

    /// Takes note of a removed row.
    func countRemoval() {
        // It is about memory only: the change itself has been made.
        if filters.countRemoval() { try? reload() }
    }

    /// The database, if there is one.
    var database: MetadataDatabase? { state.withLock { $0.database } }

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
