internal import CSQLite
internal import Glibc
public import LinuxFiles
internal import Synchronization

/// How SQLite gets at our files: a VFS over its own for Unix that resolves no path and reaches only files in the
/// directory of a descriptor, `/proc/self/fd/N/NAME`.
///
/// SQLite's own VFS would turn that into the directory's path and open whatever is there later; here a directory that is
/// moved or swapped for a link leads nowhere else. A rollback journal may name a further file to be read and removed: no
/// such file exists for this VFS, whatever its name. Source: `os_unix.c` and https://sqlite.org/vfs.html.
public enum SQLiteFiles {
    static let name = "usb9pfs"
    private static let prefix = "/proc/self/fd/"

    /// The users whose files are opened: the server's user, root, and the owners of trees that are open.
    private static let owners = Mutex<Set<UInt32>>([0, System.effectiveUser])

    /// Takes a user's files too, from now on: a tree's owner's.
    public static func trust(_ owner: UInt32) { owners.withLock { _ = $0.insert(owner) } }

    /// Why a file is not opened: nil for a regular file with one name that nobody but its trusted owner may write to.
    public static func objection(_ file: FileStatus) -> String? {
        let othersWrite: UInt32 = 0o022
        guard file.format == .regular else { return "is not a regular file" }
        guard file.linkCount <= 1 else { return "has several names" }
        guard owners.withLock({ $0.contains(file.uid) }) else { return "belongs to another user" }
        guard file.mode & othersWrite == 0 else { return "may be written by others" }
        return nil
    }

    /// What SQLite is to open: `/proc/self/fd/N/NAME` as a URI, in which all bytes are allowed.
    static func uri(of name: [UInt8], in directory: CInt) -> String {
        let digits = Array("0123456789ABCDEF".utf8)
        var bytes = Array("file:\(prefix)\(directory)/".utf8)
        for byte in name {
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "."), UInt8(ascii: "-"), UInt8(ascii: "_"):
                bytes.append(byte)
            default: bytes += [UInt8(ascii: "%"), digits[Int(byte >> 4)], digits[Int(byte & 15)]]
            }
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    /// Once in a process.
    static let isRegistered: Bool = {
        guard let base, let own = base.pointee.copy() else { return false }
        guard let setCall = base.pointee.xSetSystemCall else { return false }
        typealias Open = @convention(c) (UnsafePointer<CChar>?, CInt, CInt) -> CInt
        let open: Open = { path, flags, mode in SQLiteFiles.open(path, flags, mode) }
        // SQLite has one type for all functions, and calls each as what it is.
        guard setCall(base, "open", unsafeBitCast(open, to: sqlite3_syscall_ptr.self)) == SQLITE_OK else {
            return false
        }
        own.pointee.zName = UnsafePointer(strdup(name))
        own.pointee.xFullPathname = { _, path, size, result in
            guard let path, let result, strlen(path) < size else { return SQLITE_CANTOPEN }
            strcpy(result, path)
            return SQLITE_OK
        }
        own.pointee.xOpen = { vfs, path, file, flags, used in
            guard path == nil || SQLiteFiles.isOurs(path), flags & SQLITE_OPEN_SUPER_JOURNAL == 0,
                let open = SQLiteFiles.base?.pointee.xOpen
            else {
                file?.pointee.pMethods = nil
                return SQLITE_CANTOPEN
            }
            return open(vfs, path, file, flags, used)
        }
        own.pointee.xDelete = { vfs, path, isSynchronized in
            guard SQLiteFiles.isCompanion(path), let delete = SQLiteFiles.base?.pointee.xDelete else {
                return SQLITE_IOERR
            }
            return delete(vfs, path, isSynchronized)
        }
        own.pointee.xAccess = { vfs, path, what, result in
            guard SQLiteFiles.isCompanion(path), let access = SQLiteFiles.base?.pointee.xAccess else {
                result?.pointee = 0
                return SQLITE_OK
            }
            return access(vfs, path, what, result)
        }
        return sqlite3_vfs_register(own, 0) == SQLITE_OK
    }()

    /// SQLite's own. Nobody changes it once it is registered.
    nonisolated(unsafe) private static let base = sqlite3_vfs_find("unix")

