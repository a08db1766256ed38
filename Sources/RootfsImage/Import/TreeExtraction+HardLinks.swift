internal import FakeRoot
internal import ImageEntries
internal import LinuxFiles

/// Hard links: further names of files that came before.
extension TreeExtraction {
    func makeHardLink(
        _ path: EntryPath,
        to target: [UInt8],
        _ entry: ImageEntry,
        from source: any EntrySource,
        _ onProgress: (UInt64) -> Void
    ) throws(Failure) {
        var targetPath: EntryPath
        do throws(EntryPath.Refusal) {
            targetPath = try EntryPath(target, stripsSlash: options.stripsAbsoluteNames)
        } catch {
            let reason = "the target of the hard link, \(ImageError.displayed(target)): \(error.rawValue)"
            throw error == .absolute ? .stopped(.absolute(path.description, reason)) : .refused(reason)
        }
        let file = try openTarget(&targetPath)
        let isDirectory = targetPath.isRoot || (try? System.status(of: file.raw).format) == .directory
        guard !isDirectory else { throw .refused("it is a hard link to \(targetPath.description), a directory") }
        guard path.bytes != targetPath.bytes else { return }
        do throws(Failure) {
            try create(path, nil) { (name, directory) throws(Errno) in
                try tree.link(file.raw, as: name, in: directory)
            }
        } catch .system(.EMLINK) {
            throw .stopped(tooManyNames(path, of: targetPath, file.raw))
        }
        summary.hardLinks += 1
        let hash = try fillLinked(file.raw, path, entry, from: source, onProgress)
        try system { () throws(Errno) in try recordLink(path, file.raw, hash: hash) }
    }

    /// The content, if this entry has it: cpio gives it with a file's last name, and `pax -o linkdata` once more with
    /// each.
    /// - Returns: its hash; nil if there was none.
    private func fillLinked(
        _ file: CInt,
        _ path: EntryPath,
        _ entry: ImageEntry,
        from source: any EntrySource,
        _ onProgress: (UInt64) -> Void
    ) throws(Failure) -> [UInt8]? {
        guard entry.size > 0 else { return nil }
        guard case .file? = try? tree.status(of: file).kind else {
            throw .refused("it has content, and is a hard link to what is not a regular file")
        }
        let before = try system { () throws(Errno) in try System.status(of: file).modificationTime }
        let opened = try system { () throws(Errno) in
            try tree.truncate(file, to: 0)
            return try tree.open(file, .readWrite)
        }
        let content = FileContent(opened.raw, isHashed: true)
        try fill(content, path, size: entry.size, from: source, onProgress)
        return try system { () throws(Errno) in
            let hash = try content.finish(size: Int64(clamping: entry.size))
            try System.setTimes(of: opened.raw, access: .keep, modification: .to(entry.modificationTime ?? before))
            return hash
        }
    }

    /// - Parameter path: gets the links in it resolved.
    private func openTarget(_ path: inout EntryPath) throws(Failure) -> OwnedDescriptor {
        do throws(Errno) {
            return try openWithoutLinks(path)
        } catch .ENOENT, .ENOTDIR {
            throw missing(path)
        } catch .ELOOP {
            guard followsLinks else {
                throw .linked("it is a hard link to \(path.description), whose path leads through a symbolic link")
            }
        } catch {
            throw .system(error)
        }
        var links: [FollowedLink] = []
        let place: EntryPath?
        do throws(Failure) {
            place = try directories.resolve(path, isMaking: false, &links)
        } catch .refused(let reason) {
            throw .refused("it is a hard link to \(path.description): \(reason)")
        }
        guard let place else { throw missing(path) }
        path = place
        do throws(Errno) {
            return try openWithoutLinks(path)
        } catch .ENOENT {
            throw missing(path)
        } catch {
            throw .system(error)
        }
    }

    private func missing(_ target: EntryPath) -> Failure {
        .refused("it is a hard link to \(target.description), which is not in the archive before it")
    }

    private func openWithoutLinks(_ path: EntryPath) throws(Errno) -> OwnedDescriptor {
        let bytes = (path.isRoot ? [UInt8(ascii: ".")] : path.bytes) + [0]
        return try bytes.span.withUnsafeBytes { (bytes) throws(Errno) in
            guard let base = bytes.baseAddress else { throw .EINVAL }
            let name = base.assumingMemoryBound(to: CChar.self)
            return try System.open(beneath: tree.root.raw, name, [.path, .noFollow])
        }
    }
}
