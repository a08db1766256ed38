internal import LinuxFiles
internal import Synchronization

/// Takes the board's own changes over into the manifest: what is lost later comes back in its last state, and files that the
/// board made don't get anything of the import's.
///
/// Best effort: the change itself has been made, and its request succeeds even if the list could not be written.
extension FakeRootTree {
    /// Whether a name may lead to a file of which the manifest expects more than a host file shows.
    func isExpected(_ name: borrowing FileName) -> Bool {
        guard metadata.holds.contains(.manifest) else { return false }
        return metadata.filters.contains(Self.fingerprint(name), in: \.names)
    }

    /// As `isExpected`, for the last names of paths alone.
    func expectsSomething(of name: borrowing FileName) -> Bool {
        guard restoresLabels, metadata.holds.contains(.manifest) else { return false }
        return metadata.filters.contains(Self.fingerprint(name), in: \.expected)
    }

    private static func fingerprint(_ name: borrowing FileName) -> UInt64 {
        name.bytes.withUnsafeBytes { RowFilters.fingerprint($0) }
    }

    /// Relative to the root; empty for the root itself.
    /// - Throws: `ESTALE` for what is not in the tree any more.
    func manifestPath(of descriptor: CInt) throws(Errno) -> [UInt8] {
        let path = try System.currentPath(of: descriptor)
        if path == (try System.currentPath(of: root.raw)) { return [] }
        return try Self.pathHint(of: descriptor, beneath: root.raw)
    }

    private func manifestPath(of name: borrowing FileName, in directory: CInt) throws(Errno) -> [UInt8] {
        let above = try manifestPath(of: directory)
        let name = name.bytes.withUnsafeBytes { Array($0) }
        return above.isEmpty ? name : above + [UInt8(ascii: "/")] + name
    }

    private func withManifest(_ body: (MetadataDatabase) throws(MetadataError) -> Void) {
        guard hasManifest, let database = metadata.database else { return }
        _ = try? metadata.reporting { () throws(MetadataError) in try body(database) }
    }

    /// Gives a file a label of its own if it lacks one: it is about to get a name at which a label is expected. Leaves a file
    /// alone whose label would not be believed.
    func ensureLabel(_ descriptor: CInt) throws(Errno) {
        try changes.withLock(descriptor) { () throws(Errno) in
            let (status, label) = try read(descriptor, isLocked: true)
            let host = status.host
            guard label == nil, trust.covers(descriptor, host), Self.canCarryAttributes(host) || host.format == .symlink
            else { return }
            try store(status, replacing: nil, on: descriptor, keepsLabel: true)
        }
    }

    /// Whether a file may have a record, which its new name must then have as well. Cheap, and true for few files.
    func mayBeExpected(_ descriptor: CInt) -> Bool {
        guard metadata.holds.contains(.manifest) else { return false }
        if hasNamelessRecord(descriptor) { return true }
        // If there are several names each may have the record.
        if let host = try? System.status(of: descriptor), host.linkCount > 2 { return true }
        guard let path = try? System.currentPath(of: descriptor), let slash = path.lastIndex(of: UInt8(ascii: "/"))
        else { return false }
        return metadata.filters.contains(RowFilters.fingerprint(path[(slash + 1)...]), in: \.expected)
    }

    /// Makes the row of a path the new file's. A file that has a record under another name gets the same here.
    func describeAnew(_ name: borrowing FileName, in directory: CInt) {
        let file = try? name.withCString { (name) throws(Errno) in
            try System.open(at: directory, name, [.path, .noFollow])
        }
        guard let file else { return }
        describeAnew(name, in: directory, file.raw)
    }

    func describeAnew(_ name: borrowing FileName, in directory: CInt, _ descriptor: CInt) {
        guard let path = try? manifestPath(of: name, in: directory) else { return }
        describeAnew(path, descriptor)
    }

    private func describeAnew(_ path: [UInt8], _ descriptor: CInt) {
        guard let status = try? status(of: descriptor), let file = try? handle(of: descriptor, status.host) else {
            return
        }
        let capability = try? attribute(Array("security.capability".utf8).span.bytes, of: descriptor)
        withManifest { database throws(MetadataError) in
            let known = try record(of: file, in: database)
            var entry = ManifestEntry(
                path: path,
                status: status.label,
                size: known?.size ?? status.host.size,
                modificationTime: known?.modificationTime ?? status.host.modificationTime,
                hash: known?.hash
            )
            entry.capability = capability
            let hasRow = try database.entry(path) != nil
            guard hasRow || known != nil && entry.expectsSomething else { return }
            if status.kind == .symlink { entry.linkTarget = (try? System.linkTarget(of: descriptor)) ?? [] }
            try database.setEntries([Manifest.Row(entry: entry, file: file)])
            namelessRecords.withLock { $0[file] = nil }
            if entry.expectsSomething { expect([path]) }
        }
    }

    // MARK: Files with several names

    /// What is recorded of a file under any of its names, or was under one that was removed.
    private func record(
        of file: FileHandle,
        in database: MetadataDatabase
    ) throws(MetadataError) -> ManifestEntry? {
        if let row = try database.entries(of: file).first { return row.entry }
        return namelessRecords.withLock { $0[file] }
    }

