import FakeRoot
import LinuxFiles
import TestSupport

/// A tree on a directory of its own, with the names of its root as plain strings.
struct TreeFixture {
    let host: TemporaryDirectory
    let tree: FakeRootTree

    init() throws {
        host = try TemporaryDirectory()
        tree = try FakeRootTree(directory: host.path)
    }

    var root: CInt { tree.root.raw }

    func open(_ name: String) throws(Errno) -> OwnedDescriptor { try tree.lookup(FileName(name), in: root) }

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
        try tree.createDirectory(
            FileName(name),
            in: root,
            owner: Owner(uid: uid, gid: gid),
            permissions: permissions
        )
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
