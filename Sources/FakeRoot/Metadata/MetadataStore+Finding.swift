internal import LinuxFiles

/// Finding a tree's database, making it, and moving it to where it belongs. Only under `finding`, or when the tree is opened.
extension MetadataStore {
    /// - Parameter milliseconds: how long another process that does the same is waited for.
    func find(waitingAtMost milliseconds: Int) throws(MetadataError) -> MetadataDatabase? {
        let location = location
        return try withParentLocked(location, milliseconds) { () throws(MetadataError) in
            guard let file = try findFile(location) else { return nil }
            return try open(options.mayWrite ? settle(file, location) : file, isExact: true)
        }
    }

    /// Which file is this tree's, if any.
    private func findFile(_ location: DatabaseLocation) throws(MetadataError) -> DatabaseFile? {
        if let sidecar = location.sidecar, try open(sidecar, isExact: true) != nil { return sidecar }
        // A renamed tree's; what can't be read is not.
        for file in location.neighbours where ((try? open(file, isExact: false)) ?? nil) != nil { return file }
        if let file = location.stateFile, try open(file, isExact: true) != nil { return file }
        if let file = location.oldStateFile, try open(file, isExact: true) != nil { return file }
        return nil
    }

    /// Opens a database if it is this tree's.
    /// - Parameter isExact: whether it has the name of this tree's; then what is wrong with it is told.
    /// - Returns: nil if there is none, it may not be used, or it is another tree's.
    func open(_ file: DatabaseFile, isExact: Bool) throws(MetadataError) -> MetadataDatabase? {
        do throws(MetadataError) {
            guard try mayUse(file, isExact: isExact) else { return nil }
            return try openTrusted(file)
        } catch {
            guard error.code != .blank else { return nil }
            // In a directory that may be a part of a tree anything may have such a name.
            guard [.corrupt, .foreign, .busy].contains(error.code), !options.makesDatabase || !isExact else {
                throw error
            }
            if isExact { tell("\(error.message): it is not used") }
            return nil
        }
    }

    /// Where anybody may write, anybody can put a file of this name: labels are taken from the user's own database only,
    /// the tree's owner's, or root's.
    private func mayUse(_ file: DatabaseFile, isExact: Bool) throws(MetadataError) -> Bool {
        guard let status = try look(at: file) else { return false }
        if let objection = SQLiteFiles.objection(status) {
            if isExact { tell("\(file.path) \(objection): it is not used as the metadata database") }
            return false
        }
        // Left by a process that was killed before it had written anything.
        guard status.size > 0 else { return false }
        for suffix in DatabaseFile.companions {
            let companion = file.with(suffix)
            guard let status = try look(at: companion), let objection = SQLiteFiles.objection(status) else { continue }
            throw MetadataError(
                .foreign,
                "\(companion.path) \(objection), so the metadata database beside it can't be used",
                hint: "Move the file away.",
                errno: .EIO
            )
        }
        return true
    }

    private func look(at file: DatabaseFile) throws(MetadataError) -> FileStatus? {
        do throws(Errno) {
            return try file.status
        } catch {
            throw MetadataError(.system, "can't look at \(file.path): \(error.text)", errno: error)
        }
    }

    private func openTrusted(_ file: DatabaseFile) throws(MetadataError) -> MetadataDatabase? {
        let mayWrite = options.mayWrite
        if mayWrite { file.tighten() }
        do throws(MetadataError) {
            // A reader that could write leaves no files beside it when it closes; one that can't, does.
            let access = mayWrite || file.isWritable ? SQLiteConnection.Access.readWrite : .readOnly
            return try MetadataDatabase.open(file, access, root: rootHandle, mayChange: mayWrite, record: record)
        } catch  where error.code == .system && !mayWrite {
            // The files beside it that readers share can't be made. Nobody writes to it then either.
            return try MetadataDatabase.open(file, .immutable, root: rootHandle)
        }
    }

    // MARK: Moving

    /// Gives a database the place and the name that it should have, if nobody else has it open; later, otherwise.
    /// - Returns: where it is afterwards.
    private func settle(_ file: DatabaseFile, _ location: DatabaseLocation) -> DatabaseFile {
        guard location.isExposed(file.directory) else {
            // As it is called in this release, or after the tree.
            let isInState = location.stateFile.map { $0.directory.id == file.directory.id } ?? false
            let wanted = isInState ? location.stateFile : location.sidecar
            guard let wanted, !wanted.isSame(as: file) else { return file }
            return move(file, to: wanted, location)
        }
        guard let place = try? location.placeForNew(), !place.isExposed else {
            // Clients reach what has the name of an earlier release.
            if let old = location.oldStateFile, old.isSame(as: file), let new = location.stateFile {
                return move(file, to: new, location)
            }
            // Without shared memory there, whatever happens to its files.
            _ = MetadataDatabase.makeSingleFile(file)
            return file
        }
        return move(file, to: place.file, location)
    }

