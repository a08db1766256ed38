internal import FakeRoot
internal import ImageEntries
internal import LinuxFiles

/// Puts a source's entries into a tree, one after the other.
final class TreeExtraction {
    let tree: FakeRootTree
    let directories: DirectoryStack
    let options: ImportOptions
    /// Whether entries go where symbolic links in their path lead; else they are refused.
    let followsLinks: Bool
    let replacesOtherKinds: Bool
    var summary = ImportSummary()
    /// What the current layer has brought.
    var layers = LayerPaths()
    /// Whether the current layer has brought something under the entry's path before.
    var replacesOwn = false
    /// Nil where nobody wants one.
    let manifest: ManifestWriter?
    /// Symbolic links that entries' paths went through.
    var followedLinks = FollowedLinks()
    /// For other names of files.
    var recentHashes = RecentHashes()
    /// Bytes in the files, attributes and symbolic links so far, holes included.
    private var totalSize: UInt64 = 0
    /// What the root gets in the end; until then only its maker may look in.
    private var rootOwner = Owner(uid: 0, gid: 0)
    private var rootPermissions: UInt32 = 0o755

    /// - Parameters:
    ///   - hasManifest: whether the tree's database is to remember what is made.
    ///   - followsLinks: whether entries go where symbolic links in their path lead.
    ///   - replacesOtherKinds: whether an entry takes the place of one of another kind, as in an initramfs of several
    ///     archives (`clean_path` in the kernel's `init/initramfs.c`); of a directory only if that is empty.
    init(
        _ tree: FakeRootTree,
        _ options: ImportOptions = ImportOptions(),
        hasManifest: Bool = false,
        followsLinks: Bool = false,
        replacesOtherKinds: Bool = false
    ) throws(Errno) {
        self.tree = tree
        self.replacesOtherKinds = replacesOtherKinds
        self.options = options
        self.followsLinks = followsLinks
        directories = try DirectoryStack(tree)
        manifest = hasManifest ? try tree.makeManifestWriter() : nil
        directories.onImplied = { [unowned self] path, directory throws(Errno) in
            try recordImplied(path, directory)
        }
    }

    /// - Parameter onProgress: called with the bytes of content written so far.
    func extract(
        _ entry: ImageEntry,
        from source: any EntrySource,
        onProgress: (UInt64) -> Void
    ) throws(ImageError) {
        var path = try checkedPath(entry)
        summary.entries += 1
        try checkLimits(entry, path)
        if let notice = source.notice, summary.notices.count < ImportSummary.maxNotices {
            summary.notices.append("\(path.description): \(notice)")
        }
        do throws(Failure) {
            path = try place(path, isWhiteout: source.layer != nil && Self.isWhiteout(path))
            if let layer = source.layer, try applyLayer(layer, path, entry) {
                onProgress(summary.contentBytes)
                return
            }
            switch entry.body {
            case .file: try makeFile(path, entry, from: source, onProgress)
            case .directory: try makeDirectory(path, entry)
            case .symlink(let target): try makeSymlink(path, entry, target)
            case .special(let kind): try makeSpecial(path, entry, kind)
            case .hardLink(let target): try makeHardLink(path, to: target, entry, from: source, onProgress)
            }
        } catch {
            throw importError(error, path)
        }
        try checkCount(path)
        onProgress(summary.contentBytes)
    }

    /// Sets what has to wait: the times of directories, and owner and mode of the root.
    func finish() throws(ImageError) -> ImportSummary {
        do throws(Failure) {
            try removeLinkFiles()
        } catch {
            throw ImageError(.system, "can't remove the layers' link files")
        }
        do throws(Errno) {
            let change = OwnerAndMode(uid: rootOwner.uid, gid: rootOwner.gid, permissions: rootPermissions)
            try tree.change(tree.root.raw, change)
            try directories.finish()
            try recordRoot()
            try manifest?.commit()
        } catch {
            throw .writing("can't finish the tree", error, in: tree.root.raw)
        }
        summary.directories += 1 + directories.impliedCount
        summary.entriesThroughLinks = followedLinks.entries
        summary.notices += followedLinks.notices
        return summary
    }

    private func recordRoot() throws(Errno) {
        guard let manifest else { return }
        let status = Label(uid: rootOwner.uid, gid: rootOwner.gid, mode: rootPermissions, kind: .directory)
        let time = try System.status(of: tree.root.raw).modificationTime
        try manifest.append(ManifestEntry(path: [], status: status, modificationTime: time), of: tree.root.raw)
    }

    private static func saturatedSum(_ left: UInt64, _ right: UInt64) -> UInt64 {
        let (sum, overflow) = left.addingReportingOverflow(right)
        return overflow ? UInt64.max : sum
    }

    private func checkLimits(_ entry: ImageEntry, _ path: EntryPath) throws(ImageError) {
        try checkCount(path)
        var extra = entry.attributes.reduce(0) { $0 + UInt64($1.name.count + $1.value.count) }
        if case .symlink(let target) = entry.body { extra += UInt64(target.count) }
        totalSize = Self.saturatedSum(totalSize, extra)
        totalSize = Self.saturatedSum(totalSize, entry.size)
        if let limit = options.maxSize, totalSize > limit { throw .tooLarge(path.description, limit: limit) }
    }

    /// Entries, and the directories that they lie in without the source saying so.
    private func checkCount(_ path: EntryPath) throws(ImageError) {
        if let limit = options.maxEntries, summary.entries + directories.impliedCount > limit {
            throw .refused(
                path.description,
                "with it there are more than the \(limit) entries allowed",
                hint: "If the source can be trusted, allow more with --max-entries."
            )
        }
    }

    // MARK: Kinds of entries

