internal import FakeRoot
internal import ImageEntries
internal import LinuxFiles

/// The layers of a container image: each adds to the ones below, replaces what they have, and removes it by whiteouts.
///
/// A whiteout removes only what lower layers have, in whatever order its own layer's entries come. Names that begin with
/// ".wh..wh." are the metadata of aufs, in images of docker before 2016. They are left out, as docker does it, and entries that
/// are linked to a file in `.wh..wh.plnk` get that file.
///
/// Source: the OCI image specification, "Image Layer Filesystem Changeset"; docker's `UnpackLayer`
/// (github.com/moby/go-archive, diff.go).
extension TreeExtraction {
    private static let whiteoutPrefix = Array(".wh.".utf8)
    private static let metadataPrefix = Array(".wh..wh.".utf8)
    private static let opaqueMarker = Array(".wh..wh..opq".utf8)
    /// Where aufs has the files with several names.
    private static let linkDirectory = Array(".wh..wh.plnk".utf8)

    /// Does what an entry means only in a layer.
    /// - Returns: whether that was all; if not, the entry is to be made.
    func applyLayer(_ layer: Int, _ path: EntryPath, _ entry: ImageEntry) throws(Failure) -> Bool {
        if layers.layer != layer {
            try removeLinkFiles()
            layers.begin(layer)
        }
        replacesOwn = layers.contains(path.bytes)
        guard !path.isRoot else { return false }
        if isMetadata(path) {
            // A file of the root's directory of links; all else is of use to aufs only.
            guard path.parent == Self.linkDirectory, entry.body == .file else { return true }
            layers.hasLinkFiles = true
            layers.insert(path.bytes)
            return false
        }
        for index in 0..<path.parentCount where path.component(index).starts(with: Self.whiteoutPrefix) {
            throw .refused("a directory in its path has the name of a whiteout")
        }
        guard path.last.starts(with: Self.whiteoutPrefix) else {
            layers.insert(path.bytes)
            return false
        }
        // The specification has regular files. Docker looks at the name alone: in aufs, whiteouts were links to one file.
        guard entry.body != .directory else { throw .refused("a whiteout must be a file, not a directory") }
        try applyWhiteout(path)
        return true
    }

    private func isMetadata(_ path: EntryPath) -> Bool {
        for index in 0...path.parentCount where path.component(index).starts(with: Self.metadataPrefix) {
            return !path.component(index).elementsEqual(Self.opaqueMarker)
        }
        return false
    }

    private func applyWhiteout(_ path: EntryPath) throws(Failure) {
        let name = Array(path.last.dropFirst(Self.whiteoutPrefix.count))
        let isOpaque = path.last.elementsEqual(Self.opaqueMarker)
        guard isOpaque || !name.allSatisfy({ $0 == UInt8(ascii: ".") }) else {
            throw .refused("it is not a whiteout of a name")
        }
        summary.whiteouts += 1
        guard try parentExists(path) else { return }
        let parent = try enterParent(of: path)
        do throws(Errno) {
            try directories.willChange()
            if isOpaque {
                try removeLowerContent(of: parent, path.parent, depth: 0)
            } else {
                try removeLower(FileName(name.span.bytes), in: parent, path.sibling(name), depth: 0)
            }
        } catch .ENOENT {
            // Removed twice, or never there: nothing is left to do.
        } catch {
            throw .system(error)
        }
    }

    /// Removes what lower layers have under a name.
    private func removeLower(
        _ name: borrowing FileName,
        in directory: CInt,
        _ path: [UInt8],
        depth: Int
    ) throws(Errno) {
        guard layers.contains(path) else {
            try removeTree(name, in: directory, depth: depth)
            try removed(path)
            return
        }
        let found = try tree.lookup(name, in: directory)
        let status = try System.status(of: found.raw)
        guard status.format == .directory else { return }
        try removeLowerContent(of: found.raw, path, depth: depth + 1)
        guard !layers.isListed(path) else {
            try System.setTimes(of: found.raw, access: .keep, modification: .to(status.modificationTime))
            return
        }
        // The lower layers' directory is gone, and this is the one that entries beneath it imply.
        try tree.change(found.raw, OwnerAndMode(uid: 0, gid: 0, permissions: 0o755))
        try removeAttributes(of: found.raw)
        let implied = FileTime(seconds: 0, nanoseconds: 0)
        try System.setTimes(of: found.raw, access: .keep, modification: .to(implied))
        try recordImplied(path, found.raw)
    }

    /// Removes what lower layers have in a directory.
    private func removeLowerContent(of directory: CInt, _ path: [UInt8], depth: Int) throws(Errno) {
        guard depth <= EntryPath.maxDepth else { throw .ELOOP }
        for bytes in try Self.names(in: directory) {
            let name = try FileName(bytes.span.bytes)
            if FakeRootTree.isReservedName(name) { continue }
            let child = path.isEmpty ? bytes : path + [UInt8(ascii: "/")] + bytes
            try removeLower(name, in: directory, child, depth: depth)
        }
    }

    /// Removes the directory of links, which no root filesystem has: what was linked to its files keeps them.
    func removeLinkFiles() throws(Failure) {
        guard layers.hasLinkFiles else { return }
        layers.hasLinkFiles = false
        guard let path = try? EntryPath(Self.linkDirectory, stripsSlash: false) else { return }
        let root = try enterParent(of: path)
        try system { () throws(Errno) in
            try directories.willChange()
            let name = try FileName(path.bytes.span.bytes)
            let found = try tree.lookup(name, in: root)
            for file in try Self.names(in: found.raw) {
                let linked = try tree.lookup(FileName(file.span.bytes), in: found.raw)
                if try System.status(of: linked.raw).linkCount == 1 { summary.files -= 1 }
            }
            try removeTree(name, in: root)
            try removed(path.bytes)
        }
        // It was counted as one that entries imply.
        summary.directories -= 1
    }

    /// Whether the directory of a whiteout is there; one that isn't has nothing to be removed.
    private func parentExists(_ path: EntryPath) throws(Failure) -> Bool {
        guard path.parentCount > 0 else { return true }
        do throws(Errno) {
            _ = try (path.parent + [0]).span.withUnsafeBytes { (bytes) throws(Errno) in
                guard let base = bytes.baseAddress else { throw .EINVAL }
                let name = base.assumingMemoryBound(to: CChar.self)
                return try System.open(beneath: tree.root.raw, name, [.path, .directory])
            }
            return true
        } catch .ENOENT, .ENOTDIR {
            return false
        } catch .ELOOP {
            // What the links lead to is missing, or `place` had resolved them.
            if followsLinks { return false }
            throw .refused("its path leads through a symbolic link")
        } catch {
            throw .system(error)
        }
    }

    /// Its own function, so that the listing is closed before anything beneath is opened.
    private static func names(in directory: CInt) throws(Errno) -> [[UInt8]] {
        let listing = try System.open(at: directory, ".", [.readOnly, .directory])
        return try System.names(in: listing.raw)
    }

    /// Removes a file or a directory with all it holds.
    func removeTree(_ name: borrowing FileName, in directory: CInt, depth: Int = 0) throws(Errno) {
        guard depth <= EntryPath.maxDepth else { throw .ELOOP }
        let found = try tree.lookup(name, in: directory)
        let isDirectory = try System.status(of: found.raw).format == .directory
        if isDirectory {
            for child in try Self.names(in: found.raw) {
                try removeTree(FileName(child.span.bytes), in: found.raw, depth: depth + 1)
            }
        }
        try tree.unlink(name, in: directory, isDirectory: isDirectory)
    }
}