    private func move(_ file: DatabaseFile, to new: DatabaseFile, _ location: DatabaseLocation) -> DatabaseFile {
        guard let hasLog = MetadataDatabase.makeSingleFile(file) else { return file }
        var result = new
        do throws(Errno) {
            try moveAside(new, location)
            do throws(Errno) {
                try file.rename(to: new)
            } catch .EXDEV {
                try file.copy(to: new)
                try file.remove()
            }
            try? file.with(DatabaseRecord.suffix).rename(to: new.with(DatabaseRecord.suffix), replacing: true)
        } catch {
            result = file
        }
        if hasLog, !location.isExposed(result.directory) { MetadataDatabase.setWriteAheadLog(result) }
        return result
    }

    /// Makes room for this tree's database where another tree's is. That one follows its tree if it is beside this one;
    /// else its tree has gone, and the last such database is kept, for whoever wants it back.
    private func moveAside(_ file: DatabaseFile, _ location: DatabaseLocation) throws(Errno) {
        guard let status = try file.status else { return }
        // Left by a process that was killed.
        if status.format == .regular, status.size == 0 || MetadataDatabase.isBlank(file) { return try file.remove() }
        guard MetadataDatabase.makeSingleFile(file) != nil else { throw .EBUSY }
        if let root = MetadataDatabase.root(of: file), let name = location.nameOfNeighbour(root) {
            let bytes = [UInt8(ascii: ".")] + name + Array(DatabaseLocation.suffix.utf8)
            try file.rename(to: DatabaseFile(directory: file.directory, name: bytes))
        } else {
            try file.rename(to: file.with(".old"), replacing: true)
        }
    }

    /// Two processes must not look for one tree's database, make and rename it, at the same moment.
    private func withParentLocked<Result>(
        _ location: DatabaseLocation,
        _ milliseconds: Int,
        _ body: () throws(MetadataError) -> Result
    ) throws(MetadataError) -> Result {
        guard options.mayWrite, let parent = location.sidecar?.directory,
            let directory = try? System.open(at: parent.descriptor.raw, ".", [.readOnly, .directory])
        else { return try body() }
        // Whoever holds it longer holds it for another reason.
        _ = try? System.lock(directory.raw, milliseconds: milliseconds)
        defer { extendLifetime(directory) }
        return try body()
    }

    // MARK: Making

    func make(waitingAtMost milliseconds: Int) throws(MetadataError) -> MetadataDatabase {
        guard options.makesDatabase else {
            throw MetadataError(.system, "no database may be made for this directory", errno: .EOPNOTSUPP)
        }
        let location = location
        return try withParentLocked(location, milliseconds) { () throws(MetadataError) in
            let place = try location.placeForNew()
            let file = place.file
            // Another process may have made it a moment ago.
            if let found = try open(file, isExact: true) { return found }
            do throws(Errno) {
                if let status = try file.status, status.format != .regular || status.size > 0 {
                    try moveAside(file, location)
                }
            } catch {
                throw MetadataError(
                    .foreign,
                    "\(file.path) is in the way of this tree's metadata: \(error.text)",
                    hint: "Move the file away.",
                    errno: .EIO
                )
            }
            try MetadataDatabase.create(file, root: rootHandle, usesLog: !place.isExposed)
            record.setDatabase(file)
            if let made = try openTrusted(file) { return made }
            throw MetadataError(.busy, "\(file.path) is another tree's now", hint: "Try again.", errno: .EBUSY)
        }
    }
}

extension DatabaseFile {
    /// Writes the content to a new file, and it to the disk.
    fileprivate func copy(to new: DatabaseFile) throws(Errno) {
        guard try new.status == nil else { throw .EEXIST }
        let source = try open(.readOnly)
        let temporary = new.with(".moving\(DatabaseLocation.suffix)")
        try? temporary.remove()
        do throws(Errno) {
            let target = try temporary.open([.writeOnly, .create, .exclusive])
            var buffer = [UInt8](repeating: 0, count: 1 << 20)
            var offset: Int64 = 0
            while true {
                let count = try buffer.withUnsafeMutableBufferPointer { (bytes) throws(Errno) in
                    try System.read(source.raw, into: UnsafeMutableRawBufferPointer(bytes), at: offset)
                }
                if count == 0 { break }
                let written = try System.write(target.raw, buffer.span.bytes.extracting(first: count), at: offset)
                guard written == count else { throw .ENOSPC }
                offset += Int64(count)
            }
            try System.synchronize(target.raw, dataOnly: false)
            try temporary.rename(to: new)
            let directory = try System.open(at: new.directory.descriptor.raw, ".", [.readOnly, .directory])
            try System.synchronizeDirectory(directory.raw)
        } catch {
            try? temporary.remove()
            throw error
        }
    }
}
