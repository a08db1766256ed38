internal import FakeRoot
internal import ImageEntries
internal import LinuxFiles

/// Goes through a tree's files: a directory before what is in it, names in the order of their bytes.
///
/// No path is looked up, and no symbolic link is followed. The number of open descriptors is bounded at any depth
/// (`DirectoryTrail`). Memory grows only with the names in the directories on the way, and a file costs the same at any depth
/// as long as nobody asks for its path.
final class TreeCursor {
    /// A file of the tree; valid until the cursor goes on.
    struct Item: ~Copyable {
        fileprivate let cursor: TreeCursor
        /// Bytes of the cursor's path that are the parent's.
        fileprivate let parentLength: Int
        /// Empty for the root.
        let name: [UInt8]
        /// O_PATH.
        let descriptor: OwnedDescriptor
        /// The host's.
        let host: FileStatus
        /// How many directories lie between the root and the file, the root not counted; 0 also for the root itself.
        let depth: Int

        /// Relative to the root, names joined by "/"; empty for the root.
        var path: [UInt8] {
            let parent = cursor.path[..<parentLength]
            return parent.isEmpty ? name : parent + [UInt8(ascii: "/")] + name
        }

        /// Bytes in `path`.
        var pathLength: Int { parentLength == 0 ? name.count : parentLength + 1 + name.count }

        /// `path`, or if that is longer than any that Linux takes, its beginning of one byte too many. No two files
        /// with a path that can be used have the same, and the import's list has no longer ones.
        var key: [UInt8] {
            guard pathLength > EntryPath.maxLength else { return path }
            let limit = EntryPath.maxLength + 1
            return Array((cursor.path[..<parentLength].prefix(limit) + [UInt8(ascii: "/")] + name).prefix(limit))
        }

        /// The path as it may be printed, its middle left out if it is longer than any that Linux takes.
        var displayed: String { ImageError.displayed(cursor.path[..<parentLength], name) }

        /// As `displayed`, but shorter, for a line in which the path matters less.
        var shortened: String { ImageError.displayed(cursor.path[..<parentLength], name, limit: 255) }
    }

    private struct Place {
        let names: [[UInt8]]
        var next = 0
        /// As it was when its names were read.
        let host: FileStatus
        /// Bytes of `path` that are this directory's.
        let pathLength: Int
    }

    private let tree: FakeRootTree
    private let exclusions: Exclusions
    private let toleratesChanges: Bool
    private let trail = DirectoryTrail()
    private var places: [Place] = []
    /// The path of the directory that `places` ends with.
    fileprivate var path: [UInt8] = []
    private var hasBegun = false
    /// Directories that could not be read, if that is tolerated; printable.
    private(set) var skippedDirectories: [String] = []
    /// Databases of trees, which are never a part of a tree: how many, and the first one's path, printable.
    private(set) var databases = (count: 0, first: "")
    /// Called for what is, or was, being made and the board doesn't see: its name, the directory, and its path,
    /// printable.
    var onStaging: ((_ name: [UInt8], _ directory: CInt, _ displayed: String) -> Void)?

    /// - Parameter toleratesChanges: go on where somebody writes to the tree meanwhile, and past directories that can't
    ///   be read.
    init(_ tree: FakeRootTree, excluding exclusions: Exclusions = Exclusions([]), toleratesChanges: Bool = false) {
        self.tree = tree
        self.exclusions = exclusions
        self.toleratesChanges = toleratesChanges
    }

    /// The next file; nil after the last.
    /// - Throws: `permission` for a directory that can't be read, `treeChanged` for one that somebody writes to.
    func next() throws(ImageError) -> Item? {
        guard hasBegun else {
            hasBegun = true
            do throws(Errno) {
                let root = try System.open(at: tree.root.raw, ".", [.path, .directory])
                let host = try System.status(of: tree.root.raw)
                let item = Item(cursor: self, parentLength: 0, name: [], descriptor: root, host: host, depth: 0)
                try enter(item)
                return item
            } catch {
                throw ImageError("can't open the tree", error)
            }
        }
        while let place = places.last {
            guard place.next < place.names.count else {
                try leave()
                continue
            }
            places[places.count - 1].next += 1
            guard let item = try open(place.names[place.next], in: place) else { continue }
            return try enterIfDirectory(item)
        }
        return nil
    }

