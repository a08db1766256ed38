import FakeRoot
import LinuxFiles
import Synchronization
import TestSupport

/// A tree on a directory of its own, with the names of its root as plain strings.
struct TreeFixture {
    let host: any HostFiles
    let tree: FakeRootTree
    let warnings: Warnings

    /// - Parameter host: a directory that is there; by default one that goes away with this.
    init(_ host: (any HostFiles)? = nil, isReadOnly: Bool = false) throws {
        let host = try host ?? TemporaryDirectory()
        let warnings = Warnings()
        self.host = host
        self.warnings = warnings
        tree = try FakeRootTree(directory: host.path, mayRaiseModes: !isReadOnly) { warnings.add($0) }
    }

    /// The same directory, opened anew, as by another process or after a restart.
    func reopened() throws -> TreeFixture { try TreeFixture(host) }

    var root: CInt { tree.root.raw }

    func open(_ name: String) throws(Errno) -> OwnedDescriptor {
        if name.contains("/") { return try open(path: name) }
        return try tree.lookup(FileName(name), in: root)
    }

    /// Lends an O_PATH descriptor of a file.
    @discardableResult
    func with<Result: ~Copyable>(
        _ name: String,
        _ body: (CInt) throws(Errno) -> Result
    ) throws(Errno) -> Result {
        let file = try open(name)
        return try body(file.raw)
    }

    /// Opens a file as a board's Tlopen does, and closes it.
    func openAndClose(_ name: String, _ mode: OpenMode) throws(Errno) {
        try with(name) { (file) throws(Errno) in _ = try tree.open(file, mode) }
    }

    func status(_ name: String) throws(Errno) -> BoardStatus {
        try with(name) { (file) throws(Errno) in try tree.status(of: file) }
    }

    /// What the host itself has under a name.
    func hostStatus(_ name: String) throws(Errno) -> FileStatus {
        try FileName(name).withCString { (name) throws(Errno) in try System.status(at: root, name) }
    }

    /// The label's text, or nil.
    func label(_ name: String) throws(Errno) -> String? {
        do throws(Errno) {
            return String(decoding: try hostAttribute("user.containers.override_stat", name), as: UTF8.self)
        } catch .ENODATA {
            return nil
        }
    }

    func hostAttribute(_ attribute: String, _ name: String) throws(Errno) -> [UInt8] {
        let file = try open(name)
        var value = [UInt8](repeating: 0, count: 256)
        let attributeName = Array(attribute.utf8CString)
        let size = try attributeName.withUnsafeBufferPointer { (attributeName) throws(Errno) in
            try value.withUnsafeMutableBufferPointer { (buffer) throws(Errno) in
                try System.getAttribute(
                    attributeName.baseAddress.unsafelyUnwrapped,
                    of: file.raw,
                    into: UnsafeMutableRawBufferPointer(buffer)
                )
            }
        }
        return Array(value[..<size])
    }

    func setHostAttribute(_ attribute: String, _ name: String, _ value: String) throws(Errno) {
        let file = try open(name)
        let attributeName = Array(attribute.utf8CString)
        try attributeName.withUnsafeBufferPointer { (attributeName) throws(Errno) in
            let value = Array(value.utf8)
            try System.setAttribute(
                attributeName.baseAddress.unsafelyUnwrapped,
                of: file.raw,
                to: value.span.bytes
            )
        }
    }

    func create(_ name: String, uid: UInt32 = 0, gid: UInt32 = 0, _ permissions: UInt32 = 0o644) throws(Errno) {
        _ = try tree.createFile(
            FileName(name),
            in: root,
            owner: Owner(uid: uid, gid: gid),
            permissions: permissions
        )
    }

    func createDirectory(
        _ name: String,
        uid: UInt32 = 0,
        gid: UInt32 = 0,
        _ permissions: UInt32 = 0o755
    ) throws(Errno) {
        let parts = name.split(separator: "/").map(String.init)
        let parent = try open(path: parts.dropLast().joined(separator: "/"))
        try tree.createDirectory(
            FileName(parts[parts.count - 1]),
            in: parent.raw,
            owner: Owner(uid: uid, gid: gid),
            permissions: permissions
        )
    }

    func createSymlink(_ name: String, to target: String, uid: UInt32 = 0, gid: UInt32 = 0) throws(Errno) {
        let target = Array(target.utf8CString)
        try target.withUnsafeBufferPointer { (target) throws(Errno) in
            try tree.createSymlink(
                FileName(name),
                in: root,
                target: target.baseAddress.unsafelyUnwrapped,
                owner: Owner(uid: uid, gid: gid)
            )
        }
    }

    func rename(_ old: String, to new: String) throws(Errno) {
        try tree.rename(FileName(old), in: root, to: FileName(new), in: root)
    }

    func unlink(_ name: String, isDirectory: Bool = false) throws(Errno) {
        try tree.unlink(FileName(name), in: root, isDirectory: isDirectory)
    }

    /// Owner and mode as the board sees them, such as "0:42 100640".
    func look(_ name: String) throws(Errno) -> String {
        let status = try status(name)
        return "\(status.uid):\(status.gid) \(String(status.mode, radix: 8))"
    }

    func createSpecial(_ name: String, _ kind: NodeKind, _ permissions: UInt32 = 0o600) throws(Errno) {
        try tree.createSpecial(
            FileName(name),
            in: root,
            owner: Owner(uid: 0, gid: 0),
            permissions: permissions,
            kind: kind
        )
    }

    func change(_ name: String, uid: UInt32? = nil, gid: UInt32? = nil, _ permissions: UInt32? = nil) throws(Errno) {
        try with(name) { (file) throws(Errno) in
            try tree.change(file, OwnerAndMode(uid: uid, gid: gid, permissions: permissions))
        }
    }
}

extension FakeRootTree {
    func attribute(_ name: String, of descriptor: CInt) throws(Errno) -> [UInt8] {
        let name = Array(name.utf8)
        return try attribute(name.span.bytes, of: descriptor)
    }

    func setAttribute(_ name: String, of descriptor: CInt, to value: [UInt8]) throws(Errno) {
        let name = Array(name.utf8)
        try setAttribute(name.span.bytes, of: descriptor, to: value.span.bytes, flags: 0)
    }
}

/// What a tree had to say to its user.
final class Warnings: Sendable {
    private let lines = Mutex<[String]>([])

    func add(_ line: String) { lines.withLock { $0.append(line) } }

    var all: [String] { lines.withLock { $0 } }
}
