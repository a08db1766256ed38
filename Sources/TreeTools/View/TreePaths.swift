internal import CommandSupport
internal import FakeRoot
internal import LinuxFiles
internal import RootfsImage

/// Paths of the host, and the trees that they lie in.
public final class TreePaths {
    private let explicitRoot: String?
    private let isForeignAccepted: Bool
    /// Directories that are not being converted, nor anything above them.
    private var checkedRoots: Set<String> = []
    /// Directories on whose files and above which no other tool's metadata were found.
    private var checkedParents: Set<String> = []
    private var last: (root: String, tree: FakeRootTree, names: AccountNames)?

    /// Finds files by paths of the host.
    /// - Parameters:
    ///   - root: the tree's directory; nil to find it for each path.
    ///   - acceptsForeignFiles: whether files with another tool's metadata are taken for what the host says.
    public init(root: String?, acceptsForeignFiles: Bool) {
        explicitRoot = root
        isForeignAccepted = acceptsForeignFiles
    }

    /// Finds a file. The path is the host's up to the tree's root; from there symbolic links lead where they lead on the
    /// board.
    /// - Parameter following: whether a symbolic link at the path's end is followed.
    /// - Throws: `CommandFailure`.
    public func open(_ path: String, following: Bool) throws -> TreeFile {
        let place = try locate(path)
        do throws(Errno) {
            let descriptor = try Self.open(place.path, in: place.tree, following: following)
            return TreeFile(tree: place.tree, names: place.names, path: path, descriptor: descriptor)
        } catch {
            throw CommandFailure(path: path, "can't open", error)
        }
    }

    /// Finds the directory of a file that does not exist yet, and the name that it will have there.
    /// - Throws: `CommandFailure`: as `open`, and `badInput` for a path that does not end in a name.
    public func openParent(of path: String) throws -> NewTreeFile {
        let trimmed = Self.trimmed(path)
        let (parent, name) = Self.split(trimmed)
        guard !name.isEmpty, name != ".", name != ".." else {
            throw CommandFailure(.badInput, "\(ShellWord(path)) does not end in a name")
        }
        return NewTreeFile(directory: try open(parent, following: true), name: name)
    }

    /// The tree of a path, the path within it, and its users' names.
    private func locate(_ path: String) throws -> (tree: FakeRootTree, path: String, names: AccountNames) {
        let (root, rest, isTree) = try split(path)
        if let last, last.root == root {
            if explicitRoot == nil { try refuseForeign(path, in: last.tree) }
            return (last.tree, rest, last.names)
        }
        let messages = OpeningMessages()
        let tree: FakeRootTree
        do throws(Errno) {
            tree = try FakeRootTree(directory: root, makesDatabase: isTree) { messages.say($0) }
        } catch {
            let failure = CommandFailure(path: root, "can't open the directory", error)
            throw messages.failure(failure.cause) ?? failure
        }
        messages.finish()
        try refuseForeign(path, in: tree)
        let names = AccountNames(of: tree)
        last = (root, tree, names)
        return (tree, rest, names)
    }

    /// What another tool knows of a file would not be seen, and would be at odds with what is changed.
    private func refuseForeign(_ path: String, in tree: FakeRootTree) throws {
        guard !isForeignAccepted, tree.databasePath == nil else { return }
        if let explicitRoot {
            if let found = ForeignMetadata.find(in: explicitRoot) {
                throw CommandFailure(found, of: explicitRoot, in: explicitRoot)
            }
        } else {
            let names = Self.components(try Self.absolute(path))
            let parent = Self.joined(names.dropLast())
            let isKnown = checkedParents.contains(parent)
            if let (found, directory) = ForeignMetadata.find(around: names, isParentKnown: isKnown) {
                throw CommandFailure(found, of: path, in: Self.shortened(path, to: directory))
            }
            checkedParents.insert(parent)
        }
    }

    /// A directory that a path lies in or leads to, in the user's own words if they name it; its absolute path otherwise.
    private static func shortened(_ path: String, to directory: String) -> String {
        var text = trimmed(path)
        while text != ".", text != "/" {
            if let opened = try? System.open(text, [.path, .directory]),
                let found = try? System.currentPath(of: opened.raw),
                found.elementsEqual(directory.utf8)
            {
                return text
            }
            text = split(trimmed(text)).parent
        }
        return directory
    }

