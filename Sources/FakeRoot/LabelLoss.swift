public import LinuxFiles

/// What a file has lost of what the import gave it: the one rule for who serves a tree, checks it or packs it.
///
/// `sed -i`, `git checkout`, `rsync -a` and a plain `cp` put another file in the place of the import's, without its label.
/// - A file with a label has not lost it, whatever the label says: somebody has given it.
/// - A file without one has lost owner, mode and kind if it can be what the import made: a file with content is never a
///   device, and a directory never a file.
/// - A capability is lost with the file. If the very file of the import lacks it, somebody took it away on purpose.
/// - setuid, setgid and capabilities come back only if the content is the import's. Else they are lost, also once the
///   label is back, until somebody says what the new program shall have.
public struct LabelLoss: Sendable {
    let row: Manifest.Row
    /// Whether owner, mode and kind are lost, or the capability that was all; false if only privileges are.
    public let isOfLabel: Bool
    /// Whether setuid, setgid or capabilities are lost for good, as the content is another one.
    public let isOfPrivileges: Bool

    /// What the import's list says of the file.
    public var entry: ManifestEntry { row.entry }

    /// The capability that comes back; nil for none.
    public var capability: [UInt8]? { isOfPrivileges ? nil : entry.capability }

    /// What the board is to see of the file.
    /// - Parameter board: what it sees of the file without a label.
    public func restored(_ board: BoardStatus) -> BoardStatus {
        guard isOfLabel, let kind = entry.status.kind else { return board }
        var status = board
        status.uid = entry.status.uid
        status.gid = entry.status.gid
        if kind.isSpecial { status.kind = kind }
        status.permissions = entry.status.mode
        // Tools keep whether a file can be run, git among them. One who changes that means it.
        let execute: UInt32 = 0o111
        let host = board.host.mode
        if kind == .file, (host & execute != 0) != (entry.status.mode & execute != 0) {
            status.permissions = host & 0o777 | entry.status.mode & 0o7000
        }
        if isOfPrivileges { status.permissions &= ~BoardStatus.setIDs }
        return status
    }
}

extension ManifestEntry {
    /// Whether a program gives its users more than they have.
    var isPrivileged: Bool { status.kind == .file && (status.mode & BoardStatus.setIDs != 0 || capability != nil) }

    /// The same without what is only given to the import's own content.
    var withoutPrivileges: ManifestEntry {
        var entry = self
        entry.status.mode &= ~BoardStatus.setIDs
        entry.capability = nil
        return entry
    }

    /// Whether a file of the host may be what the import made.
    func fits(_ host: FileStatus) -> Bool {
        guard let kind = status.kind, status.isPossible else { return false }
        return kind.isSpecial ? host.format == .regular && host.size == 0 : kind.format == host.format
    }
}

extension FakeRootTree {
    /// What a file has lost; nil for nearly every one. Changes nothing that the board sees.
    /// - Parameter path: where the file was found, relative to the root; empty for the root.
    /// - Throws: also if the database can't be asked, and if a content that matters can't be read (`EIO`).
    public func labelLoss(of descriptor: CInt, at path: [UInt8]) throws(Errno) -> LabelLoss? {
        guard hasManifest else { return nil }
        let host = try System.status(of: descriptor)
        guard trust.covers(descriptor, host) else { return nil }
        let label = try read(descriptor, isLocked: false).label
        return try labelLoss(of: descriptor, host, label, at: path, failsUnread: true)
    }

    /// As above, for a file that is trusted.
    /// - Parameter failsUnread: whether content that can't be read is an error. Else it counts as not the import's: an export
    ///   must not lose privileges for a bad disk, a board must not lose the file.
    func labelLoss(
        of descriptor: CInt,
        _ host: FileStatus,
        _ label: Label?,
        at path: [UInt8],
        failsUnread: Bool = false
    ) throws(Errno) -> LabelLoss? {
        func isUnchanged(_ entry: ManifestEntry) throws(Errno) -> Bool {
            do throws(Errno) {
                return try hasContent(of: entry, descriptor, host)
            } catch  where !failsUnread {
                return false
            }
        }

        // With a label only a program can have lost anything.
        guard label == nil || host.format == .regular, let row = try expectedRow(path), row.entry.fits(host) else {
            return nil
        }
        let entry = row.entry
        let isImports = try row.file == handle(of: descriptor, host)
        guard let label else {
            guard entry.expectsLabel || !isImports && !hasCapability(descriptor, host) else { return nil }
            let hasPrivileges = entry.isPrivileged ? try isUnchanged(entry) : true
            return LabelLoss(row: row, isOfLabel: true, isOfPrivileges: !hasPrivileges)
        }
        guard entry.isPrivileged, isImports else { return nil }
        let hasSetIDs = (label.mode ^ entry.status.mode) & BoardStatus.setIDs == 0
        let hasAll = hasSetIDs && (entry.capability == nil || hasCapability(descriptor, host))
        if hasAll { return nil }
        if try isUnchanged(entry) { return nil }
        return LabelLoss(row: row, isOfLabel: false, isOfPrivileges: true)
    }

    private func hasCapability(_ descriptor: CInt, _ host: FileStatus) -> Bool {
        (try? value(of: AttributeName(.capability), descriptor, host, isLocked: false)) != nil
    }

    /// The row of a path, if it expects more than a host file shows.
    private func expectedRow(_ path: [UInt8]) throws(Errno) -> Manifest.Row? {
        guard let database = metadata.database else { return nil }
        let row = try metadata.reporting { () throws(MetadataError) in try database.entry(path) }
        return row.flatMap { $0.entry.expectsSomething ? $0 : nil }
    }

    /// What the import expects at a path; nil also if the database can't be asked.
    func expectation(_ path: [UInt8]) -> ManifestEntry? { (try? expectedRow(path))?.entry }

    /// Whether a file still has the import's content; false also for one that the user may not read.
    /// - Parameter raisesMode: whether a mode that denies reading is raised, which takes the file's lock.
    /// - Throws: what reading it gives, such as `EIO`.
    func hasContent(
        of entry: ManifestEntry,
        _ descriptor: CInt,
        _ host: FileStatus,
        raisesMode: Bool = true
    ) throws(Errno) -> Bool {
        guard let hash = entry.hash, entry.size == host.size else { return false }
        func open() throws(Errno) -> OwnedDescriptor {
            try DescriptorPath(descriptor).withCString { (path) throws(Errno) in
                try System.open(at: System.atCurrentDirectory, path, [.readOnly, .nonBlocking])
            }
        }
        do throws(Errno) {
            let opened = try raisesMode ? raisingToFloor(descriptor, open) : open()
            return try SHA256.hash(contentOf: opened.raw) == hash
        } catch .EACCES, .EPERM {
            return false
        }
    }
}
