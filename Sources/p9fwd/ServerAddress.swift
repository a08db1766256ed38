import P9Client

/// Where a 9P server listens.
enum ServerAddress: Sendable, CustomStringConvertible {
    case tcp(host: String, port: UInt16)
    case unix(path: String)

    /// How long a server may stop in the middle of a message, in milliseconds.
    private static let stallTimeout = 10_000

    func connect() throws(FrameSocketError) -> FrameSocket {
        let socket =
            switch self {
            case .tcp(let host, let port): try FrameSocket.connect(tcp: host, port: String(port))
            case .unix(let path): try FrameSocket.connect(unix: path)
            }
        socket.setTimeout(milliseconds: Self.stallTimeout)
        return socket
    }

    var description: String {
        switch self {
        case .tcp(let host, let port): host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)"
        case .unix(let path): path
        }
    }
}
