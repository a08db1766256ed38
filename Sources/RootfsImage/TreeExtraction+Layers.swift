internal import FakeRoot
internal import LinuxFiles

/// The layers of a container image: each adds to the ones below, replaces what they have, and removes it by whiteouts.
///
/// Source: the OCI image specification, "Image Layer Filesystem Changeset".
extension TreeExtraction {
    private static let whiteoutPrefix = Array(".wh.".utf8)
    private static let opaqueMarker = Array(".wh..wh..opq".utf8)

    /// Does what a whiteout says.
    /// - Returns: false if the entry is none, but to be made.
    func applyWhiteout(_ path: EntryPath, _ entry: ImageEntry) throws(Failure) -> Bool {
        guard !path.isRoot else { return false }
        for index in 0..<path.parentCount where path.component(index).starts(with: Self.whiteoutPrefix) {
            throw .refused("a directory in its path has the name of a whiteout")
        }
        guard path.last.starts(with: Self.whiteoutPrefix) else {
            layers.insert(path.bytes)
            return false
        }
        guard entry.body == .file else { throw .refused("a whiteout must be a regular file") }
        summary.whiteouts += 1
        if path.last.elementsEqual(Self.opaqueMarker) {
            try removeLowerContent(of: path)
            return true
        }
        let name = Array(path.last.dropFirst(Self.whiteoutPrefix.count))
        guard !name.allSatisfy({ $0 == UInt8(ascii: ".") }), !name.starts(with: Self.whiteoutPrefix) else {
            throw .refused("it is no whiteout of a name")
        }
        let target = path.sibling(name)
        // What this layer has brought stays, whichever came first.
        guard !layers.contains(target), try parentExists(path) else { return true }
        let parent = try enterParent(of: path)
        try system { () throws(Errno) in
            try directories.willChange()
            do throws(Errno) {
                try removeTree(FileName(name.span.bytes), in: parent)
            } catch .ENOENT {
                // Removed twice, or never there: nothing is left to do.
            }
        }
        try system { () throws(Errno) in try removed(target) }
        return true
    }

    /// Removes what lower layers have in the directory of an opaque marker.
    private func removeLowerContent(of marker: EntryPath) throws(Failure) {
        guard try parentExists(marker) else { return }
        let directory = try enterParent(of: marker)
        try system { () throws(Errno) in
            try directories.willChange()
            try removeLower(in: directory, marker.parent, depth: 0)
        }
    }

    private func removeLower(in directory: CInt, _ path: [UInt8], depth: Int) throws(Errno) {
        guard depth <= EntryPath.maxDepth else { throw .ELOOP }
        for bytes in try Self.names(in: directory) {
            let child = path.isEmpty ? bytes : path + [UInt8(ascii: "/")] + bytes
            let name = try FileName(bytes.span.bytes)
            if FakeRootTree.isReservedName(name) { continue }
            guard layers.contains(child) else {
                try removeTree(name, in: directory)
                try removed(child)
                continue
            }
            let found = try tree.lookup(name, in: directory)
            guard try System.status(of: found.raw).format == .directory else { continue }
            let time = try System.status(of: found.raw).modificationTime
            try removeLower(in: found.raw, child, depth: depth + 1)
            try System.setTimes(of: found.raw, access: .keep, modification: .to(time))
        }
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
