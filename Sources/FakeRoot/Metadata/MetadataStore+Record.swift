internal import LinuxFiles
internal import Synchronization

/// Comparing what the database holds with what it held.
extension MetadataStore {
    func compareWithRecord(_ location: DatabaseLocation) throws(MetadataError) {
        if record.isOfAnotherTree, database == nil {
            let path = String(decoding: (try? System.currentPath(of: rootDescriptor)) ?? [], as: UTF8.self)
            tell("\(path) is a copy of a tree: what that tree's metadata database holds is not here")
            if options.mayWrite { record.remove() }
        }
        guard isRecorded else {
            // Releases that write to such a database know no record: what one says is old, if it says anything.
            if options.mayWrite, record.content != nil { record.remove() }
            return
        }
        if let old = record.content, !options.acceptsLoss {
            var lost = DatabaseRecord.Content()
            if filters.count == 0 { lost.rows = old.rows }
            lost.hasManifest = old.hasManifest && !filters.content.contains(.manifest)
            if !lost.isEmpty {
                // Removed by another process just now, with the record.
                let now = DatabaseRecord(root: rootDescriptor, handle: rootHandle, mayWrite: false, beside: [])
                guard now.content == old || now.content == nil else { return updateRecord() }
                throw loss(of: lost, location)
            }
        }
        updateRecord()
    }

    /// Whether the record counts, and is written: not beside a database of version 1, which a release that knows no record
    /// may change at any time. Such a release refuses version 2.
    private var isRecorded: Bool { database.map { !$0.isOfFirstVersion } ?? true }

    private func loss(of lost: DatabaseRecord.Content, _ location: DatabaseLocation) -> MetadataError {
        let place =
            database?.file
            ?? location.files.first {
                ((try? $0.status) ?? nil) != nil
            }
        let missing = location.sidecar?.path ?? location.stateFile?.path ?? "of \(rootHandle.text)"
        let what =
            told.withLock { $0.waiting?.first } ?? place.map { "the metadata database \($0.path) was emptied" }
            ?? "the metadata database \(missing) is gone"
        var losses: [String] = []
        if lost.rows > 0 { losses.append("owners of at least \(lost.rows) \(lost.rows == 1 ? "file" : "files")") }
        if lost.hasManifest { losses.append("the import's list") }
        let root = String(decoding: (try? System.currentPath(of: rootDescriptor)) ?? [], as: UTF8.self)
        return MetadataError(
            .lost,
            "\(what): \(losses.joined(separator: " and ")) \(lost.rows > 0 ? "are" : "is") lost",
            hint:
                "\(place == nil ? moving(location) : "")Restore it from a backup. To go on without what was in it: p9serve check --repair \(ShellWord(root))",
            errno: .EIO
        )
    }

    /// What to do about a database that stayed where the tree's directory was.
    private func moving(_ location: DatabaseLocation) -> String {
        guard let file = location.sidecar else { return "" }
        return "If the directory was moved, move its database along: from beside its old place, where it is called "
            + ".OLDNAME\(DatabaseLocation.suffix), to \(file.path), with the -wal beside it, if there is one. Else:\n"
    }

    func updateRecord() {
        guard options.mayWrite else { return }
        guard let database else {
            // With a loss that was accepted.
            if record.content.map({ !$0.isEmpty }) ?? false { record.remove() }
            return
        }
        record.setDatabase(database.file)
        guard isRecorded else { return }
        let rows = UInt64(filters.count)
        let hasManifest = filters.content.contains(.manifest)
        record.update { content in
            // Written now and then only: it moves the directory's change time.
            content.rows = rows == 0 ? 0 : 1 << (63 - UInt64(rows.leadingZeroBitCount))
            content.hasManifest = hasManifest
        }
    }
}
