internal import P9Wire
internal import ServedTree
internal import Synchronization

/// Byte-range locks of all clients, with the meaning of `fcntl(2)`'s.
///
/// Plain data: who holds what. Nothing here waits; a client whose lock is refused asks again. Each file's locks are in one of
/// several parts with a mutex of its own, and a session without locks skips all of them.
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

    /// What one session holds, for all files together.
    final class Holder: Sendable {
        let session: UInt64
        private let memory: Budget.Account
        private let held = Mutex<[File: Int]>([:])
        private let count = Atomic<Int>(0)

        /// - Parameters:
        ///   - session: tells this session's locks from others'.
        ///   - memory: pays for the locks.
        init(session: UInt64, _ memory: Budget.Account) {
            self.session = session
            self.memory = memory
        }

        var isEmpty: Bool { count.load(ordering: .relaxed) == 0 }

        fileprivate var files: [File] { held.withLock { Array($0.keys) } }

        /// - Parameter change: of the number of locks on a file.
        /// - Returns: false if the session has its share.
        fileprivate func take(_ change: Int, on file: File) -> Bool {
            held.withLock { held in
                let all = count.load(ordering: .relaxed) + change
                if change > 0 {
                    guard all <= LockTable.maximumPerSession, memory.take(change * LockTable.bytesPerLock) else {
                        return false
                    }
                } else {
                    memory.give(-change * LockTable.bytesPerLock)
                }
                count.store(all, ordering: .relaxed)
                let here = held[file, default: 0] + change
                held[file] = here == 0 ? nil : here
                return true
            }
        }
    }

    /// Locks that one session may hold.
    static let maximumPerSession = 4096
    /// Locks on one file beyond which a session may have a few only: each request looks at all of them.
    private static let maximumPerFile = 4096
    private static let guaranteedPerFile = 16
    /// The longest name of a client, in bytes; Linux sends its host name, of 64 at most.
    static let maximumClientID = 255
    private static let bytesPerLock = 256

    private final class Part: Sendable {
        let files = Mutex<[File: [Lock]]>([:])
    }

    private let parts = (0..<64).map { _ in Part() }

    private func withLocks<Result>(of file: File, _ body: (inout [Lock]) -> Result) -> Result {
        let mixed = (file.inode ^ file.device &* 0x9e37_79b9) &* 0x9e37_79b9_7f4a_7c15
        return parts[Int(mixed >> 58)].files.withLock { files in
            // Taken out, so that they are changed in their place.
            var locks = files.removeValue(forKey: file) ?? []
            defer { if !locks.isEmpty { files[file] = locks } }
            return body(&locks)
        }
    }

    /// Takes a lock, replacing what its owner held in the range.
    /// - Returns: `blocked` while somebody else's lock stands in the way, `error` when the session has too many.
    func acquire(_ lock: Lock, on file: File, for holder: Holder) -> LockStatus {
        withLocks(of: file) { locks in
            guard !locks.contains(where: { Self.conflicts($0, lock) }) else { return .blocked }
            let change = 1 + Self.change(cutting: lock.range, of: lock.owner, from: locks)
            if locks.count + change > Self.maximumPerFile, change > 0 {
                let own = locks.count { $0.owner.session == holder.session }
                guard own < Self.guaranteedPerFile else { return .error }
            }
            guard holder.take(change, on: file) else { return .error }
            Self.cut(lock.range, of: lock.owner, from: &locks)
            locks.append(lock)
            return .success
        }
    }

    /// Gives a range back; more than was locked may be named.
    /// - Returns: `error` if that would split a lock and the session has too many.
    func release(_ range: Range, of owner: Owner, on file: File, for holder: Holder) -> LockStatus {
        guard !holder.isEmpty else { return .success }
        return withLocks(of: file) { locks in
            guard holder.take(Self.change(cutting: range, of: owner, from: locks), on: file) else { return .error }
            Self.cut(range, of: owner, from: &locks)
            return .success
        }
    }

    /// The first lock in the way of one like `lock`.
    func obstacle(to lock: Lock, on file: File) -> Lock? {
        withLocks(of: file) { locks in locks.first { Self.conflicts($0, lock) } }
    }

    /// Drops what was locked through a fid.
    func releaseAll(of fid: Fid, on file: File, for holder: Holder) {
        guard !holder.isEmpty else { return }
        remove(from: file, for: holder) { $0.fid == fid }
    }

    /// Drops everything a session holds.
    func releaseAll(of holder: Holder) {
        for file in holder.files { remove(from: file, for: holder) { _ in true } }
    }

    private func remove(from file: File, for holder: Holder, where isMeant: (Lock) -> Bool) {
        withLocks(of: file) { locks in
            let before = locks.count
            locks.removeAll { $0.owner.session == holder.session && isMeant($0) }
            if locks.count != before { _ = holder.take(locks.count - before, on: file) }
        }
    }

    private static func conflicts(_ held: Lock, _ wanted: Lock) -> Bool {
        held.owner != wanted.owner && (held.isWrite || wanted.isWrite) && held.range.overlaps(wanted.range)
    }

    /// How many locks more an owner has after `cut`.
    private static func change(cutting range: Range, of owner: Owner, from locks: [Lock]) -> Int {
        locks.reduce(0) { change, lock in
            guard lock.range.overlaps(range), lock.owner == owner else { return change }
            return change - 1 + (lock.range.start < range.start ? 1 : 0) + (lock.range.last > range.last ? 1 : 0)
        }
    }

    /// Cuts a range out of an owner's locks: one may shrink, split in two or vanish.
    private static func cut(_ range: Range, of owner: Owner, from locks: inout [Lock]) {
        var left: [Lock] = []
        locks.removeAll { lock in
            guard lock.range.overlaps(range), lock.owner == owner else { return false }
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
            return true
        }
        locks += left
    }
}
