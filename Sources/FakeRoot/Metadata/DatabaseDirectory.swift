internal import LinuxFiles
internal import Synchronization

/// A directory that databases lie in, held open as long as SQLite may use files in it.
///
/// All users of one directory share one descriptor: SQLite removes a `-shm` file by the path of whoever opened it first.
final class DatabaseDirectory: Sendable {
    /// O_PATH.
    let descriptor: OwnedDescriptor
    let id: DirectoryID

    private struct Held {
        weak var directory: DatabaseDirectory?
    }

    private static let held = Mutex<[DirectoryID: Held]>([:])

    private init(owning descriptor: consuming OwnedDescriptor, _ id: DirectoryID) {
        self.descriptor = descriptor
        self.id = id
    }

    /// The one object for the directory that a descriptor holds.
    static func of(_ descriptor: consuming OwnedDescriptor) throws(Errno) -> DatabaseDirectory {
        let id = try DirectoryID(of: descriptor.raw)
        let new = DatabaseDirectory(owning: descriptor, id)
        return held.withLock { held in
            if let known = held[id]?.directory { return known }
            held[id] = Held(directory: new)
            return new
        }
    }

    deinit {
        Self.held.withLock { held in
            // Perhaps another one has taken the place already.
            if held[id]?.directory == nil { held[id] = nil }
        }
    }

    /// Where it is now, for messages and for the user's commands.
    var path: String {
        let path = String(decoding: (try? System.currentPath(of: descriptor.raw)) ?? [], as: UTF8.self)
        return path == "/" ? "" : path
    }

    /// What tells whether names have come or gone, or a file was written: its identity and its times.
    struct Stamp: Equatable {
        let device: UInt64
        let inode: UInt64
        let modified: FileTime
        let changed: FileTime

        init(_ status: FileStatus) {
            (device, inode) = (status.device, status.inode)
            (modified, changed) = (status.modificationTime, status.changeTime)
        }

        /// Of a path; nil if there is nothing.
        init?(_ path: String, in directory: CInt = System.atCurrentDirectory) {
            let bytes = Array(path.utf8CString)
            let status = try? bytes.span.withUnsafeBufferPointer { (bytes) throws(Errno) in
                guard let base = bytes.baseAddress else { throw .EINVAL }
                return try System.status(at: directory, base)
            }
            guard let status else { return nil }
            self.init(status)
        }

        /// Whether a change that comes now moves it: the clock of file times stands still for some milliseconds, and some
        /// file systems count whole seconds.
        var isSettled: Bool {
            let settling: Int64 = changed.nanoseconds == 0 ? 2_050_000_000 : 50_000_000
            let moment = changed.seconds &* 1_000_000_000 &+ Int64(changed.nanoseconds)
            return System.fileClock &- moment > settling
        }
    }
}

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

    /// What there is under the name; nil if nothing is. A symbolic link is not followed.
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

    /// What SQLite is to open: `/proc/self/fd/N/NAME` as a URI, in which all bytes are allowed.
    func uri(isImmutable: Bool) -> String {
        let digits = Array("0123456789ABCDEF".utf8)
        var bytes = Array("file:\(SQLiteFiles.prefix)\(directory.descriptor.raw)/".utf8)
        for byte in name {
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "."), UInt8(ascii: "-"), UInt8(ascii: "_"):
                bytes.append(byte)
            default: bytes += [UInt8(ascii: "%"), digits[Int(byte >> 4)], digits[Int(byte & 15)]]
            }
        }
        return String(decoding: bytes, as: UTF8.self) + (isImmutable ? "?immutable=1" : "")
    }
}
