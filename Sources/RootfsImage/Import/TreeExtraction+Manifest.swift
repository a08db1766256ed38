internal import FakeRoot
internal import ImageEntries
internal import LinuxFiles

/// What the import remembers of the files it made: the manifest, in the tree's metadata database.
extension TreeExtraction {
    /// Records a file that has its last attribute.
    /// - Parameters:
    ///   - file: the file itself, O_PATH is enough.
    ///   - hash: of a regular file's content.
    func record(_ path: EntryPath, _ entry: ImageEntry, _ file: CInt, hash: [UInt8]? = nil) throws(Errno) {
        guard let manifest, let kind = entry.kind else { return }
        let host = try System.status(of: file)
        var target: [UInt8]?
        if case .symlink(let text) = entry.body { target = text }
        try manifest.append(
            ManifestEntry(
                path: path.bytes,
                // Linux keeps modes of all files but symbolic links.
                status: Label(
                    uid: entry.owner.uid,
                    gid: entry.owner.gid,
                    mode: kind == .symlink ? 0o777 : entry.permissions,
                    kind: kind
                ),
                size: kind == .file ? entry.size : 0,
                modificationTime: entry.modificationTime ?? .unknown,
                hash: hash,
                linkTarget: target,
                capability: entry.attributes.first { $0.name == Self.capability }?.value
            ),
            of: file
        )
        recentHashes.set(hash, inode: host.inode)
    }

    private static let capability = Array("security.capability".utf8)

    /// Another name of a file.
    /// - Parameter hash: of the content, if it came with this name; else the content is what it was.
    func recordLink(_ path: EntryPath, _ file: CInt, hash: [UInt8]?) throws(Errno) {
        guard let manifest else { return }
        let status = try tree.status(of: file)
        let isFile = status.kind == .file
        var entry = ManifestEntry(
            path: path.bytes,
            status: Label(uid: status.uid, gid: status.gid, mode: status.permissions, kind: status.kind),
            size: isFile ? status.host.size : 0,
            modificationTime: status.host.modificationTime,
            hash: hash
        )
        let isNewContent = hash != nil && hash != recentHashes.hash(ofInode: status.host.inode)
        if let hash { recentHashes.set(hash, inode: status.host.inode) }
        if isFile, hash == nil { entry.hash = try knownHash(file, status.host) }
        entry.capability = try capability(of: file, status)
        try manifest.append(entry, of: file)
        // What cpio said of the same file under other names was about a file without content.
        if isNewContent { try manifest.setContent(of: file, as: entry) }
    }

    private func capability(of file: CInt, _ status: BoardStatus) throws(Errno) -> [UInt8]? {
        guard status.kind == .file else { return nil }
        do throws(Errno) {
            return try tree.attribute(Self.capability.span.bytes, of: file)
        } catch .ENODATA {
            return nil
        }
    }

    /// Links mostly come soon after what they lead to; else the file is read once more.
    private func knownHash(_ file: CInt, _ host: FileStatus) throws(Errno) -> [UInt8]? {
        if let hash = recentHashes.hash(ofInode: host.inode) { return hash }
        guard host.size <= FileContent.maxHashedHoles else { return nil }
        let opened = try tree.open(file, .readOnly)
        var hash = SHA256()
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 128 << 10, alignment: 16)
        defer { buffer.deallocate() }
        var offset: Int64 = 0
        while true {
            let count = try System.read(opened.raw, into: buffer, at: offset)
            if count == 0 { break }
            hash.update(UnsafeRawBufferPointer(rebasing: buffer[..<count]))
            offset += Int64(count)
        }
        let digest = hash.finish()
        recentHashes.set(digest, inode: host.inode)
        return digest
    }

    /// A directory that the source does not list.
    func recordImplied(_ path: [UInt8], _ directory: CInt) throws(Errno) {
        guard let manifest else { return }
        try manifest.append(
            ManifestEntry(
                path: path,
                status: Label(uid: 0, gid: 0, mode: 0o755, kind: .directory),
                modificationTime: .unknown
            ),
            of: directory
        )
    }

    /// Forgets a path and all beneath it.
    func removed(_ path: [UInt8]) throws(Errno) {
        directories.didRemove()
        try manifest?.remove(path)
    }
}

/// Hashes of the files made last, by inode number.
struct RecentHashes {
    private static let count = 4096

    private var hashes: [UInt64: [UInt8]] = [:]
    private var order: [UInt64] = []
    private var next = 0

    func hash(ofInode inode: UInt64) -> [UInt8]? {
        guard let hash = hashes[inode], !hash.isEmpty else { return nil }
        return hash
    }

    /// - Parameter hash: nil if it is not known: what another file of that number had does not hold any more.
    mutating func set(_ hash: [UInt8]?, inode: UInt64) {
        guard let hash else {
            // Its place in the order stays, and goes with it.
            if hashes[inode] != nil { hashes[inode] = [] }
            return
        }
        guard hashes.updateValue(hash, forKey: inode) == nil else { return }
        if order.count < Self.count {
            order.append(inode)
        } else {
            hashes[order[next]] = nil
            order[next] = inode
            next = (next + 1) % Self.count
        }
    }
}
