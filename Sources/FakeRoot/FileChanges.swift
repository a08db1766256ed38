internal import LinuxFiles
internal import Synchronization

/// A lock for each file whose owner, mode or attributes are being changed, and counters by which readers without a lock see
/// that nothing has changed meanwhile.
///
/// If the host's file system delays a change, as a dead NFS server does, others wait only for this very file. No thread
/// holds two files' locks.
final class FileChanges: Sendable {
    private struct File: Hashable {
        var device: UInt64
        var inode: UInt64

        init(_ host: FileStatus) {
            device = host.device
            inode = host.inode
        }
    }

    /// How many changes have begun, and how many have ended.
    private final class Counter: Sendable {
        let begun = Atomic<UInt64>(0)
        let ended = Atomic<UInt64>(0)

        func begin() { begun.wrappingAdd(1, ordering: .acquiringAndReleasing) }

        func end() { ended.wrappingAdd(1, ordering: .acquiringAndReleasing) }

        var moment: Moment {
            // `ended` first: if `begun` is the same afterwards, no change was under way in between.
            let ended = ended.load(ordering: .acquiring)
            return Moment(begun: begun.load(ordering: .acquiring), ended: ended)
        }

        func isSame(_ moment: Moment) -> Bool {
            moment.begun == moment.ended && begun.load(ordering: .acquiring) == moment.begun
        }
    }

    /// A point in time, for `isUndisturbed`.
    struct Moment {
        fileprivate var begun: UInt64
        fileprivate var ended: UInt64
    }

    private static let shardCount = 16
    private static let stripeCount = 256

    private let locked = (0..<FileChanges.shardCount).map { _ in Monitor<Set<File>>([]) }
    private let all = Counter()
    private let stripes = (0..<FileChanges.stripeCount).map { _ in Counter() }

    private static func place(_ host: FileStatus) -> (shard: Int, stripe: Int) {
        let mixed = (host.inode ^ host.device &* 0x9e37_79b9) &* 0x9e37_79b9_7f4a_7c15
        return (Int(mixed >> 60), Int(mixed >> 52 & 0xff))
    }

    /// Runs `body` while no other one runs for the same file. Not to be nested.
    func withLock<Result: ~Copyable>(
        _ descriptor: CInt,
        _ body: () throws(Errno) -> Result
    ) throws(Errno) -> Result {
        let host = try System.status(of: descriptor)
        let file = File(host)
        let shard = locked[Self.place(host).shard]
        shard.wait { $0.insert(file).inserted ? () : nil }
        defer { shard.update { _ = $0.remove(file) } }
        return try body()
    }

    /// A label and a mode are about to be changed; only under the file's lock.
    func begin(_ host: FileStatus) {
        all.begin()
        stripes[Self.place(host).stripe].begin()
    }

    /// Both have been changed.
    func end(_ host: FileStatus) {
        stripes[Self.place(host).stripe].end()
        all.end()
    }

    /// The present moment; to be asked for before a file is looked at.
    var moment: Moment { all.moment }

    /// Whether no file was under change at that moment or since.
    func isUndisturbed(since moment: Moment) -> Bool { all.isSame(moment) }

    /// As `moment`, for one file, which has been looked at and must be looked at again afterwards.
    func moment(for host: FileStatus) -> Moment { stripes[Self.place(host).stripe].moment }

    /// Whether the file was not under change at that moment or since; other files' changes make it false now and then.
    func isUndisturbed(_ host: FileStatus, since moment: Moment) -> Bool {
        stripes[Self.place(host).stripe].isSame(moment)
    }
}
