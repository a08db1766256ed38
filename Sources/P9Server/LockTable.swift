internal import P9Wire
internal import Synchronization

/// Byte-range locks of all clients, with the meaning of `fcntl(2)`'s.
///
/// Plain data: who holds what. Nothing here waits; a client whose lock is refused asks again.
final class LockTable: Sendable {
    /// A file on the host.
    struct File: Hashable, Sendable {
        var device: UInt64
        var inode: UInt64
    }

    /// A process of a client.
    struct Owner: Hashable, Sendable {
        var session: UInt64
        var processID: UInt32
        var clientID: [UInt8]
    }

    struct Range: Hashable, Sendable {
        var start: UInt64
        /// The last byte; `UInt64.max` for "to the end of the file".
        var last: UInt64

        /// - Parameter length: 0 reaches to the end.
        init(start: UInt64, length: UInt64) {
            self.start = start
            let (end, over) = start.addingReportingOverflow(length)
            last = length == 0 || over ? .max : end - 1
        }

        init(start: UInt64, last: UInt64) {
            self.start = start
            self.last = last
        }

        var length: UInt64 { last == .max ? 0 : last - start + 1 }

        func overlaps(_ other: Range) -> Bool { start <= other.last && other.start <= last }
    }

    struct Lock: Hashable, Sendable {
        var owner: Owner
        /// The fid it was asked for through; it goes with it.
        var fid: Fid
        var isWrite: Bool
        var range: Range
    }

    /// Locks that one session may hold.
    static let maximumPerSession = 4096
    /// The longest name of a client, in bytes; Linux sends its host name, of 64 at most.
    static let maximumClientID = 255

    private struct State {
        var files: [File: [Lock]] = [:]
        /// How many locks each session holds.
        var counts: [UInt64: Int] = [:]

        /// Replaces the locks of a file, of which only one session's differ.
        mutating func replace(_ file: File, with locks: [Lock], of session: UInt64) {
            let count = counts[session, default: 0] + locks.count - files[file, default: []].count
            counts[session] = count == 0 ? nil : count
            files[file] = locks.isEmpty ? nil : locks
        }
    }

    private let state = Mutex(State())

    /// Takes a lock, replacing what its owner held in the range.
    /// - Returns: `blocked` while somebody else's lock stands in the way, `error` when the session has too many.
    func acquire(_ lock: Lock, on file: File) -> LockStatus {
        state.withLock { state in
            let held = state.files[file, default: []]
            guard !held.contains(where: { Self.conflicts($0, lock) }) else { return .blocked }
            var left = Self.without(lock.range, of: lock.owner, held)
            left.append(lock)
            let count = state.counts[lock.owner.session, default: 0] + left.count - held.count
            guard count <= Self.maximumPerSession else { return .error }
            state.replace(file, with: left, of: lock.owner.session)
            return .success
        }
    }

    /// Gives a range back; more than was locked may be named.
    /// - Returns: `error` if that would split a lock and the session has too many.
    func release(_ range: Range, of owner: Owner, on file: File) -> LockStatus {
        state.withLock { state in
            guard let held = state.files[file] else { return .success }
            let left = Self.without(range, of: owner, held)
            let count = state.counts[owner.session, default: 0] + left.count - held.count
            guard left.count <= held.count || count <= Self.maximumPerSession else { return .error }
            state.replace(file, with: left, of: owner.session)
            return .success
        }
    }

    /// The first lock in the way of one like `lock`.
    func holder(against lock: Lock, on file: File) -> Lock? {
        state.withLock { $0.files[file]?.first { Self.conflicts($0, lock) } }
    }

    /// Drops what was locked through a fid.
    func releaseAll(session: UInt64, fid: Fid, on file: File) {
        state.withLock { state in
            guard let held = state.files[file], state.counts[session] != nil else { return }
            state.replace(file, with: held.filter { $0.owner.session != session || $0.fid != fid }, of: session)
        }
    }

    /// Drops everything a session holds.
    func releaseAll(session: UInt64) {
        state.withLock { state in
            guard state.counts[session] != nil else { return }
            for (file, held) in state.files {
                let left = held.filter { $0.owner.session != session }
                if left.count != held.count { state.replace(file, with: left, of: session) }
            }
        }
    }

    private static func conflicts(_ held: Lock, _ wanted: Lock) -> Bool {
        held.owner != wanted.owner && (held.isWrite || wanted.isWrite) && held.range.overlaps(wanted.range)
    }

    /// Cuts a range out of an owner's locks: one may shrink, split in two or vanish.
    private static func without(_ range: Range, of owner: Owner, _ held: [Lock]) -> [Lock] {
        var left: [Lock] = []
        for lock in held {
            guard lock.owner == owner, lock.range.overlaps(range) else {
                left.append(lock)
                continue
            }
            if lock.range.start < range.start {
                var before = lock
                before.range.last = range.start - 1
                left.append(before)
            }
            if lock.range.last > range.last {
                var after = lock
                after.range.start = range.last + 1
                left.append(after)
            }
        }
        return left
    }
}