    /// Divides a path into a tree's root and the rest; `isTree` false if nobody has said where the tree begins.
    private func split(_ path: String) throws -> (root: String, rest: String, isTree: Bool) {
        guard !path.isEmpty else { throw CommandFailure(.badInput, "a path must not be empty") }
        let absolute = Self.components(try Self.absolute(path))
        try refuseConversion(absolute)
        if let explicitRoot {
            let root = Self.components(try Self.absolute(explicitRoot))
            guard absolute.starts(with: root) else {
                do throws(Errno) {
                    _ = try System.open(explicitRoot, [.path, .directory])
                } catch {
                    throw CommandFailure(path: explicitRoot, "can't open the directory", error)
                }
                throw CommandFailure(
                    .badInput,
                    "\(ShellWord(path)) does not lie in \(ShellWord(explicitRoot))",
                    advice: "Paths are the host's, such as \(ShellWord(explicitRoot + "/etc/passwd"))"
                )
            }
            return (explicitRoot, Self.joined(absolute[root.count...]), true)
        }
        // The outermost tree that we know for one: what lies in it can't claim to be a tree of its own.
        for count in stride(from: 1, through: absolute.count, by: 1) {
            let root = "/" + absolute[..<count].joined(separator: "/")
            if FakeRootTree.hasDatabase(directory: root) { return (root, Self.joined(absolute[count...]), true) }
        }
        // Labels alone say everything of a file in any other tree.
        let parent = absolute.dropLast()
        return ("/" + parent.joined(separator: "/"), Self.joined(absolute[parent.count...]), false)
    }

    /// Between two formats neither view of a file is to be relied on.
    private func refuseConversion(_ path: [String]) throws {
        for count in stride(from: path.count, through: 1, by: -1) {
            let root = "/" + path[..<count].joined(separator: "/")
            guard checkedRoots.insert(root).inserted else { return }
            guard let failure = TreeArgument.conversion(of: root) else { continue }
            checkedRoots = []
            throw CommandFailure(failure)
        }
    }

    private static func open(
        _ path: String,
        in tree: FakeRootTree,
        following: Bool
    ) throws(Errno) -> OwnedDescriptor {
        let found = try find(path, in: tree, following: following)
        // What lies beneath a name that doesn't exist for the board doesn't either.
        for name in try System.currentPath(of: found.raw).split(separator: UInt8(ascii: "/")) {
            if let name = try? FileName(Array(name).span.bytes), FakeRootTree.isReservedName(name) { throw .ENOENT }
        }
        return found
    }

    private static func find(
        _ path: String,
        in tree: FakeRootTree,
        following: Bool
    ) throws(Errno) -> OwnedDescriptor {
        if following {
            // Found by its directory nevertheless: a lost label is noticed there.
            let found = try System.open(inRoot: tree.root.raw, path, [.path])
            guard let place = try? tree.locate(found.raw, beneath: tree.root.raw) else { return found }
            return try tree.lookup(place.name, in: place.directory.raw)
        }
        let (parent, name) = split(path)
        guard !name.isEmpty, name != ".", name != ".." else {
            return try System.open(inRoot: tree.root.raw, path, [.path])
        }
        let directory = try System.open(inRoot: tree.root.raw, parent, [.path, .directory])
        return try tree.lookup(FileName(name), in: directory.raw)
    }

    // MARK: Texts

    private static func absolute(_ path: String) throws -> String {
        if path.hasPrefix("/") { return path }
        do throws(Errno) {
            let here = try System.open(".", [.path, .directory])
            let bytes = try System.currentPath(of: here.raw)
            return String(decoding: bytes, as: UTF8.self) + "/" + path
        } catch {
            throw CommandFailure(.failure, "can't find the current directory: \(error.text)")
        }
    }

    /// Without empty names and "."; ".." takes the name before it away, as a shell's `cd` does.
    private static func components(_ path: String) -> [String] {
        var components: [String] = []
        for part in path.split(separator: "/") where part != "." {
            if part == ".." { _ = components.popLast() } else { components.append(String(part)) }
        }
        return components
    }

    private static func joined(_ components: ArraySlice<String>) -> String {
        components.isEmpty ? "." : components.joined(separator: "/")
    }

    private static func trimmed(_ path: String) -> String {
        var path = Substring(path)
        while path.count > 1, path.hasSuffix("/") { path.removeLast() }
        return String(path)
    }

    /// "a/b" is "b" in "a", "b" is "b" in ".", "/b" is "b" in "/".
    private static func split(_ path: String) -> (parent: String, name: String) {
        guard let slash = path.lastIndex(of: "/") else { return (".", path) }
        let parent = slash == path.startIndex ? "/" : String(path[..<slash])
        return (parent, String(path[path.index(after: slash)...]))
    }
}
