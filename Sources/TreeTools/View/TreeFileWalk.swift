internal import CommandSupport
internal import FakeRoot
internal import LinuxFiles
internal import RootfsImage

/// Goes through a directory of a tree and all directories beneath it, each before those in it, for `-R`.
///
/// A stack of its own instead of recursion, and a bounded number of open directories (`DirectoryTrail`): a board can make
/// trees of any depth. What can't be opened or read is noted, and the walk goes on.
final class TreeFileWalk {
    /// A directory that the walk has come to; valid during the call.
    struct Directory {
        fileprivate let walk: TreeFileWalk
        fileprivate let tree: FakeRootTree
        fileprivate let accounts: AccountNames
        fileprivate let descriptor: CInt
        /// As of `TreeFile`.
        let path: String
        /// In the order of their bytes.
        let names: [[UInt8]]

        /// Opens a file in it.
        func child(_ name: [UInt8]) throws -> TreeFile { try walk.child(name, of: self) }
    }

    private struct Level {
        var rest: ArraySlice<[UInt8]>
        /// Bytes of `path` that are this directory's.
        let pathLength: Int
    }

    /// No program could open a longer path, in bytes; of such a path the middle is left out.
    private static let maxPathLength = 4095
    private static let shownEnd = 100

    private let failures: PathFailures
    private let trail = DirectoryTrail()
    private var levels: [Level] = []
    /// The path of the current directory, as text.
    private var path: [UInt8] = []

    init(_ failures: PathFailures) {
        self.failures = failures
    }

    /// - Parameters:
    ///   - top: a directory.
    ///   - visit: gets every directory, and gives the names of those in it to go down into.
    /// - Throws: what `visit` throws, except `CommandFailure`s, which are noted.
    func run(from top: borrowing TreeFile, _ visit: (Directory) throws -> [[UInt8]]) throws {
        let (tree, accounts) = (top.tree, top.names)
        path = Array(top.path.utf8)
        do {
            try enter(top, visit)
        } catch let failure as CommandFailure {
            failures.note(failure)
        }
        while let rest = levels.last?.rest {
            path.removeLast(path.count - levels[levels.count - 1].pathLength)
            guard let name = rest.first else {
                levels.removeLast()
                if !leave() { return }
                continue
            }
            levels[levels.count - 1].rest = rest.dropFirst()
            try failures.attempt {
                append(name)
                let shown = shownPath
                let descriptor: OwnedDescriptor
                do throws(Errno) {
                    descriptor = try tree.lookup(FileName(name.span.bytes), in: trail.current)
                } catch {
                    throw CommandFailure(path: shown, "can't open", error)
                }
                try enter(TreeFile(tree: tree, names: accounts, path: shown, descriptor: descriptor), visit)
            }
        }
    }

    private func enter(_ file: borrowing TreeFile, _ visit: (Directory) throws -> [[UInt8]]) throws {
        let opened: OwnedDescriptor
        do throws(Errno) {
            opened = try file.tree.open(file.descriptor.raw, [.readOnly, .directory])
        } catch {
            throw CommandFailure(path: file.path, "can't read the directory", error)
        }
        let names: [[UInt8]]
        do throws(Errno) {
            names = try Self.names(in: opened.raw)
        } catch {
            throw CommandFailure(path: file.path, "can't read the directory", error)
        }
        let directory = Directory(
            walk: self,
            tree: file.tree,
            accounts: file.names,
            descriptor: file.descriptor.raw,
            path: file.path,
            names: names
        )
        let inner = try visit(directory)
        do throws(Errno) {
            try trail.enter(opened)
        } catch {
            throw CommandFailure(path: file.path, "can't look at", error)
        }
        levels.append(Level(rest: inner[...], pathLength: path.count))
    }

    private static func names(in directory: CInt) throws(Errno) -> [[UInt8]] {
        try System.names(in: directory).filter { bytes in
            guard let name = try? FileName(bytes.span.bytes) else { return false }
            return !FakeRootTree.isReservedName(name)
        }.sorted { $0.lexicographicallyPrecedes($1) }
    }

    /// - Returns: false if there is no way back; the failure is noted.
    private func leave() -> Bool {
        do throws(Errno) {
            try trail.leave()
            return true
        } catch {
            failures.note(CommandFailure(path: shownPath, "can't go on above", error))
            return false
        }
    }

    private func child(_ name: [UInt8], of directory: Directory) throws -> TreeFile {
        let length = path.count
        append(name)
        defer { path.removeLast(path.count - length) }
        let shown = shownPath
        do throws(Errno) {
            let found = try directory.tree.lookup(FileName(name.span.bytes), in: directory.descriptor)
            return TreeFile(tree: directory.tree, names: directory.accounts, path: shown, descriptor: found)
        } catch {
            throw CommandFailure(path: shown, "can't open", error)
        }
    }

    private func append(_ name: [UInt8]) {
        if path.last != UInt8(ascii: "/") { path.append(UInt8(ascii: "/")) }
        path += Self.text(name).utf8
    }

    private var shownPath: String {
        guard path.count > Self.maxPathLength else { return String(decoding: path, as: UTF8.self) }
        let (first, last) = (path.prefix(Self.shownEnd), path.suffix(Self.shownEnd))
        let (beginning, end) = (String(decoding: first, as: UTF8.self), String(decoding: last, as: UTF8.self))
        return "\(beginning)...\(end) (\(path.count) bytes)"
    }

    /// A name as it is in a path for JSON: bytes that are not UTF-8 escaped, all else as it is.
    static func text(_ name: [UInt8]) -> String { String(validating: name, as: UTF8.self) ?? printable(name) }
}
