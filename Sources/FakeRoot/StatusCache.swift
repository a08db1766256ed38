internal import LinuxFiles
internal import Synchronization

/// What was read of files' labels and attributes; an entry counts until the file's change time moves.
///
/// Its size is fixed: a file's place follows from its number, and the next file there takes it. Every change of a label or an
/// attribute moves the change time, also a change on the host (setfattr, chmod, a rename over the file); so an entry is right
/// as long as the time is the same. A time that is hardly past is not trusted: its clock stands still for some milliseconds,
/// and another process' rows are seen a moment later.
final class StatusCache: Sendable {
    /// Attributes that a file is known not to have, and other things that hold until it changes.
    struct Facts: OptionSet {
        let rawValue: UInt8
        /// The label is in the entry.
        static let label = Facts(rawValue: 1)
        static let noCapability = Facts(rawValue: 2)
        static let noAccessList = Facts(rawValue: 4)
        static let noDefaultList = Facts(rawValue: 8)
        /// The manifest has been asked, and there is nothing to restore.
        static let nothingLost = Facts(rawValue: 16)
    }

    private struct Slot {
        var device: UInt64 = 0
        var inode: UInt64 = 0
        var changeTime = FileTime(seconds: 0, nanoseconds: 0)
        var facts: Facts = []
        var label: Label?

        func isOf(_ host: FileStatus) -> Bool {
            inode == host.inode && changeTime == host.changeTime && device == host.device
        }
    }

    private final class Shard: Sendable {
        let slots = Mutex([Slot](repeating: Slot(), count: StatusCache.slotsPerShard))
    }

    private static let shardCount = 16
    private static let slotsPerShard = 256

    /// How long ago a file must have changed for its entry to be trusted, in nanoseconds.
    private static let settling: Int64 = 250_000_000

    private let shards = (0..<StatusCache.shardCount).map { _ in Shard() }

    private func place(_ host: FileStatus) -> (shard: Int, slot: Int) {
        let mixed = (host.inode ^ host.device &* 0x9e37_79b9) &* 0x9e37_79b9_7f4a_7c15
        return (Int(mixed >> 60), Int(mixed >> 52 & 0xff))
    }

    /// The label that the file had when it was read; `.some(nil)` for none.
    func label(of host: FileStatus) -> Label?? {
        let place = place(host)
        return shards[place.shard].slots.withLock { slots in
            guard slots[place.slot].isOf(host), slots[place.slot].facts.contains(.label) else { return nil }
            return .some(slots[place.slot].label)
        }
    }

    func knows(_ fact: Facts, of host: FileStatus) -> Bool {
        let place = place(host)
        return shards[place.shard].slots.withLock { slots in
            slots[place.slot].isOf(host) && slots[place.slot].facts.contains(fact)
        }
    }

    /// - Parameter host: read before the label was.
    func remember(_ label: Label?, of host: FileStatus) {
        remember(.label, of: host, label)
    }

    func remember(_ fact: Facts, of host: FileStatus) {
        remember(fact, of: host, nil)
    }

    /// Forgets a file after a change of our own: a coarse change time need not have moved.
    func forget(_ host: FileStatus) {
        let place = place(host)
        shards[place.shard].slots.withLock { slots in
            let slot = slots[place.slot]
            if slot.inode == host.inode, slot.device == host.device { slots[place.slot] = Slot() }
        }
    }

    private func remember(_ fact: Facts, of host: FileStatus, _ label: Label?) {
        // Some file systems count whole seconds: ext4 with inodes of 128 bytes, ext3.
        let settling = host.changeTime.nanoseconds == 0 ? Self.settling + 2_000_000_000 : Self.settling
        let changed = host.changeTime.seconds &* 1_000_000_000 &+ Int64(host.changeTime.nanoseconds)
        guard System.fileClock &- changed > settling else { return }
        let place = place(host)
        shards[place.shard].slots.withLock { slots in
            if !slots[place.slot].isOf(host) {
                slots[place.slot] = Slot(device: host.device, inode: host.inode, changeTime: host.changeTime)
            }
            slots[place.slot].facts.insert(fact)
            if fact == .label { slots[place.slot].label = label }
        }
    }
}
