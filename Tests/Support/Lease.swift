internal import Glibc
public import LinuxFiles

/// A lease on a file: who changes the file's size waits in the kernel until it is given back, for 45 seconds at most. A
/// request that takes just as long as a test wants it to.
///
/// Source: `fcntl(2)`, F_SETLEASE; the numbers are of linux/fcntl.h, as Swift imports none of the GNU ones.
public final class Lease: Sendable {
    private let file: OwnedDescriptor

    /// - Parameter path: of a file that nobody has open for writing.
    /// - Throws: `EAGAIN` if somebody has.
    public init(_ path: String) throws(Errno) {
        file = try System.open(path, .readOnly)
        // The signal that tells that somebody waits; unlike SIGIO it is ignored by default.
        guard fcntl(file.raw, Self.setSignal, SIGWINCH) == 0, fcntl(file.raw, Self.setLease, CInt(F_RDLCK)) == 0 else {
            throw .last
        }
    }

    /// Whether somebody waits for it.
    public var isAwaited: Bool { fcntl(file.raw, Self.getLease) == CInt(F_UNLCK) }

    public func giveBack() {
        _ = fcntl(file.raw, Self.setLease, CInt(F_UNLCK))
    }

    private static let setSignal: CInt = 10  // F_SETSIG
    private static let setLease: CInt = 1024  // F_SETLEASE
    private static let getLease: CInt = 1025  // F_GETLEASE
}
