internal import LinuxFiles
internal import Synchronization
internal import SQLite

/// Finding a tree's database, making it, and moving it to where it belongs. Only under `finding`, or when the tree is opened.
extension MetadataStore {
    /// - Parameter milliseconds: how long another process that does the same is waited for.
    func find(waitingAtMost milliseconds: Int) throws(MetadataError) -> MetadataDatabase? {
        let location = location
        return try withParentLocked(location, milliseconds) { () throws(MetadataError) in
            guard let file = try findFile(location) else { return nil }
            return try open(
                options.mayWrite ? settle(file.file, file.isOfFirstVersion, location) : file.file,
                isExact: true
            )
        }
    }

    /// Which file is this tree's, if any.
    private func findFile(_ location: DatabaseLocation) throws(MetadataError) -> Found? {
        if let sidecar = location.sidecar, let found = try open(sidecar, isExact: true) { return Found(found) }
        // A renamed tree's database; one that can't be read is skipped.
        for file in location.neighbours {
            if let found = (try? open(file, isExact: false)) ?? nil { return Found(found) }
        }
        var inState: [Found] = []
        for file in [location.stateFile, location.oldStateFile].compactMap(\.self) {
            if let found = try open(file, isExact: true) { inState.append(Found(found)) }
        }
        guard inState.count > 1 else { return inState.first }
        // An earlier release doesn't see the one with the new name, and has made another.
        let used = inState.firstIndex { !$0.isOfFirstVersion } ?? 0
        tell(
            "this tree has two metadata databases: \(inState[used].file.path) is used, "
                + "\(inState[1 - used].file.path) is not. Move away the one that is not right"
        )
        return inState[used]
    }

    private struct Found {
        let file: DatabaseFile
        let isOfFirstVersion: Bool

        init(_ database: MetadataDatabase) {
            file = database.file
            isOfFirstVersion = database.isOfFirstVersion
        }
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
            // In a directory that may be a part of a tree any file may have such a name.
            guard [.corrupt, .foreign, .busy].contains(error.code), !options.makesDatabase || !isExact else {
                throw error
            }
            if isExact { tell("\(error.message): it is not used") }
            return nil
        }
    }

    /// In a directory that everybody may write to, everybody can make a file of this name. So only a database of the user, the
    /// tree's owner or root counts.
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
            // A reader that could write removes the files beside the database when it closes; another one leaves them.
            let access = mayWrite || file.isWritable ? SQLiteAccess.readWrite : .readOnly
            return try MetadataDatabase.open(file, access, root: rootHandle, mayChange: mayWrite, record: record)
        } catch  where error.isOfFullDisk && file.hasEmptyLog {
            // There is no room for the files beside it. Reading needs none; a later write fails with the reason.
            return try MetadataDatabase.open(file, .immutable, root: rootHandle, isWithoutRoom: true)
        } catch  where error.code == .system && !mayWrite && !error.isOfFullDisk {
            // The files beside it that readers share can't be made. Then nobody can write to it either.
            return try MetadataDatabase.open(file, .immutable, root: rootHandle)
        }
    }

    // MARK: Moving

    /// Gives a database the place and the name that it should have, if nobody else has it open; later, otherwise.
    ///
    /// In the state directory one of version 1 keeps the name by which earlier releases find it, as long as clients don't
    /// reach it there.
    /// - Returns: where it is afterwards.
    private func settle(_ file: DatabaseFile, _ isOfFirstVersion: Bool, _ location: DatabaseLocation) -> DatabaseFile {
        guard location.isExposed(file.directory) else {
            // Give it this release's name, or the tree's.
            let isInState = location.stateFile.map { $0.directory.id == file.directory.id } ?? false
            let wanted = isInState ? location.stateFile : location.sidecar
            guard let wanted, !wanted.isSame(as: file), !(isInState && isOfFirstVersion) else { return file }
            // This tree has two: the user decides which one goes.
            if isInState, let root = MetadataDatabase.root(of: wanted), root == rootHandle { return file }
            return move(file, to: wanted, location)
        }
        guard let place = try? location.placeForNew(), !place.isExposed else {
            // Clients would reach a database with the name of an earlier release.
            if let old = location.oldStateFile, old.isSame(as: file), let new = location.stateFile {
                return move(file, to: new, location)
            }
            // It stays there, in a single file without shared memory.
            _ = MetadataDatabase.makeSingleFile(file)
            return file
        }
        if isOfFirstVersion, let old = location.oldStateFile, old.directory.id == place.file.directory.id {
            return move(file, to: old, location)
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

    /// Makes room for this tree's database where another tree's is. That one is moved to its tree if the tree is beside this
    /// one. Otherwise its tree has gone, and the last such database is kept, in case somebody wants it back.
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
        // A process that holds it longer has another reason.
        _ = try? System.lock(directory.raw, milliseconds: milliseconds)
        defer { extendLifetime(directory) }
        return try body()
    }

    // MARK: Full disks

    /// - Throws: `ENOSPC` for one that can only be read.
    func withRoom(_ database: MetadataDatabase) throws(MetadataError) -> MetadataDatabase {
        if database.isWithoutRoom { throw database.noRoom }
        return database
    }

    /// Opens a database anew that was opened read-only while its disk was full, once there is room.
    func lookForRoom(_ database: MetadataDatabase) {
        // For the shared memory and the beginning of a log.
        let enough: UInt64 = 128 << 10
        guard let disk = try? System.fileSystemStatus(of: database.file.directory.descriptor.raw),
            disk.blocksAvailable * UInt64(disk.blockSize) >= enough,
            // Some file systems do not count inodes.
            disk.files == 0 || disk.filesFree >= 2
        else { return }
        _ = finding.withLockIfAvailable { _ in
            guard self.database === database, let found = (try? open(database.file, isExact: true)) ?? nil,
                !found.isWithoutRoom
            else { return }
            setDatabase(found)
            _ = try? reporting { () throws(MetadataError) in try load() }
        }
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
            if let found = try open(file, isExact: true) { return try withRoom(found) }
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
            if let made = try openTrusted(file) { return try withRoom(made) }
            throw MetadataError(.busy, "\(file.path) is another tree's now", hint: "Try again.", errno: .EBUSY)
        }
    }
}

extension MetadataError {
    fileprivate var isOfFullDisk: Bool { errno == .ENOSPC || errno == .EDQUOT }
}

extension DatabaseFile {
    /// Whether the file itself is complete: a log can't be read without shared memory.
    fileprivate var hasEmptyLog: Bool {
        do throws(Errno) {
            return try (with("-wal").status?.size ?? 0) == 0
        } catch {
            return false
        }
    }

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
