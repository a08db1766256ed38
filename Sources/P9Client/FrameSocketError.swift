public import LinuxFiles

/// Why a socket can't carry 9P messages any more; after any of these but `unknownHost`, close it.
public enum FrameSocketError: Error, Hashable, Sendable {
    /// A system call failed.
    case system(Errno)
    /// No such host or service; the text is `getaddrinfo`'s.
    case unknownHost(String)
    /// A Unix socket's path is longer than the 107 bytes that `sockaddr_un` has room for.
    case pathTooLong
    /// The other side has closed the connection, in or between messages.
    case closed
    /// Nothing moved within the time given to `setTimeout`, or that a `FrameSocket.Lookout` allows.
    case timedOut
    /// A `FrameSocket.Lookout` has ended the wait, as nobody wants its outcome any more.
    case givenUp
    /// The message's size field is below 7 or above the receiver's buffer, in bytes.
    case badSize(Int)
}

extension FrameSocketError: CustomStringConvertible {
    /// A sentence for a person.
    public var description: String {
        switch self {
        case .system(let errno): errno.text
        case .unknownHost(let text): text
        case .pathTooLong: "the socket's path is longer than 107 bytes"
        case .closed: "the connection was closed"
        case .timedOut: "no answer in time"
        case .givenUp: "the wait was given up"
        case .badSize(let size): "a message claims to have \(size) bytes"
        }
    }
}
