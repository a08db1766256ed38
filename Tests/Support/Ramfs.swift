internal import Glibc
internal import LinuxFiles

/// A directory on a file system without extended attributes: a ramfs of its own.
public final class Ramfs: Sendable {
    private let mount: TemporaryDirectory?
    private let base: String
    /// For a tree: the metadata database is made beside it.
    public let tree: Subdirectory

    /// Whether this process may mount one, or was given one in USB9PFS_NO_XATTR_DIR.
    public static var isPossible: Bool {
        System.effectiveUser == 0 || System.environment("USB9PFS_NO_XATTR_DIR") != nil
    }

    public init() throws {
        if let given = System.environment("USB9PFS_NO_XATTR_DIR") {
            mount = nil
            var template = Array("\(given)/test-XXXXXX".utf8CString)
            guard mkdtemp(&template) != nil else { throw Errno.last }
            base = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
        } else {
            let mount = try TemporaryDirectory()
            let result = try run("mount", "-t", "ramfs", "none", mount.path)
            guard result.status == 0 else { throw Errno.EPERM }
            self.mount = mount
            base = mount.path
        }
        guard mkdir("\(base)/tree", 0o755) == 0 else { throw Errno.last }
        tree = Subdirectory(path: "\(base)/tree")
    }

    deinit {
        if let mount {
            _ = try? run("umount", "-l", mount.path)
        } else {
            TemporaryDirectory.removeAll(base)
        }
    }
}
