internal import FakeRoot
internal import ImageEntries
internal import LinuxFiles

/// What has changed since the import.
///
/// Files come in the order of a walk; the manifest is asked path by path, and at the end for what was not met.
struct ManifestComparison {
    private let tree: FakeRootTree
    private let hashesAll: Bool
    private(set) var drift = CheckReport.Drift()
    private var metPaths: Set<[UInt8]> = []

    init(_ tree: FakeRootTree, hashesAll: Bool) {
        self.tree = tree
        self.hashesAll = hashesAll
    }

    /// - Parameter hasLostLabel: then owner and mode differ for a reason that has been told.
    mutating func compare(_ item: borrowing TreeCursor.Item, hasLostLabel: Bool) throws(Errno) {
        let path = item.key
        guard let entry = try tree.manifestEntry(path) else {
            drift.added.append(item.displayed)
            return
        }
        metPaths.insert(path)
        let name = path.isEmpty ? "." : item.displayed
        let status = try tree.status(of: item.descriptor.raw)
        let expected = entry.status
        let isSame = status.uid == expected.uid && status.gid == expected.gid && status.kind == expected.kind
        let hasMode = status.kind == .symlink || status.permissions == expected.mode
        if !hasLostLabel, !(isSame && hasMode) { drift.changed.append(name) }
        if try isEdited(item, entry) { drift.edited.append(name) }
    }

    private func isEdited(_ item: borrowing TreeCursor.Item, _ entry: ManifestEntry) throws(Errno) -> Bool {
        switch item.host.format {
        case .symlink:
            guard let target = entry.linkTarget else { return false }
            return try System.linkTarget(of: item.descriptor.raw) != target
        case .regular:
            // A file that the board wrote lost its hash with that: its content does not count as drift.
            guard let hash = entry.hash else { return false }
            if item.host.size != entry.size { return true }
            if !hashesAll, item.host.modificationTime == entry.modificationTime { return false }
            do throws(Errno) {
                let file = try tree.open(item.descriptor.raw, .readOnly)
                return try SHA256.hash(contentOf: file.raw) != hash
            } catch .EACCES {
                return false  // a finding of its own
            }
        default: return false
        }
    }

    mutating func finish() {
        // The database could be read before; the database's own check reports that it fails now.
        try? tree.forEachManifestEntry { (entry, _) throws(Errno) in
            if !metPaths.contains(entry.path) { drift.removed.append(ImageError.displayed(entry.path)) }
        }
    }
}
