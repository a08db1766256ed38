internal import CLinux
internal import Glibc

/// The system calls that this project makes, with owned descriptors and thrown errors.
///
/// Nothing here keeps state or takes decisions. Each call is retried when a signal interrupts it. Each throws what its C
/// function leaves in `errno`; a `- Throws:` line says only what that manual page does not.
public enum System {
    /// AT_FDCWD, in the place of a directory: the current one.
    public static let atCurrentDirectory = AT_FDCWD

    /// Opens a name relative to a directory; O_CLOEXEC is always added.
    ///
    /// The corresponding C function is `openat`.
    public static func open(
        at directory: CInt,
        _ path: UnsafePointer<CChar>,
        _ flags: OpenMode,
        mode: UInt32 = 0
    ) throws(Errno) -> OwnedDescriptor {
        OwnedDescriptor(
            owning: try retrying { clinux_openat(directory, path, flags.rawValue | O_CLOEXEC, mode) }
        )
    }

    /// Opens a path given by the user, relative to the current directory; symbolic links are followed.
    ///
    /// The corresponding C function is `open`.
    public static func open(_ path: String, _ flags: OpenMode) throws(Errno) -> OwnedDescriptor {
        let bytes = Array(path.utf8CString)
        return try bytes.span.withUnsafeBufferPointer { (bytes) throws(Errno) -> OwnedDescriptor in
            guard let base = bytes.baseAddress else { preconditionFailure("a C string has its NUL") }
            return try open(at: atCurrentDirectory, base, flags)
        }
    }

    /// Another descriptor for the same opening.
    ///
    /// The corresponding C function is `fcntl` with F_DUPFD_CLOEXEC.
    public static func duplicate(_ descriptor: CInt) throws(Errno) -> OwnedDescriptor {
        OwnedDescriptor(owning: try retrying { fcntl(descriptor, F_DUPFD_CLOEXEC, 0) })
    }

    /// Opens a path of several components that must stay beneath the directory and contain no symbolic link.
    ///
    /// The corresponding C function is `openat2` with RESOLVE_BENEATH, NO_MAGICLINKS and NO_SYMLINKS.
    public static func open(
        beneath directory: CInt,
        _ path: UnsafePointer<CChar>,
        _ flags: OpenMode
    ) throws(Errno) -> OwnedDescriptor {
        let resolve = clinux_RESOLVE_BENEATH | clinux_RESOLVE_NO_MAGICLINKS | clinux_RESOLVE_NO_SYMLINKS
        return try open(directory, path, flags, resolve)
    }

    /// Opens a path of several components that must stay beneath the directory; symbolic links are followed.
    ///
    /// The corresponding C function is `openat2` with RESOLVE_BENEATH and NO_MAGICLINKS.
    /// - Throws: `EXDEV` if "..", an absolute path or a link would lead out.
    public static func open(
        followingBeneath directory: CInt,
        _ path: UnsafePointer<CChar>,
        _ flags: OpenMode
    ) throws(Errno) -> OwnedDescriptor {
        try open(directory, path, flags, clinux_RESOLVE_BENEATH | clinux_RESOLVE_NO_MAGICLINKS)
    }

    /// Opens a path as a process with this root directory would: "..", absolute names and symbolic links stay within.
    ///
    /// The corresponding C function is `openat2` with RESOLVE_IN_ROOT and NO_MAGICLINKS.
    public static func open(
        inRoot directory: CInt,
        _ path: UnsafePointer<CChar>,
        _ flags: OpenMode
    ) throws(Errno) -> OwnedDescriptor {
        try open(directory, path, flags, clinux_RESOLVE_IN_ROOT | clinux_RESOLVE_NO_MAGICLINKS)
    }

    /// As above.
    public static func open(inRoot directory: CInt, _ path: String, _ flags: OpenMode) throws(Errno) -> OwnedDescriptor
    {
        let bytes = Array(path.utf8CString)
        return try bytes.span.withUnsafeBufferPointer { (bytes) throws(Errno) -> OwnedDescriptor in
            guard let base = bytes.baseAddress else { preconditionFailure("a C string has its NUL") }
            return try open(inRoot: directory, base, flags)
        }
    }

