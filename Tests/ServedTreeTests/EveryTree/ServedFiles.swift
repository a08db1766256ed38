import FakeRoot
import LinuxFiles
import ServedTree
import TestSupport

/// A served tree as a client with handles uses it.
struct ServedFiles: FileSystemUnderTest {
    let root: Node
    let caller: Caller
    private let client: TestClient

    init(_ export: Export, _ client: TestClient = TestClient(), uid: UInt32 = 0) throws {
        self.init(root: try export.attach(for: client.files), Caller(uid: uid), client)
    }

    private init(root: Node, _ caller: Caller, _ client: TestClient) {
        self.root = root
        self.caller = caller
        self.client = client
    }

    func by(uid: UInt32) -> Self { ServedFiles(root: root, Caller(uid: uid), client) }

    func node(_ path: TestPath) throws(Errno) -> Node {
        var walk = Walk(from: root)
        for name in path.names { try walk.step(to: name.span.bytes) }
        return walk.makeNode()
    }

    /// The directory that a path's last name is in, and that name.
    private func place(_ path: TestPath) throws -> (directory: ChangeableDirectory, name: [UInt8]) {
        guard let name = path.names.last else { throw Errno.EBUSY }
        return (try node(TestPath(path.names.dropLast())).holdForChange(inside: caller), name)
    }

    func status(_ path: TestPath) throws -> Seen { try Seen(node(path).hold()) }

    func names(in path: TestPath) throws -> [[UInt8]] {
        let directory = try openDirectory(path)
        var names: [[UInt8]] = []
        var cookie: UInt64 = 0
        while let part = try? directory.read(after: cookie), let last = part.last {
            names += part.map(\.name)
            cookie = last.cookie
        }
        return names.filter { $0 != Array(".".utf8) && $0 != Array("..".utf8) }.sorted {
            $0.lexicographicallyPrecedes($1)
        }
    }

    func linkTarget(_ path: TestPath) throws -> [UInt8] {
        var target: [UInt8] = []
        try node(path).hold().withLinkTarget { bytes in target = bytes.withUnsafeBytes { Array($0) } }
        return target
    }

    func attribute(_ name: String, of path: TestPath) throws -> [UInt8] {
        let name = Array(name.utf8)
        return try node(path).hold().attribute(name.span.bytes)
    }

    func attributeNames(of path: TestPath) throws -> [String] {
        try node(path).hold().attributeNames().split(separator: 0).map { String(decoding: $0, as: UTF8.self) }.sorted()
    }

    func fileSystemStatus() throws -> FileSystemStatus { try root.hold().fileSystemStatus() }

    func open(_ path: TestPath, _ access: FileAccess) throws -> any OpenFileUnderTest {
        let node = try node(path)
        return try ServedFile(node, node.open(access, by: caller), caller)
    }

    func openDirectory(_ path: TestPath) throws -> any OpenDirectoryUnderTest {
        guard case .directory(let stream) = try node(path).open([.read, .directory], by: caller) else {
            throw Errno.ENOTDIR
        }
        return ServedDirectory(stream: stream)
    }

    func create(_ path: TestPath, _ access: FileAccess, gid: UInt32, mode: UInt32) throws -> any OpenFileUnderTest {
        let (directory, name) = try place(path)
        let made = try directory.create(FileName(name.span.bytes), access, gid: gid, permissions: mode)
        return ServedFile(made.node, made.opened, caller)
    }

    func makeDirectory(_ path: TestPath, gid: UInt32, mode: UInt32) throws {
        let (directory, name) = try place(path)
        try expectSame(directory.createDirectory(FileName(name.span.bytes), gid: gid, permissions: mode), path)
    }

    func makeNode(_ path: TestPath, _ kind: NodeKind, gid: UInt32, mode: UInt32) throws {
        let (directory, name) = try place(path)
        try expectSame(directory.createNode(FileName(name.span.bytes), kind, gid: gid, permissions: mode), path)
    }

    func makeSymlink(_ path: TestPath, to target: [UInt8], gid: UInt32) throws {
        let (directory, name) = try place(path)
        try expectSame(
            directory.createSymlink(FileName(name.span.bytes), target: target.span.bytes, gid: gid),
            path
        )
    }

