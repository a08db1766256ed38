internal import CLinux
internal import Glibc

/// What tells a file from all others of its file system, also from files that had its inode number before.
///
/// The bytes may be stored: they stay the same through renames, new content and restarts. A file of another file system may
/// have the same bytes, unless they include the file system's identity.
public struct FileHandle: Hashable, Sendable {
    /// The most bytes of a handle: one for the form, 8 for the file system, 4 for the type, MAX_HANDLE_SZ.
    public static let maxSize = 144

    private var storage = InlineArray<144, UInt8>(repeating: 0)
    /// How many bytes it has.
    public private(set) var count = 0

    fileprivate enum Form: UInt8 {
        case kernel = 0
        case inodeAndBirth = 1
    }

    fileprivate init(_ form: Form, fileSystem: UInt64?) {
        append(form.rawValue | (fileSystem == nil ? 0 : 0x80))
        if let fileSystem { append(fileSystem, bytes: 8) }
    }

    /// - Returns: nil for bytes that can't be a handle.
    public init?(stored bytes: UnsafeRawBufferPointer) {
        guard bytes.count > 0, bytes.count <= Self.maxSize else { return nil }
        for byte in bytes { append(byte) }
    }

    fileprivate mutating func append(_ byte: UInt8) {
        storage[count] = byte
        count += 1
    }

    fileprivate mutating func append(_ number: UInt64, bytes: Int) {
        for index in 0..<bytes { append(UInt8(truncatingIfNeeded: number >> (8 * UInt64(index)))) }
    }

    /// Lends the bytes, as they are stored.
    public func withBytes<Result, Failure: Error>(
        _ body: (UnsafeRawBufferPointer) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        try storage.span.bytes.withUnsafeBytes { (bytes) throws(Failure) -> Result in
            try body(UnsafeRawBufferPointer(rebasing: bytes[..<count]))
        }
    }

    /// Whether the kernel gave the handle; if not, it consists of inode number and time of birth.
    public var isFromKernel: Bool { storage[0] & 0x7f == Form.kernel.rawValue }

    /// The bytes in hexadecimal.
    public var text: String {
        withBytes { bytes in
            let digits = Array("0123456789abcdef".utf8)
            return String(decoding: bytes.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }, as: UTF8.self)
        }
    }

    /// 64 bits that are the same in every process (FNV-1a).
    public var fingerprint: UInt64 {
        withBytes { bytes in
            bytes.reduce(0xcbf2_9ce4_8422_2325) { ($0 ^ UInt64($1)) &* 0x100_0000_01b3 }
        }
    }

    /// Compares the bytes.
    public static func == (left: FileHandle, right: FileHandle) -> Bool {
        left.count == right.count && left.withBytes { left in right.withBytes { left.elementsEqual($0) } }
    }

    /// Hashes the bytes.
    public func hash(into hasher: inout Hasher) {
        withBytes { hasher.combine(bytes: $0) }
    }
}

extension System {
    /// The handle of the file that a descriptor holds, O_PATH included.
    ///
    /// Where the file system can't give one (ramfs and overlayfs before Linux 6.6), inode number and time of birth
    /// stand in.
    /// - Parameters:
    ///   - status: of the same file.
    ///   - fileSystem: taken into the handle, for a file of another file system than the tree's root.
    ///
    /// The corresponding C function is `name_to_handle_at` with AT_EMPTY_PATH.
    public static func fileHandle(
        of descriptor: CInt,
        _ status: FileStatus,
        fileSystem: UInt64? = nil
    ) throws(Errno) -> FileHandle {
        for fid: CInt in 0...1 {
            var type: Int32 = 0
            var size: UInt32 = 128
            var bytes = InlineArray<128, UInt8>(repeating: 0)
            var span = bytes.mutableSpan
            let result = span.withUnsafeMutableBytes { bytes in
                clinux_file_handle(descriptor, fid, &type, bytes.baseAddress, &size)
            }
            guard result == 0 else {
                let error = Errno.last
                guard error == .EOPNOTSUPP || error == .EINVAL || error == .ENOSYS || error == .EPERM else {
                    throw error
                }
                continue
            }
            var handle = FileHandle(.kernel, fileSystem: fileSystem)
            handle.append(UInt64(UInt32(bitPattern: type)), bytes: 4)
            for index in 0..<Int(size) { handle.append(bytes[index]) }
            // FILEID_INO64_GEN with generation 0 is only the inode number, as on hostfs.
            let hasGeneration = type != 0x81 || size < 12 || (8..<12).contains { bytes[$0] != 0 }
            if !hasGeneration {
                handle.append(UInt64(bitPattern: status.birthTime.seconds), bytes: 8)
                handle.append(UInt64(status.birthTime.nanoseconds), bytes: 4)
            }
            return handle
        }
        var handle = FileHandle(.inodeAndBirth, fileSystem: fileSystem)
        handle.append(status.inode, bytes: 8)
        handle.append(UInt64(bitPattern: status.birthTime.seconds), bytes: 8)
        handle.append(UInt64(status.birthTime.nanoseconds), bytes: 4)
        return handle
    }

    /// Whether something is mounted on the directory that a descriptor holds; false before Linux 5.8.
    ///
    /// The corresponding C function is `statx`, STATX_ATTR_MOUNT_ROOT.
    public static func isMountRoot(_ descriptor: CInt) -> Bool { clinux_is_mount_root(descriptor) != 0 }

    /// Moves only a file's change time; also a symbolic link's.
    ///
    /// The corresponding C function is `fchownat` with AT_EMPTY_PATH, without owner and group.
    public static func touchChangeTime(of descriptor: CInt) throws(Errno) {
        _ = try retrying { fchownat(descriptor, "", uid_t.max, gid_t.max, clinux_AT_EMPTY_PATH) }
    }

    /// The clock that file times are taken from, in nanoseconds since 1970; a few milliseconds coarse.
    public static var fileClock: Int64 {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME_COARSE, &time)
        return Int64(time.tv_sec) &* 1_000_000_000 &+ Int64(time.tv_nsec)
    }

    /// A clock that nobody sets, in milliseconds.
    public static var monotonicMilliseconds: UInt64 {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC_COARSE, &time)
        return UInt64(time.tv_sec) &* 1000 &+ UInt64(time.tv_nsec) / 1_000_000
    }

    /// The corresponding C function is `getenv`.
    public static func environment(_ name: String) -> String? {
        getenv(name).map { String(cString: $0) }
    }

    /// Whether a path leads to something that may be written by this process.
    ///
    /// The corresponding C function is `access` with W_OK.
    public static func isWritable(_ path: String) -> Bool { access(path, W_OK) == 0 }

    /// As above, of the file that a descriptor holds.
    public static func isWritable(descriptor: CInt) -> Bool {
        DescriptorPath(descriptor).withCString { access($0, W_OK) == 0 }
    }

    /// Waits for an exclusive lock on an open file or directory, which goes away with the last descriptor of this
    /// opening.
    /// - Returns: false if somebody else still has it after `milliseconds`.
    ///
    /// The corresponding C function is `flock`.
    public static func lock(_ descriptor: CInt, milliseconds: Int) throws(Errno) -> Bool {
        for _ in 0...(milliseconds / 5) {
            if try tryLock(descriptor) { return true }
            _ = poll(nil, 0, 5)
        }
        return false
    }
}