    /// Opens a name in a directory unless a file system is mounted there: a stalled one would block whoever looks at it.
    ///
    /// The corresponding C function is `openat2` with RESOLVE_NO_XDEV.
    /// - Throws: `EXDEV` for a mount point.
    public static func open(
        withinMount directory: CInt,
        _ name: UnsafePointer<CChar>,
        _ flags: OpenMode
    ) throws(Errno) -> OwnedDescriptor {
        try open(directory, name, flags, clinux_RESOLVE_NO_XDEV)
    }

    private static func open(
        _ directory: CInt,
        _ path: UnsafePointer<CChar>,
        _ flags: OpenMode,
        _ resolve: UInt64
    ) throws(Errno) -> OwnedDescriptor {
        while true {
            do throws(Errno) {
                let raw = try retrying {
                    clinux_openat2(directory, path, UInt64(flags.rawValue | O_CLOEXEC), 0, resolve)
                }
                return OwnedDescriptor(owning: raw)
            } catch .EAGAIN {
                continue  // a rename elsewhere in the tree raced with the walk: openat2(2) says to ask again
            }
        }
    }

    /// The corresponding C function is `statx` with AT_EMPTY_PATH.
    public static func status(of descriptor: CInt) throws(Errno) -> FileStatus {
        var status = clinux_stat()
        _ = try retrying { clinux_statx(descriptor, "", clinux_AT_EMPTY_PATH, &status) }
        return FileStatus(status)
    }

    /// The corresponding C function is `statx` with AT_SYMLINK_NOFOLLOW.
    public static func status(at directory: CInt, _ path: UnsafePointer<CChar>) throws(Errno) -> FileStatus {
        var status = clinux_stat()
        _ = try retrying { clinux_statx(directory, path, AT_SYMLINK_NOFOLLOW, &status) }
        return FileStatus(status)
    }

    /// The corresponding C function is `chmod`, through /proc/self/fd: fchmodat2 came as late as Linux 6.6.
    public static func changeMode(of descriptor: CInt, to mode: UInt32) throws(Errno) {
        _ = try DescriptorPath(descriptor).withCString { (path) throws(Errno) in
            try retrying { chmod(path, mode) }
        }
    }

    /// Changes the size of a file, which need not be open for writing.
    ///
    /// The corresponding C function is `truncate`.
    public static func truncate(_ descriptor: CInt, to size: Int64) throws(Errno) {
        _ = try DescriptorPath(descriptor).withCString { (path) throws(Errno) in
            try retrying { Glibc.truncate(path, Int(size)) }
        }
    }

    /// Sets the times of any file, a symbolic link included.
    ///
    /// The corresponding C function is `utimensat` with AT_EMPTY_PATH.
    public static func setTimes(
        of descriptor: CInt,
        access: TimeChange,
        modification: TimeChange
    ) throws(Errno) {
        let times = [access.timespec, modification.timespec]
        do throws(Errno) {
            _ = try retrying { utimensat(descriptor, "", times, clinux_AT_EMPTY_PATH) }
        } catch .EINVAL {
            // Linux before 5.8 doesn't take AT_EMPTY_PATH here.
            _ = try DescriptorPath(descriptor).withCString { (path) throws(Errno) in
                try retrying { utimensat(AT_FDCWD, path, times, 0) }
            }
        }
    }

    /// Sets the times of what a directory has under a name, a symbolic link included.
    ///
    /// The corresponding C function is `utimensat` with AT_SYMLINK_NOFOLLOW.
    public static func setTimes(
        at directory: CInt,
        _ path: UnsafePointer<CChar>,
        access: TimeChange,
        modification: TimeChange
    ) throws(Errno) {
        let times = [access.timespec, modification.timespec]
        _ = try retrying { utimensat(directory, path, times, AT_SYMLINK_NOFOLLOW) }
    }

    /// The corresponding C function is `mkdirat`.
    public static func makeDirectory(
        at directory: CInt,
        _ path: UnsafePointer<CChar>,
        mode: UInt32
    ) throws(Errno) {
        _ = try retrying { mkdirat(directory, path, mode) }
    }

