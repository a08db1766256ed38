internal import CLinux
internal import Glibc

/// A Linux error number, as in `errno`: 1...4095.
public struct Errno: RawRepresentable, Error, Hashable, Sendable {
    public let rawValue: CInt

    public init(rawValue: CInt) {
        self.rawValue = rawValue
    }

    /// What the calling thread's last failed C library call left in `errno`.
    public static var last: Errno { Errno(rawValue: errno) }

    public static let EPERM = Errno(rawValue: 1)
    public static let ENOENT = Errno(rawValue: 2)
    public static let EINTR = Errno(rawValue: 4)
    public static let EIO = Errno(rawValue: 5)
    public static let ENXIO = Errno(rawValue: 6)
    public static let E2BIG = Errno(rawValue: 7)
    public static let EBADF = Errno(rawValue: 9)
    public static let EAGAIN = Errno(rawValue: 11)
    public static let ENOMEM = Errno(rawValue: 12)
    public static let EACCES = Errno(rawValue: 13)
    public static let EBUSY = Errno(rawValue: 16)
    public static let EEXIST = Errno(rawValue: 17)
    public static let EXDEV = Errno(rawValue: 18)
    public static let ENODEV = Errno(rawValue: 19)
    public static let ENOTDIR = Errno(rawValue: 20)
    public static let EISDIR = Errno(rawValue: 21)
    public static let EINVAL = Errno(rawValue: 22)
    public static let ENFILE = Errno(rawValue: 23)
    public static let EMFILE = Errno(rawValue: 24)
    public static let EFBIG = Errno(rawValue: 27)
    public static let ENOSPC = Errno(rawValue: 28)
    public static let ESPIPE = Errno(rawValue: 29)
    public static let EROFS = Errno(rawValue: 30)
    public static let EMLINK = Errno(rawValue: 31)
    public static let EPIPE = Errno(rawValue: 32)
    public static let ERANGE = Errno(rawValue: 34)
    public static let ENAMETOOLONG = Errno(rawValue: 36)
    public static let ENOSYS = Errno(rawValue: 38)
    public static let ENOTEMPTY = Errno(rawValue: 39)
    public static let ELOOP = Errno(rawValue: 40)
    public static let ENODATA = Errno(rawValue: 61)
    public static let EPROTO = Errno(rawValue: 71)
    public static let ENOTUNIQ = Errno(rawValue: 76)
    public static let EMSGSIZE = Errno(rawValue: 90)
    public static let EOPNOTSUPP = Errno(rawValue: 95)
    public static let ECONNRESET = Errno(rawValue: 104)
    public static let ESHUTDOWN = Errno(rawValue: 108)
    public static let ETIMEDOUT = Errno(rawValue: 110)
    public static let EADDRNOTAVAIL = Errno(rawValue: 99)
    public static let EAFNOSUPPORT = Errno(rawValue: 97)
    public static let EADDRINUSE = Errno(rawValue: 98)
    public static let ESTALE = Errno(rawValue: 116)
    public static let EDQUOT = Errno(rawValue: 122)
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
