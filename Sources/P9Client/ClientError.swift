public import LinuxFiles

/// Why a request to a 9P server brought no answer.
public enum ClientError: Error, Hashable, Sendable {
    /// The server refused: Rlerror.
    case refused(Errno)
    /// The connection failed.
    case socket(FrameSocketError)
    /// The server's message is not a reply to what was asked.
    case protocolViolation
    /// The request is larger than msize.
    case tooLarge
    /// The server doesn't speak 9P2000.L.
    case unsupportedVersion
}