    /// The corresponding C function is `symlinkat`.
    public static func makeSymlink(
        to target: UnsafePointer<CChar>,
        at directory: CInt,
        _ path: UnsafePointer<CChar>
    ) throws(Errno) {
        _ = try retrying { symlinkat(target, directory, path) }
    }

    /// Gives the file that a descriptor holds another name; an existing name is never replaced.
    ///
    /// The corresponding C function is `linkat`, through /proc/self/fd.
    public static func link(
        _ descriptor: CInt,
        at directory: CInt,
        _ path: UnsafePointer<CChar>
    ) throws(Errno) {
        _ = try DescriptorPath(descriptor).withCString { (source) throws(Errno) in
            try retrying { linkat(AT_FDCWD, source, directory, path, AT_SYMLINK_FOLLOW) }
        }
    }

    /// The corresponding C function is `renameat2`.
    /// - Parameter replacing: whether an existing name is replaced; if not, `EEXIST`.
    public static func rename(
        at oldDirectory: CInt,
        _ oldPath: UnsafePointer<CChar>,
        to newDirectory: CInt,
        _ newPath: UnsafePointer<CChar>,
        replacing: Bool = true
    ) throws(Errno) {
        let flags = replacing ? 0 : clinux_RENAME_NOREPLACE
        _ = try retrying { clinux_renameat2(oldDirectory, oldPath, newDirectory, newPath, flags) }
    }

    /// Exchanges the files of two names in a directory.
    ///
    /// The corresponding C function is `renameat2` with RENAME_EXCHANGE.
    public static func exchange(
        at directory: CInt,
        _ path: UnsafePointer<CChar>,
        _ otherPath: UnsafePointer<CChar>
    ) throws(Errno) {
        _ = try retrying { clinux_renameat2(directory, path, directory, otherPath, clinux_RENAME_EXCHANGE) }
    }

    /// The corresponding C function is `unlinkat`.
    public static func unlink(
        at directory: CInt,
        _ path: UnsafePointer<CChar>,
        isDirectory: Bool
    ) throws(Errno) {
        _ = try retrying { unlinkat(directory, path, isDirectory ? AT_REMOVEDIR : 0) }
    }

    /// Reads the target of the symbolic link that a descriptor holds.
    /// - Returns: bytes written; a longer target is cut.
    ///
    /// The corresponding C function is `readlinkat`.
    public static func readLink(
        _ descriptor: CInt,
        into buffer: UnsafeMutableRawBufferPointer
    ) throws(Errno) -> Int {
        guard let base = buffer.baseAddress else { return 0 }
        return try retrying {
            readlinkat(descriptor, "", base.assumingMemoryBound(to: CChar.self), buffer.count)
        }
    }

    /// The whole target of the symbolic link that a descriptor holds: Linux allows at most 4,095 bytes.
    public static func linkTarget(of descriptor: CInt) throws(Errno) -> [UInt8] {
        var target = [UInt8](repeating: 0, count: 4096)
        let count = try target.withUnsafeMutableBufferPointer { (buffer) throws(Errno) in
            try readLink(descriptor, into: UnsafeMutableRawBufferPointer(buffer))
        }
        target.removeLast(target.count - count)
        return target
    }

    /// Where the file that a descriptor holds has its name now, as an absolute path of this process' view.
    ///
    /// The kernel keeps this current through every rename. The corresponding C function is `readlink` on
    /// /proc/self/fd.
    /// - Throws: `ENAMETOOLONG` for a path over 4,095 bytes.
    public static func currentPath(of descriptor: CInt) throws(Errno) -> [UInt8] {
        try DescriptorPath(descriptor).withCString { (path) throws(Errno) in
            var buffer = [UInt8](repeating: 0, count: 4096)
            let length = try buffer.withUnsafeMutableBufferPointer { (bytes) throws(Errno) in
                try read(link: path, into: UnsafeMutableRawBufferPointer(bytes))
            }
            guard length < buffer.count else { throw .ENAMETOOLONG }
            buffer.removeLast(buffer.count - length)
            return buffer
        }
    }

    private static func read(
        link path: UnsafePointer<CChar>,
        into buffer: UnsafeMutableRawBufferPointer
    ) throws(Errno) -> Int {
        guard let base = buffer.baseAddress else { return 0 }
        return try retrying { readlink(path, base.assumingMemoryBound(to: CChar.self), buffer.count) }
    }

