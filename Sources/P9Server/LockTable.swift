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

    /// Locks that one file may carry.
    static let maximumPerFile = 4096

    private let files = Mutex<[File: [Lock]]>([:])

    /// Takes a lock, replacing what its owner held in the range.
    /// - Returns: `blocked` while somebody else's lock stands in the way, `error` when the file has too many.
    func acquire(_ lock: Lock, on file: File) -> LockStatus {
        files.withLock { files in
            var held = files[file, default: []]
            guard !held.contains(where: { Self.conflicts($0, lock) }) else { return .blocked }
            Self.release(lock.range, of: lock.owner, from: &held)
            guard held.count < Self.maximumPerFile else { return .error }
            held.append(lock)
            files[file] = held
            return .success
        }
    }

    func release(_ range: Range, of owner: Owner, on file: File) {
        files.withLock { files in
            guard var held = files[file] else { return }
            Self.release(range, of: owner, from: &held)
            files[file] = held.isEmpty ? nil : held
        }
    }

    /// The first lock in the way of one like `lock`.
    func holder(against lock: Lock, on file: File) -> Lock? {
        files.withLock { $0[file]?.first { Self.conflicts($0, lock) } }
    }

    /// Drops what was locked through a fid.
    func releaseAll(session: UInt64, fid: Fid, on file: File) {
        files.withLock { files in
            guard var held = files[file] else { return }
            held.removeAll { $0.owner.session == session && $0.fid == fid }
            files[file] = held.isEmpty ? nil : held
        }
    }

    /// Drops everything a session holds.
    func releaseAll(session: UInt64) {
        files.withLock { files in
            for (file, held) in files {
                let left = held.filter { $0.owner.session != session }
                if left.count != held.count { files[file] = left.isEmpty ? nil : left }
            }
        }
    }

    private static func conflicts(_ held: Lock, _ wanted: Lock) -> Bool {
        held.owner != wanted.owner && (held.isWrite || wanted.isWrite) && held.range.overlaps(wanted.range)
    }

    /// Cuts a range out of an owner's locks: one may shrink, split in two or vanish.
    private static func release(_ range: Range, of owner: Owner, from held: inout [Lock]) {
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
        held = left
    }
}