    private static func isOurs(_ path: UnsafePointer<CChar>?) -> Bool {
        path.map { strncmp($0, prefix, prefix.utf8.count) == 0 } ?? false
    }

    /// Whether a path is that of a log or journal beside one of our files. SQLite asks for and removes no others, except
    /// what a journal names.
    private static func isCompanion(_ path: UnsafePointer<CChar>?) -> Bool {
        guard let path, isOurs(path) else { return false }
        let number = path + prefix.utf8.count
        let slash = number + strspn(number, "0123456789")
        guard slash.pointee == CChar(bitPattern: UInt8(ascii: "/")), strchr(slash + 1, CInt(UInt8(ascii: "/"))) == nil
        else { return false }
        let length = strlen(path)
        return ["-wal", "-journal"].contains { (suffix: String) in
            length > suffix.utf8.count && strcmp(path + (length - suffix.utf8.count), suffix) == 0
        }
    }

    /// In the place of `open(2)`, in all of SQLite: never waits for a FIFO's other end. Of our own files, it takes those
    /// only that `objection` has nothing against; what was looked at is what is opened.
    private static func open(_ path: UnsafePointer<CChar>?, _ flags: CInt, _ mode: CInt) -> CInt {
        guard let path else {
            errno = EINVAL
            return -1
        }
        do throws(Errno) {
            let flags = OpenMode(rawValue: flags).union([.nonBlocking, .noControllingTerminal])
            let isFile = isOurs(path) && strchr(path + prefix.utf8.count, CInt(UInt8(ascii: "/"))) != nil
            guard isFile else {
                let opened = try System.open(at: System.atCurrentDirectory, path, flags, mode: UInt32(mode))
                return opened.release()
            }
            return try noting(path, flags) { () throws(Errno) in try openOwn(path, flags, UInt32(mode)).release() }
        } catch {
            errno = error.rawValue
            return -1
        }
    }

    /// Why a file could not be made, by its path.
    private static let failures = Mutex<[[CChar]: Errno]>([:])

    /// SQLite tries to read what it could not make, and tells of that failure only: a disk without room would be a file that
    /// is missing. Here the second one fails for the reason of the first.
    private static func noting(
        _ path: UnsafePointer<CChar>,
        _ flags: OpenMode,
        _ open: () throws(Errno) -> CInt
    ) throws(Errno) -> CInt {
        do throws(Errno) {
            let opened = try open()
            failures.withLock { if !$0.isEmpty { $0[name(path)] = nil } }
            return opened
        } catch {
            guard flags.contains(.create) else {
                throw error == .ENOENT ? failures.withLock { $0[name(path)] } ?? error : error
            }
            failures.withLock {
                if $0.count >= maxFailures { $0 = [:] }
                $0[name(path)] = error
            }
            throw error
        }
    }

    private static let maxFailures = 64

    private static func name(_ path: UnsafePointer<CChar>) -> [CChar] {
        Array(UnsafeBufferPointer(start: path, count: strlen(path)))
    }

    private static func openOwn(
        _ path: UnsafePointer<CChar>,
        _ flags: OpenMode,
        _ mode: UInt32
    ) throws(Errno) -> OwnedDescriptor {
        while true {
            do throws(Errno) {
                let found = try System.open(at: System.atCurrentDirectory, path, [.path, .noFollow])
                guard try objection(System.status(of: found.raw)) == nil else { throw .EACCES }
                return try DescriptorPath(found.raw).withCString { (path) throws(Errno) in
                    try System.open(
                        at: System.atCurrentDirectory,
                        path,
                        flags.subtracting([.create, .exclusive, .noFollow])
                    )
                }
            } catch .ENOENT where flags.contains(.create) {
                do throws(Errno) {
                    return try System.open(
                        at: System.atCurrentDirectory,
                        path,
                        flags.union([.exclusive, .noFollow]),
                        mode: mode & 0o600
                    )
                } catch .EEXIST {
                    continue
                }
            }
        }
    }
}

extension sqlite3_vfs {
    /// SQLite keeps the address.
    fileprivate func copy() -> UnsafeMutablePointer<sqlite3_vfs>? {
        let copy = UnsafeMutablePointer<sqlite3_vfs>.allocate(capacity: 1)
        copy.initialize(to: self)
        copy.pointee.pNext = nil
        return copy
    }
}
