/// Where a 9P server listens.
public enum ServerAddress: Hashable, Sendable {
    case tcp(host: String, port: UInt16)
    case unix(path: String)

    /// Connects, with a look now and then while it waits: see `FrameSocket.connect`.
    /// - Throws: as `FrameSocket.connect`.
    public func connect(
        lookingEvery milliseconds: Int,
        _ lookout: FrameSocket.Lookout
    ) throws(FrameSocketError) -> FrameSocket {
        switch self {
        case .tcp(let host, let port):
            try FrameSocket.connect(tcp: host, port: String(port), lookingEvery: milliseconds, lookout)
        case .unix(let path):
            try FrameSocket.connect(unix: path, lookingEvery: milliseconds, lookout)
        }
    }
}

extension ServerAddress: CustomStringConvertible {
    /// As a user writes it.
    public var description: String {
        switch self {
        case .tcp(let host, let port): host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)"
        case .unix(let path): path
        }
    }
}