    private func makeFile(
        _ path: EntryPath,
        _ entry: ImageEntry,
        from source: any EntrySource,
        _ onProgress: (UInt64) -> Void
    ) throws(Failure) {
        let file = try create(path, .file) { (name, directory) throws(Errno) in
            try tree.createFile(name, in: directory, owner: entry.owner, permissions: entry.permissions)
        }
        let content = FileContent(file.raw, isHashed: true)
        try fill(content, path, size: entry.size, from: source, onProgress)
        summary.files += 1
        let hash = try system { () throws(Errno) in
            let hash = try content.finish(size: Int64(clamping: entry.size))
            try setAttributes(of: file.raw, from: entry)
            try System.setTimes(of: file.raw, access: .keep, modification: .to(entry.modificationTime ?? .unknown))
            return hash
        }
        count(entry)
        try system { () throws(Errno) in try record(path, entry, file.raw, hash: hash) }
    }

    func fill(
        _ content: FileContent,
        _ path: EntryPath,
        size: UInt64,
        from source: any EntrySource,
        _ onProgress: (UInt64) -> Void
    ) throws(Failure) {
        do throws(ImageError) {
            try source.forEachBlock { (block, offset) throws(ImageError) -> Void in
                // The size is what the limit was compared with; a sparse archive's map may claim anything.
                guard let start = UInt64(exactly: offset), start <= size, UInt64(block.count) <= size - start else {
                    throw .refused(path.description, "its content goes beyond its size of \(size) bytes")
                }
                do throws(Errno) {
                    try content.write(block, at: offset)
                } catch {
                    throw .writing("can't write \(path.description)", error, in: tree.root.raw)
                }
                onProgress(summary.contentBytes + content.written)
            }
        } catch {
            throw .stopped(error)
        }
        summary.contentBytes += content.written
    }

    func makeDirectory(
        _ path: EntryPath,
        _ entry: ImageEntry
    ) throws(Failure) {
        count(entry)
        guard !path.isRoot else {
            rootOwner = entry.owner
            rootPermissions = entry.permissions
            try system { () throws(Errno) in
                try removeAttributes(of: tree.root.raw)
                try setAttributes(of: tree.root.raw, from: entry)
            }
            directories.setRootTime(entry.modificationTime ?? .unknown)
            return
        }
        let standing = try standing(path)
        if standing == .symlink, followsDirectoryLinks { return try makeDirectory(behind: path, entry) }
        let directory = try directory(path, entry, isStanding: standing == .directory)
        try system { () throws(Errno) in
            try setAttributes(of: directory.raw, from: entry)
            try record(path, entry, directory.raw)
        }
        // What follows is mostly in it.
        directories.enter(path.last, directory, time: entry.modificationTime ?? .unknown)
    }

    /// The directory that stands there already, with its new owner and mode, or a new one.
    private func directory(
        _ path: EntryPath,
        _ entry: ImageEntry,
        isStanding: Bool
    ) throws(Failure) -> OwnedDescriptor {
        let owner = entry.owner
        guard isStanding else {
            try create(path, .directory) { (name, directory) throws(Errno) in
                try tree.createDirectory(name, in: directory, owner: owner, permissions: entry.permissions)
            }
            summary.directories += 1
            return try open(path)
        }
        let existing = try open(path)
        do throws(Errno) {
            let change = OwnerAndMode(uid: owner.uid, gid: owner.gid, permissions: entry.permissions)
            try tree.change(existing.raw, change)
            try removeAttributes(of: existing.raw)
        } catch {
            throw .system(error)
        }
        return existing
    }

    /// The later entry's are all that a directory has.
    func removeAttributes(of directory: CInt) throws(Errno) {
        for name in try tree.attributeNames(of: directory).split(separator: 0) {
            try tree.removeAttribute(Array(name).span.bytes, of: directory)
        }
    }

    private func makeSymlink(_ path: EntryPath, _ entry: ImageEntry, _ target: [UInt8]) throws(Failure) {
        guard !target.isEmpty else { throw .refused("it points nowhere") }
        try create(path, .symlink) { (name, directory) throws(Errno) in
            try (target + [0]).span.withUnsafeBytes { (target) throws(Errno) in
                guard let target = target.baseAddress else { throw .EINVAL }
                let text = target.assumingMemoryBound(to: CChar.self)
                try tree.createSymlink(name, in: directory, target: text, owner: entry.owner)
            }
            let link = try tree.lookup(name, in: directory)
            try setAttributes(of: link.raw, from: entry)
            try setTime(entry.modificationTime, of: name, in: directory)
            try record(path, entry, link.raw)
        }
        summary.symlinks += 1
        count(entry)
    }

    private func makeSpecial(_ path: EntryPath, _ entry: ImageEntry, _ kind: NodeKind) throws(Failure) {
        try create(path, kind) { (name, directory) throws(Errno) in
            try tree.createSpecial(
                name,
                in: directory,
                owner: entry.owner,
                permissions: entry.permissions,
                kind: kind
            )
            let file = try tree.lookup(name, in: directory)
            try setAttributes(of: file.raw, from: entry)
            try setTime(entry.modificationTime, of: name, in: directory)
            try record(path, entry, file.raw)
        }
        summary.specials += 1
        count(entry)
    }

    private func setTime(
        _ time: FileTime?,
        of name: borrowing FileName,
        in directory: CInt
    ) throws(Errno) {
        try name.withCString { (name) throws(Errno) in
            try System.setTimes(at: directory, name, access: .keep, modification: .to(time ?? .unknown))
        }
    }

    private func count(_ entry: ImageEntry) {
        guard let kind = entry.kind else { return }
        let permissions = kind == .symlink ? 0o777 : entry.permissions
        if FakeRootTree.needsLabel(entry.owner, permissions: permissions, kind: kind) { summary.labels += 1 }
    }
}
