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
            Self.canCarryAttributes(host) || host.format == .symlink,
            let (_, label) = try? read(descriptor, isLocked: false)
        else { return }
        // The usual case: it has one.
        guard label == nil, host.linkCount > 0, let path = try? manifestPath(of: descriptor),
            let row = expectation(path), let file = try? handle(of: descriptor, host)
        else { return cache.remember(.nothingLost, of: host) }
        guard Self.fits(row.entry, host), let (entry, isFinal) = lost(row, file, descriptor, host) else {
            return cache.remember(.nothingLost, of: host)
        }
        // Perhaps somebody is about to write the rest of it.
        guard isFinal else { return }
        guard (try? give(entry, descriptor)) != nil, let database = metadata.database else { return }
        var found = row
        found.file = file
        _ = try? metadata.reporting { () throws(MetadataError) in try database.setEntries([found]) }
    }

    /// The row of a path, if it expects more than a host file shows.
    private func expectation(_ path: [UInt8]) -> Manifest.Row? {
        guard let database = metadata.database else { return nil }
        let row = try? metadata.reporting { () throws(MetadataError) in try database.entry(path) }
        guard let row, row.entry.expectsSomething else { return nil }
        return row
    }

    /// Whether the file may be what the import made: never is a file with content a device, or a directory a file.
    private static func fits(_ entry: ManifestEntry, _ host: FileStatus) -> Bool {
        guard let kind = entry.status.kind else { return false }
        return kind.isSpecial ? host.format == .regular && host.size == 0 : kind.format == host.format
    }

    /// What is to be restored of an entry.
    /// - Returns: nil if nothing is lost; `isFinal` false for a file that may still be on its way.
    private func lost(
        _ row: Manifest.Row,
        _ file: FileHandle,
        _ descriptor: CInt,
        _ host: FileStatus
    ) -> (entry: ManifestEntry, isFinal: Bool)? {
        var entry = row.entry
        if entry.capability != nil, !entry.expectsLabel {
            // The capability was all. One that the very file has no more was taken away on purpose.
            let isThere = (try? value(of: AttributeName(.capability), descriptor, host, isLocked: false)) != nil
            if isThere || row.file == file { return nil }
        }
        let setIDs: UInt32 = 0o6000
        let isPrivileged = entry.status.kind == .file && (entry.status.mode & setIDs != 0 || entry.capability != nil)
        guard isPrivileged, !hasContent(of: entry, descriptor, host) else { return (entry, true) }
        let age = System.fileClock &- host.modificationTime.seconds &* 1_000_000_000
        guard age > Self.writingTime || age < 0 else { return (entry, false) }
        warnOnce(entry)
        entry.status.mode &= ~setIDs
        entry.capability = nil
        return (entry, true)
    }

    /// So long after its last change a file with another content than expected is taken for finished, in nanoseconds.
    private static let writingTime: Int64 = 2_000_000_000

    private func hasContent(of entry: ManifestEntry, _ descriptor: CInt, _ host: FileStatus) -> Bool {
        guard let hash = entry.hash, entry.size == host.size else { return false }
        let opened = try? raisingToFloor(descriptor) { () throws(Errno) in
            try DescriptorPath(descriptor).withCString { (path) throws(Errno) in
                try System.open(at: System.atCurrentDirectory, path, [.readOnly, .nonBlocking])
            }
        }
        guard let opened else { return false }
        return (try? SHA256.hash(contentOf: opened.raw)) == hash
    }

    private func warnOnce(_ entry: ManifestEntry) {
        let isNew = warned.withLock { $0.insert(entry.path).inserted }
        guard isNew else { return }
        var lost: [String] = []
        if entry.status.mode & 0o4000 != 0 { lost.append("setuid") }
        if entry.status.mode & 0o2000 != 0 { lost.append("setgid") }
        if entry.capability != nil { lost.append("capabilities") }
        let path = String(decoding: entry.path, as: UTF8.self)
        let parts = lost.joined(separator: " and ")
        warn("/\(path) was replaced and has another content than at its import: it goes without \(parts) now")
    }

    private func give(_ entry: ManifestEntry, _ descriptor: CInt) throws(Errno) {
        try labelChanges.withLock { _ throws(Errno) in
            let (found, label) = try read(descriptor, isLocked: true)
            guard label == nil, let kind = entry.status.kind else { return }
            let floor = BoardStatus.hostPermissions(entry.status.mode, kind)
            var status = found
            status.uid = entry.status.uid
            status.gid = entry.status.gid
            if kind.isSpecial { status.kind = kind }
            // A mode that is not the mirrored one is a developer's, as with a label.
            let isMirrored = found.host.mode & 0o777 == floor & 0o777 || kind == .symlink
            status.permissions = isMirrored ? entry.status.mode : found.host.mode & 0o777 | entry.status.mode & 0o7000
            try store(status, replacing: nil, on: descriptor, keepsLabel: true)
            if let capability = entry.capability {
                try setLocked(AttributeName(.capability), of: descriptor, to: capability.span.bytes, flags: 0)
            }
        }
    }
}
