internal import LinuxFiles
internal import Synchronization

/// Files that have lost the label that the import gave them: `sed -i`, `git checkout`, `rsync -a` and a plain `cp` put
/// another file in the place.
extension FakeRootTree {
    /// Gives a file its owner and mode back, and its kind; setuid, setgid and capabilities only if its content is the
    /// import's.
    ///
    /// Best effort: what can't be restored is seen without.
    func restore(_ descriptor: CInt) {
        guard mayRaiseModes, let host = try? System.status(of: descriptor), !cache.knows(.nothingLost, of: host),
            // What somebody else has put in a file's place gets nothing.
            trust.covers(descriptor, host),
            Self.canCarryAttributes(host) || host.format == .symlink,
            let (_, label) = try? read(descriptor, isLocked: false)
        else { return }
        if let row = unfinished(descriptor, host) { return complete(row, descriptor, host) }
        // The usual case: it has one.
        guard label == nil, host.linkCount > 0, let path = try? manifestPath(of: descriptor),
            let row = expectation(path), let file = try? handle(of: descriptor, host),
            Self.fits(row.entry, host), isLost(row, file, descriptor, host), let database = metadata.database
        else {
            // Unless the database could not be asked.
            if metadata.problem == nil { cache.remember(.nothingLost, of: host) }
            return
        }

        var entry = row.entry
        let isPrivileged = Self.isPrivileged(entry)
        let isSame = !isPrivileged || hasContent(of: entry, descriptor, host)
        if !isSame { entry = Self.unprivileged(entry) }
        // Only to what was looked at, not to what somebody has made of it meanwhile.
        guard let now = try? System.status(of: descriptor), now.changeTime == host.changeTime, now.linkCount > 0,
            (try? give(entry, descriptor)) != nil
        else { return }
        var found = row
        found.file = file
        _ = try? metadata.reporting { () throws(MetadataError) in try database.setFile(file, of: row) }
        if !isSame { setUnfinished(found) }
        if !isSame, Self.isFinished(host) { complete(found, descriptor, host) }
    }

    static func isPrivileged(_ entry: ManifestEntry) -> Bool {
        entry.status.kind == .file && (entry.status.mode & setIDs != 0 || entry.capability != nil)
    }

    private static func unprivileged(_ entry: ManifestEntry) -> ManifestEntry {
        var entry = entry
        entry.status.mode &= ~setIDs
        entry.capability = nil
        return entry
    }

    private static let setIDs: UInt32 = 0o6000

    /// Whether nobody is writing the rest of a file any more.
    private static func isFinished(_ host: FileStatus) -> Bool {
        let age = System.fileClock &- host.modificationTime.seconds &* 1_000_000_000
        return age > writingTime || age < 0
    }

    /// So long after its last change a file with another content than expected is taken for finished, in nanoseconds.
    private static let writingTime: Int64 = 2_000_000_000

    // MARK: Files that were seen while they were written

    private func unfinished(_ descriptor: CInt, _ host: FileStatus) -> Manifest.Row? {
        guard unfinishedCopies.withLock({ !$0.isEmpty }), let file = try? handle(of: descriptor, host) else {
            return nil
        }
        return unfinishedCopies.withLock { $0[file] }
    }

    private static let maxUnfinished = 256

    private func setUnfinished(_ row: Manifest.Row) {
        guard let file = row.file else { return }
        unfinishedCopies.withLock {
            if $0.count >= Self.maxUnfinished, let some = $0.keys.first { $0[some] = nil }
            $0[file] = row
        }
    }

    /// Gives the privileges back once the content is whole, or tells the user that it is another one.
    private func complete(_ row: Manifest.Row, _ descriptor: CInt, _ host: FileStatus) {
        let isSame = hasContent(of: row.entry, descriptor, host)
        guard isSame || Self.isFinished(host), let file = row.file else { return }
        unfinishedCopies.withLock { $0[file] = nil }
        if isSame { try? giveRest(row.entry, descriptor) } else { warnOnce(row.entry) }
    }