    var hasNamelessRecords: Bool { namelessRecords.withLock { !$0.isEmpty } }

    private func hasNamelessRecord(_ descriptor: CInt) -> Bool {
        guard hasNamelessRecords, let host = try? System.status(of: descriptor),
            let file = try? handle(of: descriptor, host)
        else { return false }
        return namelessRecords.withLock { $0[file] != nil }
    }

    /// Whether a name's file lost the name that had its record.
    func hasNamelessRecord(_ name: borrowing FileName, in directory: CInt) -> Bool {
        guard hasNamelessRecords, let file = Self.held(name, in: directory) else { return false }
        return hasNamelessRecord(file.raw)
    }

    /// Forgets the record of a file whose last name has gone: otherwise each later rename would look for it.
    func dropRecord(of descriptor: borrowing OwnedDescriptor?) {
        let raw: CInt
        switch descriptor {
        case .some(let descriptor): raw = descriptor.raw
        case nil: return
        }
        guard hasNamelessRecords, let host = try? System.status(of: raw), host.linkCount == 0,
            let file = try? handle(of: raw, host)
        else { return }
        namelessRecords.withLock { $0[file] = nil }
    }

    private static let maxNameless = 256

    /// Keeps the record of a file whose only recorded name has gone while others stay that the host has made: the board
    /// may rename one of them to where the record was.
    private func keepRecord(
        at path: [UInt8],
        of descriptor: borrowing OwnedDescriptor?,
        in database: MetadataDatabase
    ) throws(MetadataError) {
        let raw: CInt
        switch descriptor {
        case .some(let descriptor): raw = descriptor.raw
        case nil: return
        }
        guard let host = try? System.status(of: raw), host.linkCount > 0, host.format != .directory,
            let file = try? handle(of: raw, host)
        else { return }
        let rows = try database.entries(of: file)
        guard rows.count == 1, let entry = rows.first?.entry, entry.path == path, entry.expectsSomething else { return }
        namelessRecords.withLock {
            if $0.count >= Self.maxNameless, let some = $0.keys.first { $0[some] = nil }
            $0[file] = entry
        }
    }

    /// After a change of owner, mode or capability.
    func follow(_ descriptor: CInt) {
        guard hasManifest, let host = try? System.status(of: descriptor), trust.covers(descriptor, host),
            let file = try? handle(of: descriptor, host), let path = try? manifestPath(of: descriptor),
            let (status, label) = try? read(descriptor, isLocked: true),
            // The list must not forget what a label is withheld for: it may yet confirm the label.
            label.map({ !BoardStatus.isWithheld(host, $0) }) ?? true
        else { return }
        let name = AttributeName(.capability)
        let capability = try? value(of: name, descriptor, host, isLocked: true)
        withManifest { database throws(MetadataError) in
            // A file with several names has several rows; one with a single name may have a row from where it was once.
            var rows = try database.entries(of: file).filter { $0.entry.path == path || host.linkCount > 1 }
            // A copy with its label (cp -a, rsync -X) has taken the place of the import's file: the row is its own now.
            if host.linkCount > 0, !rows.contains(where: { $0.entry.path == path }), var row = try database.entry(path)
            {
                row.file = nil
                rows.append(row)
            }
            var changed: [Manifest.Row] = []
            for var row in rows
            where row.file != file || row.entry.status != status.label || row.entry.capability != capability {
                row.file = file
                row.entry.status = status.label
                row.entry.capability = capability
                changed.append(row)
            }
            guard !changed.isEmpty else { return }
            try database.setEntries(changed)
            expect(changed.filter(\.entry.expectsSomething).map(\.entry.path))
        }
    }

    private func expect(_ paths: [[UInt8]]) {
        metadata.filters.insert { for path in paths { $0.expect(path) } }
    }

    /// Follows a rename from or to a path at which something is expected.
    func followMove(
        _ oldName: borrowing FileName,
        in oldDirectory: CInt,
        to newName: borrowing FileName,
        in newDirectory: CInt,
        replacing replaced: borrowing OwnedDescriptor?
    ) {
        guard let old = try? manifestPath(of: oldName, in: oldDirectory),
            let new = try? manifestPath(of: newName, in: newDirectory), old != new
        else { return }
        var isMoved = false
        guard hasManifest, let database = metadata.database else { return }
        _ = try? metadata.reporting { () throws(MetadataError) in
            try keepRecord(at: new, of: replaced, in: database)
            guard try database.hasEntries(old) else { return }
            let moving = try database.pathsOfExpectations(beneath: old)
            try database.moveEntries(from: old, to: new)
            isMoved = true
            expect(moving.map { new + $0.dropFirst(old.count) })
        }
        if !isMoved { describeAnew(newName, in: newDirectory) }
    }

    /// - Parameter file: what had the name; nil for a directory.
    func followRemoval(
        _ name: borrowing FileName,
        in directory: CInt,
        of file: borrowing OwnedDescriptor?,
        isDirectory: Bool
    ) {
        guard let path = try? manifestPath(of: name, in: directory), hasManifest, let database = metadata.database
        else { return }
        _ = try? metadata.reporting { () throws(MetadataError) in
            try keepRecord(at: path, of: file, in: database)
            try database.removeEntry(path, beneath: isDirectory)
        }
    }
}
