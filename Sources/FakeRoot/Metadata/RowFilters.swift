internal import Synchronization

/// Fingerprints of what the database has rows for, so that requests for all other files don't ask it.
///
/// A fingerprint may be here without a row (the row was removed, or another file's is the same). Each row has its fingerprint
/// here, even if other threads and processes write while the rows are read.
final class RowFilters: Sendable {
    /// The kinds of rows that the database has.
    struct Content: OptionSet {
        let rawValue: UInt8
        static let symlinks = Content(rawValue: 1)
        static let nodes = Content(rawValue: 2)
        static let attributes = Content(rawValue: 4)
        static let manifest = Content(rawValue: 8)
    }

    struct Sets {
        /// Labels of symbolic links.
        var symlinks: Set<UInt64> = []
        /// Labels of all else.
        var nodes: Set<UInt64> = []
        var attributes: Set<UInt64> = []
        /// Names of files of which the manifest expects more than a host file shows.
        var expected: Set<UInt64> = []
        /// These names, and those of the directories above.
        var names: Set<UInt64> = []
        var hasManifest = false

        /// Takes in the names that a path is made of.
        mutating func expect(_ path: [UInt8]) {
            let parts = path.split(separator: UInt8(ascii: "/"))
            for part in parts { names.insert(RowFilters.fingerprint(part)) }
            if let last = parts.last { expected.insert(RowFilters.fingerprint(last)) }
        }

        fileprivate mutating func formUnion(_ other: Sets) {
            symlinks.formUnion(other.symlinks)
            nodes.formUnion(other.nodes)
            attributes.formUnion(other.attributes)
            expected.formUnion(other.expected)
            names.formUnion(other.names)
        }

        fileprivate var content: Content {
            var content: Content = []
            if !symlinks.isEmpty { content.insert(.symlinks) }
            if !nodes.isEmpty { content.insert(.nodes) }
            if !attributes.isEmpty { content.insert(.attributes) }
            if hasManifest { content.insert(.manifest) }
            return content
        }

        var count: Int { symlinks.count + nodes.count + attributes.count }
    }

    private struct Known {
        var sets = Sets()
        /// What was inserted since the rows began to be read; the reading may have missed it.
        var insertedMeanwhile: Sets?
        /// Rows that were removed since the last reading.
        var removals = 0
        /// How often others' changes were met; the sets are right if they were read after the last time.
        var marks = 0
        var marksRead = 0

        /// Whether any file may have rows.
        var isStale: Bool { marks != marksRead }

        var content: Content { isStale ? sets.content.union([.symlinks, .nodes, .attributes]) : sets.content }
    }

    private let known = Mutex(Known())
    /// `Content` of the sets: what requests look at first.
    private let bits = Atomic<UInt8>(0)

    var content: Content { Content(rawValue: bits.load(ordering: .acquiring)) }

    /// How many files the sets hold; one with a label and attributes counts twice.
    var count: Int { known.withLock { $0.sets.count } }

    func contains(_ fingerprint: UInt64, in set: KeyPath<Sets, Set<UInt64>>) -> Bool {
        known.withLock { known in
            // The manifest's names are taken over with the next reading.
            if known.isStale, set != \Sets.names, set != \Sets.expected { return true }
            return known.sets[keyPath: set].contains(fingerprint)
        }
    }

    func containsLabel(_ fingerprint: UInt64) -> Bool {
        known.withLock { known in
            known.isStale || known.sets.symlinks.contains(fingerprint) || known.sets.nodes.contains(fingerprint)
        }
    }

    /// Others have changed rows: until all are read anew, every file may have some.
    func markStale(hasManifest: Bool) {
        known.withLock { known in
            known.marks += 1
            known.sets.hasManifest = hasManifest
            bits.store(known.content.rawValue, ordering: .releasing)
        }
    }

    /// Takes in rows that have just been written.
    func insert(_ body: (inout Sets) -> Void) {
        known.withLock { known in
            body(&known.sets)
            if var inserted = known.insertedMeanwhile {
                known.insertedMeanwhile = nil  // so that it is changed in its place
                body(&inserted)
                known.insertedMeanwhile = inserted
            }
            bits.store(known.content.rawValue, ordering: .releasing)
        }
    }

    /// Takes note of a removed row. Its fingerprint stays: another file's may be the same.
    /// - Returns: whether enough are left over to make reading all rows anew worthwhile.
    func countRemoval() -> Bool {
        known.withLock { known in
            known.removals += 1
            let rest = known.sets.count - known.removals
            return known.removals >= max(Self.minimumRemovals, rest, known.sets.expected.count)
        }
    }

    /// Fewer removed rows are not worth reading all others anew; 16 KiB.
    static let minimumRemovals = 1024

    /// Replaces all by what `read` finds. Only for one thread at a time.
    func replace(_ read: () throws(MetadataError) -> Sets) throws(MetadataError) {
        let marks = known.withLock { known in
            known.insertedMeanwhile = Sets()
            known.removals = 0
            return known.marks
        }
        do throws(MetadataError) {
            let sets = try read()
            known.withLock { known in
                known.sets = sets
                if let inserted = known.insertedMeanwhile { known.sets.formUnion(inserted) }
                known.insertedMeanwhile = nil
                known.marksRead = marks
                bits.store(known.content.rawValue, ordering: .releasing)
            }
        } catch {
            known.withLock { $0.insertedMeanwhile = nil }
            throw error
        }
    }

    /// A fingerprint of a name (FNV-1a).
    static func fingerprint(_ name: some Sequence<UInt8>) -> UInt64 {
        name.reduce(0xcbf2_9ce4_8422_2325) { ($0 ^ UInt64($1)) &* 0x100_0000_01b3 }
    }
}