    /// Forgets the umask, so that modes are stored exactly as the client sent them. Process-wide.
    public static func clearUmask() {
        _ = umask(0)
    }

    /// The permission bits that new files don't get. The corresponding C function is `umask`, which can't read without
    /// setting: no other thread may make files meanwhile.
    public static var currentUmask: UInt32 {
        let mask = umask(0)
        _ = umask(mask)
        return UInt32(mask)
    }

    /// Raises the soft limit of open files to the hard one.
    /// - Returns: how many files may be open now.
    public static func raiseOpenFileLimit() -> Int {
        var limit = rlimit()
        let resource = __rlimit_resource_t(RLIMIT_NOFILE.rawValue)
        guard getrlimit(resource, &limit) == 0 else { return 1024 }
        limit.rlim_cur = limit.rlim_max
        _ = setrlimit(resource, &limit)
        _ = getrlimit(resource, &limit)
        return Int(clamping: limit.rlim_cur)
    }

    /// The corresponding C functions are `major` and `minor`.
    public static func deviceNumbers(_ rawDevice: UInt64) -> (major: UInt32, minor: UInt32) {
        (clinux_major(rawDevice), clinux_minor(rawDevice))
    }

    /// How many threads can work at a time. The corresponding C function is `sysconf` with _SC_NPROCESSORS_ONLN.
    public static var processorCount: Int { max(1, sysconf(CInt(_SC_NPROCESSORS_ONLN))) }

    /// Whether there is a process of this number, in this PID namespace.
    ///
    /// The corresponding C function is `kill` with signal 0.
    public static func isAlive(_ process: CInt) -> Bool { process > 0 && (kill(process, 0) == 0 || errno == EPERM) }

    /// The corresponding C function is `getpid`.
    public static var processID: CInt { getpid() }

    /// The corresponding C function is `geteuid`.
    public static var effectiveUser: UInt32 { geteuid() }
}

/// Flags of `open(2)`, in the host's numbers.
public struct OpenMode: OptionSet, Sendable {
    /// The bits, as in `open(2)`.
    public let rawValue: CInt

    /// Takes bits of `open(2)`.
    public init(rawValue: CInt) {
        self.rawValue = rawValue
    }

    /// O_RDONLY.
    public static let readOnly = OpenMode([])
    /// O_WRONLY.
    public static let writeOnly = OpenMode(rawValue: O_WRONLY)
    /// O_RDWR.
    public static let readWrite = OpenMode(rawValue: O_RDWR)
    /// O_CREAT.
    public static let create = OpenMode(rawValue: O_CREAT)
    /// O_EXCL.
    public static let exclusive = OpenMode(rawValue: O_EXCL)
    /// O_TRUNC.
    public static let truncate = OpenMode(rawValue: O_TRUNC)
    /// O_DIRECTORY.
    public static let directory = OpenMode(rawValue: O_DIRECTORY)
    /// O_NOFOLLOW.
    public static let noFollow = OpenMode(rawValue: O_NOFOLLOW)
    /// O_NONBLOCK.
    public static let nonBlocking = OpenMode(rawValue: O_NONBLOCK)
    /// O_NOCTTY.
    public static let noControllingTerminal = OpenMode(rawValue: O_NOCTTY)
    /// A descriptor that only stands for the file.
    public static let path = OpenMode(rawValue: clinux_O_PATH)
    /// A file without a name in the directory given.
    public static let unnamed = OpenMode(rawValue: clinux_O_TMPFILE)
}

/// What happens to one of a file's times.
public enum TimeChange: Sendable {
    case keep
    case now
    case to(FileTime)

    fileprivate var timespec: timespec {
        switch self {
        case .keep: Glibc.timespec(tv_sec: 0, tv_nsec: clinux_UTIME_OMIT)
        case .now: Glibc.timespec(tv_sec: 0, tv_nsec: clinux_UTIME_NOW)
        case .to(let time): Glibc.timespec(tv_sec: Int(time.seconds), tv_nsec: Int(time.nanoseconds))
        }
    }
}
