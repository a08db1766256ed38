internal import Glibc
internal import LinuxFiles
public import P9Client
public import P9Server
public import P9Wire
internal import ServedTree
internal import Synchronization

/// How a test's messages reach the server.
public enum Link: CaseIterable, Sendable {
    /// `ServerConnection.respond`, one request after another, as over USB.
    case direct
    /// `SocketServer` on one end of a socket pair, as for an inherited descriptor.
    case socketPair
    case tcp
    case unix

    /// For what a request means, whichever way it comes.
    public static let oneAndMany: [Link] = [.direct, .socketPair]
}

/// A server in this process that exports the directory `tree` of a temporary directory.
public final class TestServer: Sendable {
    /// Holds `tree` and what else a test puts beside it.
    public let base: TemporaryDirectory
    /// The exported directory.
    public let tree: Subdirectory
    public let configuration: ServerConfiguration
    private let link: Link
    private let sockets: SocketServer
    private let address: ListenAddress?
    private let logged: Lines

    fileprivate final class Lines: Sendable {
        let lines = Mutex<[String]>([])
        private let directory: TemporaryDirectory

        init(keeping directory: TemporaryDirectory) {
            self.directory = directory
        }
    }

    /// - Parameter exports: further exports, by name and directory beneath `base`; they are made.
    public init(
        _ link: Link = .socketPair,
        exports: [String: String] = [:],
        isReadOnly: Bool = false,
        maximumMessageSize: Int = 1 << 20,
        maximumFids: Int = 1 << 20,
        descriptorLimit: Int = 65_536
    ) throws {
        self.link = link
        // Tests run at the same time, and some keep hundreds of connections.
        _ = System.raiseOpenFileLimit()
        base = try TemporaryDirectory()
        try base.makeDirectory("tree")
        tree = base.subdirectory("tree")
        var all = [try Export(directory: tree.path, isReadOnly: isReadOnly)]
        for (name, directory) in exports.sorted(by: { $0.key < $1.key }) {
            if !listFiles(base.path).contains(directory) { try base.makeDirectory(directory) }
            all.append(try Export(name: name, directory: base.file(directory)))
        }
        configuration = ServerConfiguration(
            exports: all,
            maximumMessageSize: maximumMessageSize,
            limits: ServerLimits(openFiles: descriptorLimit, fids: maximumFids)
        )
        let logged = Lines(keeping: base)
        self.logged = logged
        // The closure lives as long as a connection does, and with it the directory, which a test may let go early.
        sockets = SocketServer(configuration) { line in logged.lines.withLock { $0.append(line) } }
        switch link {
        case .direct, .socketPair: address = nil
        case .tcp: address = try sockets.listen(on: .tcp(host: "127.0.0.1", port: 0))[0]
        case .unix: address = try sockets.listen(on: .unix(path: base.file("socket")))[0]
        }
    }

    deinit {
        // Without a listener the server ends with its clients, which may be alive for longer than this.
        if address != nil { sockets.stop(waitingAtMost: 1) }
    }

    /// What an operator was told.
    public var log: [String] { logged.lines.withLock { $0 } }

    public func stop(waitingAtMost seconds: Double = 5) {
        sockets.stop(waitingAtMost: seconds)
    }

    /// A new connection.
    public func connect() throws -> FrameSocket {
        switch address {
        case .tcp(let host, let port): return try FrameSocket.connect(tcp: host, port: String(port))
        case .unix(let path): return try FrameSocket.connect(unix: path)
        default: return FrameSocket(owning: OwnedDescriptor(owning: try connectPair()))
        }
    }

    /// As `connect`, for bytes that aren't frames.
    /// - Parameter isNonBlocking: makes the server's end of a pair so.
    public func connectRaw(isNonBlocking: Bool = false) throws -> RawConnection {
        switch address {
        case .tcp(_, let port): try RawConnection(port: port)
        case .unix(let path): try RawConnection(path: path)
        default: RawConnection(owning: OwnedDescriptor(owning: try connectPair(isNonBlocking: isNonBlocking)))
        }
    }

    private func connectPair(isNonBlocking: Bool = false) throws -> CInt {
        var ends: [CInt] = [-1, -1]
        guard socketpair(AF_UNIX, CInt(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0, &ends) == 0 else {
            throw Errno.last
        }
        if isNonBlocking { _ = fcntl(ends[1], F_SETFL, O_NONBLOCK) }
        if link == .direct {
            let far = FrameSocket(owning: OwnedDescriptor(owning: ends[1]))
            let pump = Pump(far, ServerConnection(configuration), keeping: base, size: configuration.maximumMessageSize)
            try startThread { pump.run() }
        } else {
            _ = try sockets.listen(on: .descriptors(input: ends[1], output: ends[1]))
        }
        return ends[0]
    }

    /// A new session.
    public func client(msize: Int = 64 << 10) throws -> Client {
        let socket = try connect()
        socket.setTimeout(milliseconds: 60_000)
        return try Client(socket, msize: msize)
    }

    /// A new session, attached.
    public func attached(uid: UInt32 = 0, msize: Int = 64 << 10) throws -> (client: Client, root: Fid) {
        let client = try client(msize: msize)
        return (client, try client.attach(uid: uid))
    }
}

/// Carries messages between a socket and a `ServerConnection`, one at a time.
private final class Pump: Sendable {
    private let socket: FrameSocket
    private let server: ServerConnection
    private let directory: TemporaryDirectory
    private let size: Int

    init(
        _ socket: consuming FrameSocket,
        _ server: ServerConnection,
        keeping directory: TemporaryDirectory,
        size: Int
    ) {
        self.directory = directory
        self.socket = socket
        self.server = server
        self.size = size
    }

    func run() {
        let request = UnsafeMutableRawBufferPointer.allocate(byteCount: size, alignment: 16)
        let reply = UnsafeMutableRawBufferPointer.allocate(byteCount: size, alignment: 16)
        defer {
            request.deallocate()
            reply.deallocate()
        }
        while let count = try? socket.receive(into: request) {
            let frame = UnsafeRawBufferPointer(rebasing: request[..<count])
            let size = server.respond(to: frame.bytes, into: reply)
            guard (try? socket.send(UnsafeRawBufferPointer(rebasing: reply[..<size]).bytes)) != nil else { return }
        }
    }
}
