internal import FakeRoot
internal import Glibc
internal import LinuxFiles

/// Goes through a tree's files: a directory before what is in it, names in the order of their bytes.
///
/// Nothing is found by a path, and a symbolic link is never followed. However deep the tree is, at most
/// `maxOpenDirectories` descriptors are open; memory grows with the names in the directories on the way only.
final class TreeCursor {
    /// A file of the tree.
    struct Item: ~Copyable {
        /// Relative to the root, names joined by "/"; empty for the root.
        let path: [UInt8]
        /// O_PATH.
        let descriptor: OwnedDescriptor
        /// The host's.
        let host: FileStatus
    }

    private final class Level {
        let directory: OwnedDescriptor

        init(_ directory: consuming OwnedDescriptor) {
            self.directory = directory
        }
    }

    private struct Place {
        /// Nil while it is too far up to be kept open.
        var level: Level?
        let names: [[UInt8]]
        var next = 0
        /// As it was when its names were read.
        let host: FileStatus
        /// Bytes of `path` that are this directory's.
        let pathLength: Int
    }

    static let maxOpenDirectories = 64

    private let tree: FakeRootTree
    private let exclusions: Exclusions
    private let toleratesChanges: Bool
    private var places: [Place] = []
    /// Of the directory that `places` ends with.
    private var path: [UInt8] = []
    private var hasBegun = false
    /// What was found on the way that the board doesn't see: paths of things that are, or were, being made.
    private(set) var stagingPaths: [[UInt8]] = []
    /// Directories that could not be read, if that is tolerated.
    private(set) var skippedDirectories: [[UInt8]] = []

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
                let item = Item(path: [], descriptor: root, host: try System.status(of: tree.root.raw))
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
        guard let level = place.level else { preconditionFailure("the last directory is always open") }
        let path = path.isEmpty ? name : path + [UInt8(ascii: "/")] + name
        do throws(Errno) {
            let descriptor = try tree.lookup(FileName(name.span.bytes), in: level.directory.raw)
            let host = try System.status(of: descriptor.raw)
            return Item(path: path, descriptor: descriptor, host: host)
        } catch .ENOENT {
            if toleratesChanges { return nil }
            throw .treeChanged(path)
        } catch {
            throw .unreadable(path, error, place.host)
        }
    }

    private func enterIfDirectory(_ item: consuming Item) throws(ImageError) -> Item {
        guard item.host.format == .directory else { return item }
        let path = item.path
        let host = item.host
        do throws(Errno) {
            try enter(item)
        } catch {
            // What is wrong with it can be seen by its mode.
            if !toleratesChanges { throw .unreadable(path, error, host) }
            skippedDirectories.append(path)
        }
        return item
    }

    private func enter(_ item: borrowing Item) throws(Errno) {
        let directory = try System.open(at: item.descriptor.raw, ".", [.readOnly, .directory])
        let host = try System.status(of: directory.raw)
        let names = try sortedNames(in: directory.raw, item.path)
        path = item.path
        places.append(Place(level: Level(directory), names: names, host: host, pathLength: path.count))
        let distant = places.count - 1 - Self.maxOpenDirectories
        if distant >= 0 { places[distant].level = nil }
    }

    private func sortedNames(in directory: CInt, _ path: [UInt8]) throws(Errno) -> [[UInt8]] {
        var names: [[UInt8]] = []
        for name in try System.names(in: directory) {
            let isStaging = try FakeRootTree.isStagingName(FileName(name.span.bytes))
            if isStaging {
                stagingPaths.append(path.isEmpty ? name : path + [UInt8(ascii: "/")] + name)
            } else if !exclusions.match(name, in: path) {
                names.append(name)
            }
        }
        return names.sorted { $0.lexicographicallyPrecedes($1) }
    }

    private func leave() throws(ImageError) {
        guard let place = places.popLast(), let level = place.level else { return }
        let left = path
        do throws(Errno) {
            let now = try System.status(of: level.directory.raw)
            guard toleratesChanges || now.changeTime == place.host.changeTime else { throw .ESTALE }
            if let parent = places.last, parent.level == nil {
                let directory = try System.open(at: level.directory.raw, "..", [.readOnly, .directory])
                guard try System.status(of: directory.raw).isSameFile(as: parent.host) else { throw .ESTALE }
                places[places.count - 1].level = Level(directory)
            }
        } catch .ESTALE {
            throw .treeChanged(left)
        } catch {
            throw .unreadable(left, error, place.host)
        }
        path.removeLast(path.count - (places.last?.pathLength ?? 0))
    }
}

/// Names that an export leaves out, with all that is beneath them.
struct Exclusions {
    private let names: [[CChar]]
    private let paths: [[CChar]]

    /// - Parameter patterns: shell patterns; with a "/" in it for a path relative to the tree's root, else for a name
    ///   anywhere. "*" doesn't match a "/".
    init(_ patterns: [String]) {
        func isPath(_ pattern: String) -> Bool { pattern.utf8.contains(UInt8(ascii: "/")) }
        names = patterns.filter { !isPath($0) }.map { Array($0.utf8CString) }
        paths = patterns.filter(isPath).map { Array(String($0.drop { $0 == "/" }).utf8CString) }
    }

    /// The corresponding C function is `fnmatch` with FNM_PATHNAME.
    func match(_ name: [UInt8], in directory: [UInt8]) -> Bool {
        func matches(_ patterns: [[CChar]], _ text: [UInt8]) -> Bool {
            let text = text.map { CChar(bitPattern: $0) } + [0]
            return patterns.contains { fnmatch($0, text, FNM_PATHNAME) == 0 }
        }
        if !names.isEmpty, matches(names, name) { return true }
        guard !paths.isEmpty else { return false }
        return matches(paths, directory.isEmpty ? name : directory + [UInt8(ascii: "/")] + name)
    }
}

extension ImageError {
    static func treeChanged(_ path: [UInt8]) -> ImageError {
        ImageError(
            .treeChanged,
            "\(displayed(path)) was changed during the export",
            hint: "An export is of one moment: stop what writes to the tree, a board too, and export again."
        )
    }

    /// The error for a file that can't be read.
    /// - Parameter host: the file's status, or its directory's.
    static func unreadable(_ path: [UInt8], _ error: Errno, _ host: FileStatus) -> ImageError {
        var failure = ImageError("can't read \(displayed(path))", error)
        guard error == .EACCES || error == .EPERM else { return failure }
        failure.hint =
            host.uid == System.effectiveUser
            ? "Its mode on the host forbids it; an export changes nothing in the tree. Allow it:\n    chmod -R u+rX DIR"
            : "On the host it belongs to uid \(host.uid). Export as that user, or make the files yours."
        return failure
    }

    static func displayed(_ path: [UInt8]) -> String { path.isEmpty ? "the tree's root" : printable(path) }
}
