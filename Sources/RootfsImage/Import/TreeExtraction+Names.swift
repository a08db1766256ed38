internal import FakeRoot
internal import ImageEntries
internal import LinuxFiles

/// Finding the place of an entry, and what to say when there is none.
extension TreeExtraction {
    /// Why an entry can't be extracted, before its path is put into words.
    enum Failure: Error {
        /// The reason, to go after the entry's path.
        case refused(String)
        /// A symbolic link in its path, where none is followed: the reason as well.
        case linked(String)
        case system(Errno)
        /// It is not the entry's fault.
        case stopped(ImageError)
    }

    func system<Result: ~Copyable>(_ body: () throws(Errno) -> Result) throws(Failure) -> Result {
        do throws(Errno) {
            return try body()
        } catch {
            throw .system(error)
        }
    }

    func checkedPath(_ entry: ImageEntry) throws(ImageError) -> EntryPath {
        let path: EntryPath
        do throws(EntryPath.Refusal) {
            path = try EntryPath(entry.path, stripsSlash: options.stripsAbsoluteNames)
        } catch {
            let name = ImageError.displayed([], entry.path, limit: 255)
            guard error == .absolute else { throw .refused(name, error.rawValue) }
            throw .absolute(name, error.rawValue)
        }
        if let reason = entry.reasonToRefuse { throw .refused(path.description, reason) }
        guard !path.isRoot || entry.body == .directory else {
            throw .refused(printable(entry.path), "the root must be a directory")
        }
        return path
    }

    /// Makes something new under an entry's name, in the place of what is there.
    /// - Parameter kind: what it will be; nil for another name of a file.
    func create<Result: ~Copyable>(
        _ path: EntryPath,
        _ kind: NodeKind?,
        _ make: (borrowing FileName, CInt) throws(Errno) -> Result
    ) throws(Failure) -> Result {
        let directory = try enterParent(of: path)
        do throws(Errno) {
            let name = try FileName(path.last.span.bytes)
            try directories.willChange()
            do throws(Errno) {
                return try make(name, directory)
            } catch .EEXIST {
                try makeRoom(name, in: directory, for: kind, path)
                directories.didRemove()
                summary.replaced += 1
                return try make(name, directory)
            }
        } catch .ENOTUNIQ {
            throw .refused("an earlier entry of this name is of another kind")
        } catch {
            throw .system(error)
        }
    }

    /// Removes what an entry takes the place of.
    /// - Throws: `ENOTUNIQ` if it may not, since what came after the earlier entry may count on what that was.
    private func makeRoom(
        _ name: borrowing FileName,
        in directory: CInt,
        for kind: NodeKind?,
        _ path: EntryPath
    ) throws(Errno) {
        if let layer = layers.layer, layer > 0, !replacesOwn {
            // Removes what a lower layer has, of any kind.
            try removeTree(name, in: directory)
            try removed(path.bytes)
            return
        }
        let found = try tree.lookup(name, in: directory)
        let old = try tree.status(of: found.raw).kind
        let isSame =
            switch (old, kind) {
            case (.file, .file), (.file, nil), (.symlink, .symlink): true
            // A special file may have been given another name as well.
            case (_, nil): old != .directory
            case (_, let kind?): old.isSpecial && kind.isSpecial
            }
        guard isSame || replacesOtherKinds else { throw .ENOTUNIQ }
        do throws(Errno) {
            try tree.unlink(name, in: directory, isDirectory: old == .directory)
        } catch .ENOTEMPTY {
            throw .ENOTUNIQ
        }
        if !isSame { try removed(path.bytes) }
    }

    /// What stands under an entry's name already; nil for nothing.
    func standing(_ path: EntryPath) throws(Failure) -> FileFormat? {
        let directory = try enterParent(of: path)
        do throws(Errno) {
            let found = try tree.lookup(FileName(path.last.span.bytes), in: directory)
            return try System.status(of: found.raw).format
        } catch .ENOENT {
            return nil
        } catch {
            throw .system(error)
        }
    }

    func open(_ path: EntryPath) throws(Failure) -> OwnedDescriptor {
        let directory = try enterParent(of: path)
        return try system { () throws(Errno) in try tree.lookup(FileName(path.last.span.bytes), in: directory) }
    }

    func enterParent(of path: EntryPath) throws(Failure) -> CInt { try directories.enterParent(of: path) }

    func importError(_ failure: Failure, _ path: EntryPath) -> ImageError {
        switch failure {
        case .refused(let reason): .refused(path.description, reason)
        case .linked(let reason):
            options.followsLinks
                ? .refused(path.description, reason)
                : .refused(path.description, reason, hint: "Without --no-follow-links it is put where the link leads.")
        case .system(.EMLINK): tooManyDirectories(path)
        case .system(let error): .writing("can't make \(path.description)", error, in: tree.root.raw)
        case .stopped(let error): error
        }
    }
}

extension ImageError {
    /// The error for a path with a "/" at its beginning; for the parameters see `refused`.
    static func absolute(_ name: String, _ reason: String) -> ImageError {
        .refused(
            name,
            reason,
            hint: "If it is meant relative to the new root, as an archive made with tar -P is:\n    --strip-absolute"
        )
    }
}
