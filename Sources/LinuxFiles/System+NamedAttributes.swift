internal import CLinux
internal import Glibc

extension System {
    /// The names of a file's attributes, each ended by a NUL, without the file being opened. A symbolic link is not followed.
    ///
    /// Linux has listxattrat since 6.13. Before that one name behind its directory's link in /proc leads to the same file, and
    /// nothing else is resolved.
    /// - Returns: bytes of names.
    /// - Throws: `ERANGE` if the buffer is too small, `EOPNOTSUPP` where there are no attributes.
    ///
    /// The corresponding C function is `llistxattr`.
    public static func listAttributes(
        of name: borrowing FileName,
        in directory: CInt,
        into buffer: UnsafeMutableRawBufferPointer
    ) throws(Errno) -> Int {
        // "/proc/self/fd/" with a number, "/", 255 bytes of name at most and a NUL.
        try withUnsafeTemporaryAllocation(of: CChar.self, capacity: 32 + 257) { (path) throws(Errno) in
            guard let base = path.baseAddress else { throw .EINVAL }
            DescriptorPath(directory).withCString { _ = strcpy(base, $0) }
            let length = strlen(base)
            base[length] = CChar(bitPattern: UInt8(ascii: "/"))
            name.withCString { _ = strcpy(base + length + 1, $0) }
            return try retrying { llistxattr(base, buffer.baseAddress, buffer.count) }
        }
    }
}