    private func giveRest(_ entry: ManifestEntry, _ descriptor: CInt) throws(Errno) {
        try changes.withLock(descriptor) { () throws(Errno) in
            let (found, label) = try read(descriptor, isLocked: true)
            // Not if somebody has changed it since.
            let given = Self.unprivileged(entry).status
            guard found.uid == given.uid, found.gid == given.gid, found.permissions & 0o7000 == given.mode & 0o7000
            else {
                return
            }
            var status = found
            status.permissions |= entry.status.mode & Self.setIDs
            try store(status, replacing: label, on: descriptor, keepsLabel: true)
            try giveCapability(entry, descriptor)
        }
    }

    /// The row of a path, if it expects more than a host file shows.
    func expectation(_ path: [UInt8]) -> Manifest.Row? {
        guard let database = metadata.database else { return nil }
        let row = try? metadata.reporting { () throws(MetadataError) in try database.entry(path) }
        guard let row, row.entry.expectsSomething else { return nil }
        return row
    }

    /// Whether the file may be what the import made: never is a file with content a device, or a directory a file.
    static func fits(_ entry: ManifestEntry, _ host: FileStatus) -> Bool {
        guard let kind = entry.status.kind, entry.status.isPossible else { return false }
        return kind.isSpecial ? host.format == .regular && host.size == 0 : kind.format == host.format
    }

    /// Whether a file without a label has lost something.
    func isLost(_ row: Manifest.Row, _ file: FileHandle, _ descriptor: CInt, _ host: FileStatus) -> Bool {
        guard !row.entry.expectsLabel else { return true }
        // The capability was all. One that the very file has no more was taken away on purpose.
        let isThere = (try? value(of: AttributeName(.capability), descriptor, host, isLocked: false)) != nil
        return !isThere && row.file != file
    }

    /// - Parameter raisesMode: whether a mode that denies reading is raised, which takes the file's lock.
    func hasContent(
        of entry: ManifestEntry,
        _ descriptor: CInt,
        _ host: FileStatus,
        raisesMode: Bool = true
    ) -> Bool {
        guard let hash = entry.hash, entry.size == host.size else { return false }
        func open() throws(Errno) -> OwnedDescriptor {
            try DescriptorPath(descriptor).withCString { (path) throws(Errno) in
                try System.open(at: System.atCurrentDirectory, path, [.readOnly, .nonBlocking])
            }
        }
        guard let opened = try? raisesMode ? raisingToFloor(descriptor, open) : open() else { return false }
        return (try? SHA256.hash(contentOf: opened.raw)) == hash
    }

    private func warnOnce(_ entry: ManifestEntry) {
        let isNew = warned.withLock { $0.insert(entry.path).inserted }
        guard isNew else { return }
        var lost: [String] = []
        if entry.status.mode & 0o4000 != 0 { lost.append("setuid") }
        if entry.status.mode & 0o2000 != 0 { lost.append("setgid") }
        if entry.capability != nil { lost.append("capabilities") }
        let path = printable(entry.path)
        let parts = lost.joined(separator: " and ")
        warn("/\(path) was replaced and has another content than at its import: it goes without \(parts) now")
    }

    private func give(_ entry: ManifestEntry, _ descriptor: CInt) throws(Errno) {
        try changes.withLock(descriptor) { () throws(Errno) in
            let (found, label) = try read(descriptor, isLocked: true)
            guard label == nil, let kind = entry.status.kind else { return }
            var status = found
            status.uid = entry.status.uid
            status.gid = entry.status.gid
            if kind.isSpecial { status.kind = kind }
            status.permissions = entry.status.mode
            // Which tools keep, git among them: whether it can be run. One who changes that means it.
            let execute: UInt32 = 0o111
            if kind == .file, (found.host.mode & execute != 0) != (entry.status.mode & execute != 0) {
                status.permissions = found.host.mode & 0o777 | entry.status.mode & 0o7000
            }
            try store(status, replacing: nil, on: descriptor, keepsLabel: true)
            try giveCapability(entry, descriptor)
        }
    }

    private func giveCapability(_ entry: ManifestEntry, _ descriptor: CInt) throws(Errno) {
        guard let capability = entry.capability else { return }
        try setLocked(AttributeName(.capability), of: descriptor, to: capability.span.bytes, flags: 0)
    }
}