    /// What is made has the number under which it is found.
    private func expectSame(_ made: FileID, _ path: TestPath) throws {
        guard try node(path).id == made else { throw Errno.ESTALE }
    }

    func link(_ path: TestPath, as newPath: TestPath) throws {
        let (directory, name) = try place(newPath)
        try directory.link(node(path).holdForChange(), as: FileName(name.span.bytes))
    }

    func rename(_ path: TestPath, to newPath: TestPath) throws {
        let (source, name) = try place(path)
        let (target, newName) = try place(newPath)
        try source.move(FileName(name.span.bytes), to: FileName(newName.span.bytes), in: target)
    }

    func unlink(_ path: TestPath) throws {
        let (directory, name) = try place(path)
        try directory.unlink(FileName(name.span.bytes), isDirectory: false)
    }

    func removeDirectory(_ path: TestPath) throws {
        let (directory, name) = try place(path)
        try directory.unlink(FileName(name.span.bytes), isDirectory: true)
    }

    func change(_ path: TestPath, _ change: AttributeChange) throws {
        try node(path).holdForChange().change(change, by: caller)
    }

    func setAttribute(_ name: String, of path: TestPath, to value: [UInt8], flags: CInt) throws {
        let name = Array(name.utf8)
        try node(path).holdForChange().setAttribute(name.span.bytes, to: value.span.bytes, flags: flags)
    }

    func removeAttribute(_ name: String, of path: TestPath) throws {
        let name = Array(name.utf8)
        try node(path).holdForChange().removeAttribute(name.span.bytes)
    }
}

private struct ServedFile: OpenFileUnderTest {
    let node: Node
    let opened: Opened
    let caller: Caller

    init(_ node: Node, _ opened: Opened, _ caller: Caller) {
        self.node = node
        self.opened = opened
        self.caller = caller
    }

    private var file: OpenFile {
        get throws {
            guard case .file(let file) = opened else { throw Errno.EISDIR }
            return file
        }
    }

    func read(_ count: Int, at offset: UInt64) throws -> [UInt8] {
        let file = try file
        var bytes = [UInt8](repeating: 0, count: count)
        let size = try bytes.withUnsafeMutableBytes { try file.read(into: $0, at: offset) }
        return Array(bytes[..<size])
    }

    func write(_ data: [UInt8], at offset: UInt64) throws {
        guard try file.write(data.span.bytes, at: offset, by: caller) == data.count else { throw Errno.ENOSPC }
    }

    func status() throws -> Seen { try Seen(node.hold(opened)) }
    func change(_ change: AttributeChange) throws { try node.holdForChange(opened).change(change, by: caller) }
    func synchronize() throws { try opened.synchronize(dataOnly: false) }
}

private struct ServedDirectory: OpenDirectoryUnderTest {
    let stream: DirectoryStream

    func read(after cookie: UInt64) throws -> [(name: [UInt8], number: UInt64, format: FileFormat, cookie: UInt64)] {
        try stream.entries(after: cookie, atMost: 3)
    }
}

extension DirectoryStream {
    /// Entries that take one byte of the room each.
    func entries(
        after cookie: UInt64,
        atMost count: Int
    ) throws(Errno) -> [(name: [UInt8], number: UInt64, format: FileFormat, cookie: UInt64)] {
        var entries: [(name: [UInt8], number: UInt64, format: FileFormat, cookie: UInt64)] = []
        var bytes = [UInt8](repeating: 0, count: count)
        _ = try bytes.withUnsafeMutableBufferPointer { (bytes) throws(Errno) in
            try read(from: cookie, into: UnsafeMutableRawBufferPointer(bytes), longestEntry: 1) { entry, room in
                guard !room.isEmpty else { return nil }
                let name = entry.name.withUnsafeBytes { Array($0) }
                entries.append((name, entry.id.number, entry.format, entry.cookie))
                return 1
            }
        }
        return entries
    }
}

extension Seen {
    init(_ file: HeldFile) throws(Errno) {
        let status = try file.status()
        self.init(
            kind: status.kind,
            permissions: status.permissions,
            uid: status.uid,
            gid: status.gid,
            size: status.host.size,
            links: status.host.linkCount,
            number: file.node.id.number,
            accessed: status.host.accessTime,
            modified: status.host.modificationTime
        )
    }
}