    /// - Returns: nil for what has gone.
    private func open(_ name: [UInt8], in place: Place) throws(ImageError) -> Item? {
        do throws(Errno) {
            let descriptor = try tree.lookup(FileName(name.span.bytes), in: trail.current)
            let host = try System.status(of: descriptor.raw)
            return Item(
                cursor: self,
                parentLength: place.pathLength,
                name: name,
                descriptor: descriptor,
                host: host,
                depth: places.count - 1
            )
        } catch .ENOENT {
            if toleratesChanges { return nil }
            throw .treeChanged(ImageError.displayed(path[...], name))
        } catch {
            throw .unreadable(ImageError.displayed(path[...], name), error, place.host)
        }
    }

    private func enterIfDirectory(_ item: consuming Item) throws(ImageError) -> Item {
        guard item.host.format == .directory else { return item }
        do throws(Errno) {
            try enter(item)
        } catch {
            // What is wrong with it can be seen by its mode.
            if !toleratesChanges { throw .unreadable(item.displayed, error, item.host) }
            skippedDirectories.append(item.displayed)
        }
        return item
    }

    private func enter(_ item: borrowing Item) throws(Errno) {
        let directory = try System.open(at: item.descriptor.raw, ".", [.readOnly, .directory])
        let host = try System.status(of: directory.raw)
        let all = try System.names(in: directory.raw)
        let parentLength = path.count
        if parentLength > 0 { path.append(UInt8(ascii: "/")) }
        path += item.name
        do throws(Errno) {
            let names = try sorted(all, in: directory.raw)
            try trail.enter(directory)
            places.append(Place(names: names, host: host, pathLength: path.count))
        } catch {
            path.removeLast(path.count - parentLength)
            throw error
        }
    }

    private func sorted(_ all: [[UInt8]], in directory: CInt) throws(Errno) -> [[UInt8]] {
        var names: [[UInt8]] = []
        for bytes in all.sorted(by: { $0.lexicographicallyPrecedes($1) }) {
            let name = try FileName(bytes.span.bytes)
            if FakeRootTree.isStagingName(name) {
                onStaging?(bytes, directory, ImageError.displayed(path[...], bytes))
            } else if FakeRootTree.isReservedName(name) {
                if databases.count == 0 { databases.first = ImageError.displayed(path[...], bytes) }
                databases.count += 1
            } else if !exclusions.match(bytes, in: path) {
                names.append(bytes)
            }
        }
        return names
    }

    private func leave() throws(ImageError) {
        guard let place = places.popLast() else { return }
        do throws(Errno) {
            let now = try System.status(of: trail.current)
            guard toleratesChanges || now.changeTime == place.host.changeTime else { throw .ESTALE }
            try trail.leave()
        } catch .ESTALE {
            throw .treeChanged(ImageError.displayed(path[...], []))
        } catch {
            throw .unreadable(ImageError.displayed(path[...], []), error, place.host)
        }
        path.removeLast(path.count - (places.last?.pathLength ?? 0))
    }
}

extension ImageError {
    /// The error for a file that can't be read.
    /// - Parameters:
    ///   - name: of the file, as `displayed` gives it.
    ///   - host: the file's status, or its directory's.
    static func unreadable(_ name: String, _ error: Errno, _ host: FileStatus) -> ImageError {
        var failure = ImageError("can't read \(name)", error)
        guard error == .EACCES || error == .EPERM else { return failure }
        failure.hint =
            host.uid == System.effectiveUser
            ? "Its mode on the host forbids it; an export changes nothing in the tree. Allow it:\n    chmod -R u+rX DIR"
            : "On the host it belongs to uid \(host.uid). Export as that user, or make the files yours."
        return failure
    }
}
