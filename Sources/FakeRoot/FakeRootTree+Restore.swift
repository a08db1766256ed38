internal import LinuxFiles
internal import Synchronization

/// Files that have lost the label that the import gave them: `sed -i`, `git checkout`, `rsync -a` and a plain `cp` put
/// another file in the place.
extension FakeRootTree {
    /// Gives a file its owner and mode back, and its kind; setuid, setgid and capabilities only if its content is the
    /// import's.
    ///
    /// Best effort: the board sees a file without what can't be restored.
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
            let database = metadata.database
        else { return rememberNothingLost(host) }
        let loss: LabelLoss
        do throws(Errno) {
            guard let found = try labelLoss(of: descriptor, host, nil, at: path) else {
                return rememberNothingLost(host)
            }
            loss = found
        } catch {
            // The database could not be asked: the next look asks again.
            return
        }

        // Only to what was looked at, not to what somebody has made of it meanwhile.
        guard let file = try? handle(of: descriptor, host), let now = try? System.status(of: descriptor),
            now.changeTime == host.changeTime, now.linkCount > 0,
            (try? give(loss, descriptor)) != nil
        else { return }
        var found = loss.row
        found.file = file
        _ = try? metadata.reporting { () throws(MetadataError) in try database.setFile(file, of: loss.row) }
        if loss.isOfPrivileges {
            setUnfinished(found)
            if Self.isFinished(host) { complete(found, descriptor, host) }
        }
    }

    private func rememberNothingLost(_ host: FileStatus) {
        // Unless the database could not be asked.
        if metadata.problem == nil { cache.remember(.nothingLost, of: host) }
    }

    /// Whether nobody is writing the rest of a file any more.
    private static func isFinished(_ host: FileStatus) -> Bool {
        let age = System.fileClock &- host.modificationTime.seconds &* 1_000_000_000
        return age > writingTime || age < 0
    }

    /// How long after its last change a file with unexpected content counts as finished, in nanoseconds.
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
        guard let isSame = try? hasContent(of: row.entry, descriptor, host),
            isSame || Self.isFinished(host), let file = row.file
        else { return }
        unfinishedCopies.withLock { $0[file] = nil }
        if isSame { try? giveRest(row.entry, descriptor) } else { warnOnce(row.entry) }
    }

    private func giveRest(_ entry: ManifestEntry, _ descriptor: CInt) throws(Errno) {
        try changes.withLock(descriptor) { () throws(Errno) in
            let (found, label) = try read(descriptor, isLocked: true)
            // Not if somebody has changed it since.
            let given = entry.withoutPrivileges.status
            guard found.uid == given.uid, found.gid == given.gid, found.permissions & 0o7000 == given.mode & 0o7000
            else {
                return
            }
            var status = found
            status.permissions |= entry.status.mode & BoardStatus.setIDs
            try store(status, replacing: label, on: descriptor, keepsLabel: true)
            try giveCapability(entry.capability, descriptor)
        }
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

    private func give(_ loss: LabelLoss, _ descriptor: CInt) throws(Errno) {
        try changes.withLock(descriptor) { () throws(Errno) in
            let (found, label) = try read(descriptor, isLocked: true)
            guard label == nil else { return }
            try store(loss.restored(found), replacing: nil, on: descriptor, keepsLabel: true)
            try giveCapability(loss.capability, descriptor)
        }
    }

    private func giveCapability(_ capability: [UInt8]?, _ descriptor: CInt) throws(Errno) {
        guard let capability else { return }
        try setLocked(AttributeName(.capability), of: descriptor, to: capability.span.bytes, flags: 0)
    }
}
