import FakeRoot
import LinuxFiles
import ServedTree

/// A file system that `FileSystemCase`s run on, as one user of the board sees it: a served tree, a layer on one, a FUSE mount.
///
/// Everything throws the errno that the user gets.
protocol FileSystemUnderTest: Sendable {
    /// The same as another user sees it.
    func by(uid: UInt32) -> Self

    func status(_ path: TestPath) throws -> Seen
    /// Sorted, without "." and "..".
    func names(in path: TestPath) throws -> [[UInt8]]
    func linkTarget(_ path: TestPath) throws -> [UInt8]
    func attribute(_ name: String, of path: TestPath) throws -> [UInt8]
    /// Sorted.
    func attributeNames(of path: TestPath) throws -> [String]
    func fileSystemStatus() throws -> FileSystemStatus
    func open(_ path: TestPath, _ access: FileAccess) throws -> any OpenFileUnderTest
    func openDirectory(_ path: TestPath) throws -> any OpenDirectoryUnderTest

    /// As `open(2)` with O_CREAT; with `FileAccess.exclusive`, with O_EXCL.
    func create(_ path: TestPath, _ access: FileAccess, gid: UInt32, mode: UInt32) throws -> any OpenFileUnderTest
    func makeDirectory(_ path: TestPath, gid: UInt32, mode: UInt32) throws
    func makeNode(_ path: TestPath, _ kind: NodeKind, gid: UInt32, mode: UInt32) throws
    func makeSymlink(_ path: TestPath, to target: [UInt8], gid: UInt32) throws
    func link(_ path: TestPath, as newPath: TestPath) throws
    func rename(_ path: TestPath, to newPath: TestPath) throws
    func unlink(_ path: TestPath) throws
    func removeDirectory(_ path: TestPath) throws
    func change(_ path: TestPath, _ change: AttributeChange) throws
    func setAttribute(_ name: String, of path: TestPath, to value: [UInt8], flags: CInt) throws
    func removeAttribute(_ name: String, of path: TestPath) throws
}

/// An open file; closed with its last use.
protocol OpenFileUnderTest {
    func read(_ count: Int, at offset: UInt64) throws -> [UInt8]
    func write(_ data: [UInt8], at offset: UInt64) throws
    func status() throws -> Seen
    func change(_ change: AttributeChange) throws
    func synchronize() throws
}

/// An open directory.
protocol OpenDirectoryUnderTest {
    /// Some entries after the one that a cookie belongs to, "." and ".." among them; none at the end.
    func read(after cookie: UInt64) throws -> [(name: [UInt8], number: UInt64, format: FileFormat, cookie: UInt64)]
}

/// What `stat(2)` would say of a file.
struct Seen: Hashable, CustomStringConvertible {
    var kind: NodeKind
    var permissions: UInt32
    var uid: UInt32
    var gid: UInt32
    var size: UInt64
    var links: UInt32
    /// The inode number.
    var number: UInt64
    var accessed: FileTime
    var modified: FileTime

    /// Owner and mode, such as "0:42 100640".
    var look: String { "\(uid):\(gid) \(String(kind.format.rawValue | permissions, radix: 8))" }

    var description: String { "\(look) \(kind) \(size) bytes \(links) links" }
}

/// A path from the root of a file system, name by name: names are bytes.
struct TestPath: ExpressibleByStringLiteral, ExpressibleByArrayLiteral, Sendable {
    var names: [[UInt8]]

    init(stringLiteral text: String) { names = text.split(separator: "/").map { Array($0.utf8) } }
    init(arrayLiteral names: [UInt8]...) { self.names = names }
    init(_ names: [[UInt8]]) { self.names = names }
}

/// Shorter forms, for a test's ease.
extension FileSystemUnderTest {
    func make(_ path: TestPath, _ content: String = "", gid: UInt32 = 0, mode: UInt32 = 0o644) throws {
        let file = try create(path, [.read, .write, .exclusive], gid: gid, mode: mode)
        if !content.isEmpty { try file.write(Array(content.utf8), at: 0) }
    }

    func makeDirectory(_ path: TestPath, mode: UInt32 = 0o755) throws {
        try makeDirectory(path, gid: 0, mode: mode)
    }

    func write(_ path: TestPath, _ text: String, at offset: UInt64 = 0) throws {
        try open(path, .write).write(Array(text.utf8), at: offset)
    }

    func text(_ path: TestPath) throws -> String { String(decoding: try content(path), as: UTF8.self) }

    func content(_ path: TestPath) throws -> [UInt8] { try open(path, .read).read(1 << 20, at: 0) }

    func change(_ path: TestPath, uid: UInt32? = nil, gid: UInt32? = nil, mode: UInt32? = nil) throws {
        try change(path, AttributeChange(OwnerAndMode(uid: uid, gid: gid, permissions: mode)))
    }

    func setAttribute(_ name: String, of path: TestPath, to value: [UInt8]) throws {
        try setAttribute(name, of: path, to: value, flags: 0)
    }

    func look(_ path: TestPath) throws -> String { try status(path).look }

    func listing(_ path: TestPath = "") throws -> [String] {
        try names(in: path).map { String(decoding: $0, as: UTF8.self) }
    }

    /// Everything that a client can see, as text.
    func snapshot(_ path: TestPath = "") throws -> [String] {
        let seen = try status(path)
        var lines = ["\(path.names) \(seen) \(seen.number) \(seen.modified)"]
        lines += try attributeNames(of: path).map { "\($0)=\(try attribute($0, of: path))" }
        switch seen.kind {
        case .directory: for name in try names(in: path) { lines += try snapshot(TestPath(path.names + [name])) }
        case .file: lines.append("\(try content(path))")
        case .symlink: lines.append("\(try linkTarget(path))")
        default: break
        }
        return lines
    }
}
