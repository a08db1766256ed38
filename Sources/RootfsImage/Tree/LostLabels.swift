internal import FakeRoot
internal import LinuxFiles

/// What files that an edit on the host has put in the place of imported ones are for the board: `sed -i`, `git checkout`
/// and a plain `cp` lose the label.
///
/// The server gives such files their labels back on sight. An export writes nothing into the tree, so it only says what the
/// server would make of them, by the same rules: owner, mode and kind of the import; setuid, setgid and capabilities
/// only if the content is the import's.
struct LostLabels {
    /// A file as the server would show it.
    struct Finding {
        var owner: Owner
        var permissions: UInt32
        var kind: NodeKind
        var capability: [UInt8]?
        /// Whether it goes without setuid, setgid or capabilities, for its content is another one.
        var hasLostPrivileges = false
    }

    private static let setIDs: UInt32 = 0o6000
    private static let execute: UInt32 = 0o111

    private let tree: FakeRootTree

    init(_ tree: FakeRootTree) {
        self.tree = tree
    }

    /// - Parameters:
    ///   - capability: whether the file has one.
    ///   - file: open for reading; nil for what is no regular file on the host.
    /// - Returns: nil for a file that has lost nothing.
    func find(
        _ board: BoardStatus,
        _ path: [UInt8],
        hasCapability: Bool,
        file: CInt?
    ) throws(Errno) -> Finding? {
        guard tree.hasManifest, !board.isStrangers, isWithoutLabel(board), let entry = try tree.manifestEntry(path),
            let kind = entry.status.kind, fits(kind, board),
            entry.expectsLabel || entry.capability != nil && !hasCapability
        else { return nil }
        let owner = Owner(uid: entry.status.uid, gid: entry.status.gid)
        var finding = Finding(owner: owner, permissions: entry.status.mode, kind: kind, capability: entry.capability)
        // Which tools keep, git among them: whether it can be run. One who changes that means it.
        let host = board.host.mode
        if kind == .file, (host & Self.execute != 0) != (entry.status.mode & Self.execute != 0) {
            finding.permissions = host & 0o777 | entry.status.mode & 0o7000
        }
        let isPrivileged = kind == .file && (entry.status.mode & Self.setIDs != 0 || entry.capability != nil)
        if isPrivileged, try !hasContent(of: entry, board.host, file) {
            finding.permissions &= ~Self.setIDs
            finding.capability = nil
            finding.hasLostPrivileges = true
        }
        return finding
    }

    /// What a host file without a label looks like.
    private func isWithoutLabel(_ board: BoardStatus) -> Bool {
        board.uid == 0 && board.gid == 0 && board.permissions == board.host.mode & 0o7777 && !board.kind.isSpecial
    }

    /// Never is a file with content a device, or a directory a file.
    private func fits(_ kind: NodeKind, _ board: BoardStatus) -> Bool {
        kind.isSpecial ? board.kind == .file && board.host.size == 0 : kind == board.kind
    }

    private func hasContent(of entry: ManifestEntry, _ host: FileStatus, _ file: CInt?) throws(Errno) -> Bool {
        guard let hash = entry.hash, let file, entry.size == host.size else { return false }
        return try SHA256.hash(contentOf: file) == hash
    }
}
