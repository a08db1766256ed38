internal import CLinux

/// Extended attributes of the file that a descriptor holds, also of an O_PATH descriptor: the f...xattr calls refuse such
/// descriptors, so each call goes through /proc/self/fd.
extension System {
    /// Reads an extended attribute.
    /// - Returns: bytes in the value; with an empty buffer nothing is read.
    /// - Throws: `ENODATA` if there is no such attribute, `ERANGE` if the buffer is too small.
    ///
    /// The corresponding C function is `getxattr`.
    public static func getAttribute(
        _ name: UnsafePointer<CChar>,
        of descriptor: CInt,
        into buffer: UnsafeMutableRawBufferPointer
    ) throws(Errno) -> Int {
        try DescriptorPath(descriptor).withCString { (path) throws(Errno) in
            try retrying { getxattr(path, name, buffer.baseAddress, buffer.count) }
        }
    }

    /// Sets an extended attribute.
    /// - Parameter flags: XATTR_CREATE 1, XATTR_REPLACE 2, or 0.
    /// - Throws: `EEXIST` and `ENODATA` by the flags, `ENOSPC` or `E2BIG` if the file has no room for it,
    ///   `EOPNOTSUPP` where there are no attributes.
    ///
    /// The corresponding C function is `setxattr`.
    public static func setAttribute(
        _ name: UnsafePointer<CChar>,
        of descriptor: CInt,
        to value: RawSpan,
        flags: CInt = 0
    ) throws(Errno) {
        _ = try DescriptorPath(descriptor).withCString { (path) throws(Errno) in
            try value.withUnsafeBytes { (value) throws(Errno) in
                try retrying { setxattr(path, name, value.baseAddress, value.count, flags) }
            }
        }
    }

    /// Removes an extended attribute.
    /// The corresponding C function is `removexattr`.
    /// - Throws: `ENODATA` if there is none.
    public static func removeAttribute(_ name: UnsafePointer<CChar>, of descriptor: CInt) throws(Errno) {
        _ = try DescriptorPath(descriptor).withCString { (path) throws(Errno) in
            try retrying { removexattr(path, name) }
        }
    }

    /// The names of all attributes, each ended by a NUL.
    ///
    /// The corresponding C function is `listxattr`.
    public static func listAttributes(of descriptor: CInt) throws(Errno) -> [UInt8] {
        try DescriptorPath(descriptor).withCString { (path) throws(Errno) in
            while true {
                let size = try retrying { listxattr(path, nil, 0) }
                if size == 0 { return [] }
                var names = [UInt8](repeating: 0, count: size)
                do throws(Errno) {
                    let used = try names.withUnsafeMutableBufferPointer { (bytes) throws(Errno) -> Int in
                        try retrying { listxattr(path, bytes.baseAddress, bytes.count) }
                    }
                    names.removeLast(size - used)
                    return names
                } catch .ERANGE {
                    continue  // somebody added one between the two calls
                }
            }
        }
    }
}
