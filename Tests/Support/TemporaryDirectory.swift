internal import CLinux
internal import Glibc
public import LinuxFiles
internal import Synchronization

/// A directory of a test's own, on a file system with user extended attributes; removed with its owner, or at exit.
///
/// Lies in $USB9PFS_TEST_DIR if that is set, else beneath the package's .build, else in TMPDIR, /var/tmp or /tmp.
public final class TemporaryDirectory: HostFiles {
    /// Absolute, without symbolic links.
    public let path: String
    /// What it lies in with nothing else: a tree's metadata database is made beside the tree.
    private let enclosing: String

    /// - Throws: `EOPNOTSUPP` if none of the places can hold extended attributes; `USB9PFS_TEST_DIR` names another.
    public init() throws(Errno) {
        var failure = Errno.EOPNOTSUPP
        for candidate in Self.candidates {
            var template = Array("\(candidate)/usb9pfs-test-XXXXXX".utf8CString)
            guard mkdtemp(&template) != nil, let resolved = realpath(&template, nil) else {
                failure = .last
                continue
            }
            defer { free(resolved) }
            if setxattr(resolved, "user.probe", "1", 1, 0) == 0 {
                removexattr(resolved, "user.probe")
                enclosing = String(cString: resolved)
                path = "\(enclosing)/files"
                Self.remember(enclosing)
                guard mkdir(path, 0o700) == 0, chmod(enclosing, 0o755) == 0 else { throw .last }
                return
            }
            failure = .last
            rmdir(resolved)
        }
        throw failure
    }

    private static var candidates: [String] {
        if let chosen = getenv("USB9PFS_TEST_DIR") { return [String(cString: chosen)] }
        return ["\(Fixture.package)/.build"] + (getenv("TMPDIR").map { [String(cString: $0)] } ?? []) + [
            "/var/tmp", "/tmp",
        ]
    }

    deinit {
        Self.removeAll(enclosing)
        _ = Self.remaining.withLock { $0.paths.remove(enclosing) }
    }

    /// Directories of threads that don't end before the process does.
    private static let remaining = Mutex<(paths: Set<String>, isRegistered: Bool)>(([], false))

    private static func remember(_ path: String) {
        remaining.withLock { remaining in
            remaining.paths.insert(path)
            if !remaining.isRegistered {
                remaining.isRegistered = true
                atexit {
                    let paths = TemporaryDirectory.remaining.withLock { $0.paths }
                    for path in paths { TemporaryDirectory.removeAll(path) }
                }
            }
        }
    }

    /// Removes a file or a whole tree, with any modes and names; names need not be UTF-8.
    public static func removeAll(_ path: String) {
        removeAll(Array(path.utf8CString))
    }

    private static func removeAll(_ path: [CChar]) {
        var status = stat()
        guard lstat(path, &status) == 0 else { return }
        guard status.st_mode & S_IFMT == S_IFDIR else {
            Glibc.unlink(path)
            return
        }
        chmod(path, 0o700)
        var names: [[CChar]] = []
        if let directory = opendir(path) {
            while let entry = readdir(directory) {
                // d_name is a tuple: its address is where the record has it.
                withUnsafePointer(to: &entry.pointee.d_name) { name in
                    name.withMemoryRebound(to: CChar.self, capacity: 256) { name in
                        names.append(Array(UnsafeBufferPointer(start: name, count: strlen(name) + 1)))
                    }
                }
            }
            closedir(directory)
        }
        for name in names where !name.elementsEqual([46, 0]) && !name.elementsEqual([46, 46, 0]) {
            removeAll(path.dropLast() + [CChar(bitPattern: UInt8(ascii: "/"))] + name)
        }
        rmdir(path)
    }
}
