internal import LinuxFiles
internal import Synchronization

/// The descriptors that all sessions of a server keep for fids.
///
/// A fid holds its file by a descriptor; clients keep tens of thousands of fids, and processes may have few
/// descriptors. When those run out, fids that aren't open are parked: they give their descriptor up and remember a path.
/// Those of open files can't be had back, so no session may open as many as there are.
final class DescriptorPool: Sendable {
    /// How many descriptors there may be; a walk that needs one more parks some first.
    let limit: Int
    private let held = Atomic<Int>(0)
    /// Fids of all sessions that stand on open files and directories.
    private let opened = Atomic<Int>(0)
    private let tables = Mutex<[ObjectIdentifier: WeakTable]>([:])
    /// Held while paths are taken down, used or changed, so that none is overtaken by a rename.
    private let paths = Mutex<Void>(())

    private struct WeakTable {
        weak var table: FidTable?
    }

    init(limit: Int) {
        self.limit = limit
    }

    func add() {
        held.add(1, ordering: .relaxed)
    }

    func subtract() {
        held.subtract(1, ordering: .relaxed)
    }

    /// An open fid keeps two descriptors: its own, and its node's.
    private static let descriptorsPerOpenFid = 2
    /// A session may have so many times as many files open as it leaves to others: alone it gets seven eighths of the
    /// pool, the next one seven eighths of the rest.
    private static let greed = 7

    /// - Parameter own: how many fids of the session are open.
    /// - Returns: false if that is its share.
    func mayOpen(having own: Int) -> Bool {
        own < Self.greed * (limit / Self.descriptorsPerOpenFid - opened.load(ordering: .relaxed))
    }

    /// Takes note of a fid that is open now.
    /// - Returns: as `mayOpen`.
    func open(having own: Int) -> Bool {
        guard mayOpen(having: own) else { return false }
        opened.add(1, ordering: .relaxed)
        return true
    }

    /// So many fids are open no more.
    func close(_ count: Int) {
        opened.subtract(count, ordering: .relaxed)
    }

    func insert(_ table: FidTable) {
        tables.withLock { $0[ObjectIdentifier(table)] = WeakTable(table: table) }
    }

    /// For a table's deinit.
    func remove(_ table: ObjectIdentifier) {
        tables.withLock { $0[table] = nil }
    }

    /// Makes room for a descriptor.
    /// - Throws: `EMFILE` if there are too many and none can be parked: they belong to open files.
    func reserve() throws(Errno) {
        guard isFull else { return }
        let hasRoom = whilePathsStay { () -> Bool in
            // Somebody else may have made room meanwhile.
            guard isFull else { return true }
            let tables = liveTables
            // Half of them at a time, so that the search is paid for by many walks.
            var parked = 0
            for table in tables { parked += table.park(downTo: limit / 2 / max(tables.count, 1)) }
            // Where open files take most of the room, no table may have that many idle ones.
            if parked == 0 { for table in tables { parked += table.park(downTo: 0) } }
            // Others may have taken the room by now, as they don't wait for the lock unless the pool is full.
            return parked > 0 || !isFull
        }
        guard hasRoom else { throw .EMFILE }
    }

    private var isFull: Bool { held.load(ordering: .relaxed) >= limit }

    private var liveTables: [FidTable] {
        tables.withLock { $0.values.compactMap(\.table) }
    }

    /// Runs `body` while nothing is parked or moved by this server.
    func whilePathsStay<Result: ~Copyable, Failure: Error>(
        _ body: () throws(Failure) -> Result
    ) throws(Failure) -> Result {
        try paths.withLock { _ throws(Failure) in try body() }
    }

    /// The absolute paths of two directory entries; nil if nobody needs them, as nothing is parked.
    func paths(
        of oldName: borrowing FileName,
        in oldDirectory: CInt,
        and newName: borrowing FileName,
        in newDirectory: CInt
    ) throws(Errno) -> (old: [UInt8], new: [UInt8])? {
        guard liveTables.contains(where: \.hasParked) else { return nil }
        return (try Self.path(of: oldName, in: oldDirectory), try Self.path(of: newName, in: newDirectory))
    }

    /// Leads parked fids after a directory entry that was moved. Only within `whilePathsStay`.
    func follow(from oldPath: [UInt8], to newPath: [UInt8]) {
        for table in liveTables where table.hasParked { table.follow(from: oldPath, to: newPath) }
    }

    private static func path(of name: borrowing FileName, in directory: CInt) throws(Errno) -> [UInt8] {
        var path = try System.currentPath(of: directory)
        if path.last != UInt8(ascii: "/") { path.append(UInt8(ascii: "/")) }
        name.bytes.withUnsafeBytes { path += $0 }
        return path
    }
}
