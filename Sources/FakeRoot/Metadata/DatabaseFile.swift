internal import LinuxFiles

/// A database's name in its directory. Nothing is opened by a longer path.
struct DatabaseFile: Sendable {
    let directory: DatabaseDirectory
    let name: [UInt8]

    /// For messages.
    var path: String { "\(directory.path)/\(String(decoding: name, as: UTF8.self))" }

    /// SQLite's own files that may lie beside.
    static let companions = ["-wal", "-shm", "-journal"]

    func with(_ suffix: String) -> DatabaseFile { DatabaseFile(directory: directory, name: name + Array(suffix.utf8)) }

    private func withName<Result: ~Copyable>(
        _ body: (UnsafePointer<CChar>) throws(Errno) -> Result
    ) throws(Errno) -> Result {
        let name = try FileName(name.span.bytes)
        return try name.withCString(body)
    }

    /// The file of this name; nil if there is none. A symbolic link is not followed.
    var status: FileStatus? {
        get throws(Errno) {
            do throws(Errno) {
                return try withName { (name) throws(Errno) in try System.status(at: directory.descriptor.raw, name) }
            } catch .ENOENT {
                return nil
            }
        }
    }

    /// Makes an empty file that nobody else may read, whatever the umask is. One that is there stays.
    func make() throws(Errno) {
        do throws(Errno) {
            _ = try withName { (name) throws(Errno) in
                try System.open(
                    at: directory.descriptor.raw,
                    name,
                    [.writeOnly, .create, .exclusive, .noFollow],
                    mode: 0o600
                )
            }
        } catch .EEXIST {
            // Somebody else was faster.
        }
    }

    func open(_ mode: OpenMode) throws(Errno) -> OwnedDescriptor {
        try withName { (name) throws(Errno) in
            try System.open(at: directory.descriptor.raw, name, mode.union([.noFollow, .nonBlocking]), mode: 0o600)
        }
    }

    /// An O_PATH descriptor.
    private func hold() throws(Errno) -> OwnedDescriptor {
        try withName { (name) throws(Errno) in
            try System.open(at: directory.descriptor.raw, name, [.path, .noFollow])
        }
    }

    /// Whether this process may write to it.
    var isWritable: Bool {
        do throws(Errno) {
            let file = try hold()
            return System.isWritable(descriptor: file.raw)
        } catch {
            return false
        }
    }

    /// Takes the rights of all but the owner away, from SQLite's files beside it too. Best effort.
    func tighten() {
        for suffix in [""] + Self.companions { try? with(suffix).tightenOne() }
    }

    private func tightenOne() throws(Errno) {
        let file = try hold()
        let status = try System.status(of: file.raw)
        guard status.format == .regular, status.mode & 0o077 != 0 else { return }
        try System.changeMode(of: file.raw, to: 0o600)
    }

    func isSame(as other: DatabaseFile) -> Bool { name == other.name && directory.id == other.directory.id }

    func rename(to new: DatabaseFile, replacing: Bool = false) throws(Errno) {
        try withName { (old) throws(Errno) in
            try new.withName { (name) throws(Errno) in
                try System.rename(
                    at: directory.descriptor.raw,
                    old,
                    to: new.directory.descriptor.raw,
                    name,
                    replacing: replacing
                )
            }
        }
    }

    func remove() throws(Errno) {
        try withName { (name) throws(Errno) in
            try System.unlink(at: directory.descriptor.raw, name, isDirectory: false)
        }
    }
}
