internal import CLinux
internal import Glibc

/// A Linux error number, as in `errno`: 1...4095.
public struct Errno: RawRepresentable, Error, Hashable, Sendable {
    /// The number, as in `errno`.
    public let rawValue: CInt

    /// Takes a number from `errno`.
    public init(rawValue: CInt) {
        self.rawValue = rawValue
    }

    /// What the calling thread's last failed C library call left in `errno`.
    public static var last: Errno { Errno(rawValue: errno) }

    /// Operation not permitted.
    public static let EPERM = Errno(rawValue: 1)
    /// No such file or directory.
    public static let ENOENT = Errno(rawValue: 2)
    /// Interrupted system call.
    public static let EINTR = Errno(rawValue: 4)
    /// Input/output error.
    public static let EIO = Errno(rawValue: 5)
    /// No such device or address.
    public static let ENXIO = Errno(rawValue: 6)
    /// Argument list too long.
    public static let E2BIG = Errno(rawValue: 7)
    /// Bad file descriptor.
    public static let EBADF = Errno(rawValue: 9)
    /// Resource temporarily unavailable.
    public static let EAGAIN = Errno(rawValue: 11)
    /// Cannot allocate memory.
    public static let ENOMEM = Errno(rawValue: 12)
    /// Permission denied.
    public static let EACCES = Errno(rawValue: 13)
    /// Device or resource busy.
    public static let EBUSY = Errno(rawValue: 16)
    /// File exists.
    public static let EEXIST = Errno(rawValue: 17)
    /// Invalid cross-device link.
    public static let EXDEV = Errno(rawValue: 18)
    /// No such device.
    public static let ENODEV = Errno(rawValue: 19)
    /// Not a directory.
    public static let ENOTDIR = Errno(rawValue: 20)
    /// Is a directory.
    public static let EISDIR = Errno(rawValue: 21)
    /// Invalid argument.
    public static let EINVAL = Errno(rawValue: 22)
    /// Too many open files in system.
    public static let ENFILE = Errno(rawValue: 23)
    /// Too many open files.
    public static let EMFILE = Errno(rawValue: 24)
    /// File too large.
    public static let EFBIG = Errno(rawValue: 27)
    /// No space left on device.
    public static let ENOSPC = Errno(rawValue: 28)
    /// Illegal seek.
    public static let ESPIPE = Errno(rawValue: 29)
    /// Read-only file system.
    public static let EROFS = Errno(rawValue: 30)
    /// Too many links.
    public static let EMLINK = Errno(rawValue: 31)
    /// Broken pipe.
    public static let EPIPE = Errno(rawValue: 32)
    /// Numerical result out of range.
    public static let ERANGE = Errno(rawValue: 34)
    /// File name too long.
    public static let ENAMETOOLONG = Errno(rawValue: 36)
    /// The system call does not exist here.
    public static let ENOSYS = Errno(rawValue: 38)
    /// Directory not empty.
    public static let ENOTEMPTY = Errno(rawValue: 39)
    /// Too many levels of symbolic links.
    public static let ELOOP = Errno(rawValue: 40)
    /// No data available.
    public static let ENODATA = Errno(rawValue: 61)
    /// Protocol error.
    public static let EPROTO = Errno(rawValue: 71)
    /// Name not unique on network.
    public static let ENOTUNIQ = Errno(rawValue: 76)
    /// Message too long.
    public static let EMSGSIZE = Errno(rawValue: 90)
    /// EOPNOTSUPP.
    public static let EOPNOTSUPP = Errno(rawValue: 95)
    /// Connection reset by peer.
    public static let ECONNRESET = Errno(rawValue: 104)
    /// Cannot send after transport endpoint shutdown.
    public static let ESHUTDOWN = Errno(rawValue: 108)
    /// Connection timed out.
    public static let ETIMEDOUT = Errno(rawValue: 110)
    /// Cannot assign requested address.
    public static let EADDRNOTAVAIL = Errno(rawValue: 99)
    /// Address family not supported by protocol.
    public static let EAFNOSUPPORT = Errno(rawValue: 97)
    /// Address already in use.
    public static let EADDRINUSE = Errno(rawValue: 98)
    /// Stale file handle.
    public static let ESTALE = Errno(rawValue: 116)
    /// Disk quota exceeded.
    public static let EDQUOT = Errno(rawValue: 122)
    /// Operation canceled.
    public static let ECANCELED = Errno(rawValue: 125)
}

extension Errno: CustomStringConvertible {
    /// The name and the C library's text, such as "ENOENT (No such file or directory)".
    public var description: String {
        let text = String(cString: strerror(rawValue))
        guard let name = clinux_strerror_name(rawValue) else { return text }
        return "\(String(cString: name)) (\(text))"
    }

    /// The C library's text alone, such as "No such file or directory".
    public var text: String { String(cString: strerror(rawValue)) }
}

/// Runs a system call until it is not interrupted, and turns -1 into `Errno`.
///
/// Source: `errno(3)`; every C library call of this module but `close` goes through here.
@inline(__always)
func retrying<Result: SignedInteger>(_ call: () -> Result) throws(Errno) -> Result {
    while true {
        let result = call()
        if result != -1 { return result }
        let error = Errno.last
        if error != .EINTR { throw error }
    }
}
