public import LinuxFiles

/// The names of files: links, renames and removals.
extension FakeRootTree {
    /// Gives a file another name.
    /// - Throws: `EEXIST`; `EINVAL` for a reserved name; `EACCES`; else as `linkat(2)`.
    public func link(_ descriptor: CInt, as name: borrowing FileName, in directory: CInt) throws(Errno) {
        guard !Self.isReservedName(name) else { throw .EINVAL }
        let isExpected = isExpected(name)
        if isExpected { try ensureLabel(descriptor) }
        try raisingToFloor(directory) { () throws(Errno) in
            try name.withCString { (name) throws(Errno) in try System.link(descriptor, at: directory, name) }
        }
        if isExpected || mayBeExpected(descriptor) { describeAnew(name, in: directory, descriptor) }
    }

    /// Moves a directory entry, over an existing one. Two names of one file both stay, as in Linux.
    /// - Throws: `ENOENT` also for a reserved old name, `EINVAL` for a reserved new one; `EACCES`; what the database
    ///   gives if the replaced file has rows; else as `rename(2)`.
    public func rename(
        _ oldName: borrowing FileName,
        in oldDirectory: CInt,
        to newName: borrowing FileName,
        in newDirectory: CInt
    ) throws(Errno) {
        guard !Self.isReservedName(oldName) else { throw .ENOENT }
        guard !Self.isReservedName(newName) else { throw .EINVAL }
        let isExpected = isExpected(newName)
        if isExpected, let moved = try? lookup(oldName, in: oldDirectory) { try ensureLabel(moved.raw) }
        let replaced = isExpected || hasNamelessRecords ? Self.held(newName, in: newDirectory) : nil
        let mayBeOneFile =
            (isExpected || self.isExpected(oldName))
            && Self.areNamesOfOneFile(oldName, in: oldDirectory, newName, in: newDirectory)
        try forgetting(newName, in: newDirectory) { () throws(Errno) in
            try raisingToFloor(oldDirectory) { () throws(Errno) in
                try raisingToFloor(newDirectory) { () throws(Errno) in
                    try oldName.withCString { (old) throws(Errno) in
                        try newName.withCString { (new) throws(Errno) in
                            try System.rename(at: oldDirectory, old, to: newDirectory, new)
                        }
                    }
                }
            }
        }
        if mayBeOneFile, Self.areNamesOfOneFile(oldName, in: oldDirectory, newName, in: newDirectory) { return }
        dropRecord(of: replaced)
        if isExpected || self.isExpected(oldName) || hasNamelessRecord(newName, in: newDirectory) {
            followMove(oldName, in: oldDirectory, to: newName, in: newDirectory, replacing: replaced)
        }
    }

    /// Whether two names are hard links of one file, between which rename(2) does nothing and succeeds.
    ///
    /// A directory, or a file with a single name, is found under two names only if the host's file system treats them as one,
    /// such as upper and lower case: that rename is made.
    public static func areNamesOfOneFile(
        _ name: borrowing FileName,
        in directory: CInt,
        _ otherName: borrowing FileName,
        in otherDirectory: CInt
    ) -> Bool {
        func status(_ name: borrowing FileName, _ directory: CInt) -> FileStatus? {
            try? name.withCString { (name) throws(Errno) in try System.status(at: directory, name) }
        }
        guard let one = status(name, directory), one.format != .directory, one.linkCount > 1 else { return false }
        return status(otherName, otherDirectory)?.isSameFile(as: one) ?? false
    }

    /// A name's file, O_PATH; nil if there is none that can be opened.
    static func held(_ name: borrowing FileName, in directory: CInt) -> OwnedDescriptor? {
        try? name.withCString { (name) throws(Errno) in try System.open(at: directory, name, [.path, .noFollow]) }
    }

    /// Removes a directory entry.
    /// - Throws: `ENOENT` also for a reserved name; `ENOTEMPTY`, `EISDIR`, `ENOTDIR`, `EACCES`; what the database
    ///   gives if the file has rows; else as `unlinkat(2)`.
    public func unlink(_ name: borrowing FileName, in directory: CInt, isDirectory: Bool) throws(Errno) {
        guard !Self.isReservedName(name) else { throw .ENOENT }
        let removed =
            !isDirectory && (isExpected(name) || hasNamelessRecords) ? Self.held(name, in: directory) : nil
        try forgetting(name, in: directory) { () throws(Errno) in
            try raisingToFloor(directory) { () throws(Errno) in
                try name.withCString { (name) throws(Errno) in
                    do throws(Errno) {
                        try System.unlink(at: directory, name, isDirectory: isDirectory)
                    } catch .ENOTEMPTY {
                        // The board may see an empty directory: a killed server may have left something hidden there.
                        guard try Self.removeStaged(from: directory, name) else { throw .ENOTEMPTY }
                        try System.unlink(at: directory, name, isDirectory: isDirectory)
                    }
                }
            }
        }
        dropRecord(of: removed)
        if isExpected(name) { followRemoval(name, in: directory, of: removed, isDirectory: isDirectory) }
    }

    /// Runs what may take the last name from a file, and removes the file's rows if it has.
    private func forgetting(
        _ name: borrowing FileName,
        in directory: CInt,
        _ operation: () throws(Errno) -> Void
    ) throws(Errno) {
        let rows: RowFilters.Content = [.symlinks, .nodes, .attributes]
        guard !metadata.holds.isDisjoint(with: rows),
            let file = try? name.withCString({ (name) throws(Errno) in
                try System.open(at: directory, name, [.path, .noFollow])
            })
        else { return try operation() }
        let host = try System.status(of: file.raw)
        let handle = try handle(of: file.raw, host)
        let fingerprint = handle.fingerprint
        let filters = metadata.filters
        guard filters.containsLabel(fingerprint) || filters.contains(fingerprint, in: \.attributes) else {
            return try operation()
        }
        let label = try read(file.raw, isLocked: false).label
        try operation()
        guard let database = metadata.database, Self.isGone(file.raw, host, name, in: directory) else { return }
        // It may still be open.
        if let label { metadata.keepOrphan(handle, label) }
        try metadata.reporting { () throws(MetadataError) in try database.removeRows(handle) }
        metadata.countRemoval()
    }

    /// Whether the last name of a file is gone; a directory's link count tells on some file systems only.
    private static func isGone(
        _ descriptor: CInt,
        _ host: FileStatus,
        _ name: borrowing FileName,
        in directory: CInt
    ) -> Bool {
        guard host.format == .directory else { return (try? System.status(of: descriptor).linkCount) == 0 }
        let now = try? name.withCString { (name) throws(Errno) in try System.status(at: directory, name) }
        return now.map { !$0.isSameFile(as: host) } ?? true
    }

    /// Removes what was being made in a directory, if the directory holds nothing else.
    /// - Returns: whether it is empty now.
    private static func removeStaged(
        from parent: CInt,
        _ name: UnsafePointer<CChar>
    ) throws(Errno) -> Bool {
        let directory = try System.open(at: parent, name, [.readOnly, .directory, .noFollow])
        let names = try System.names(in: directory.raw)
        for name in names where try !isStagingName(FileName(name.span.bytes)) { return false }
        for name in names { try System.removeTree(at: directory.raw, FileName(name.span.bytes)) }
        return true
    }
}
