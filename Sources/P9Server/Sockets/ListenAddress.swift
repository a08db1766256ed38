internal import Glibc
internal import LinuxFiles
internal import Synchronization

/// Where a server takes connections.
public enum ListenAddress: Sendable, Equatable {
    /// `tcp://HOST:PORT`: all addresses of the host; an IPv6 address stands in brackets; port 0 lets the kernel choose.
    case tcp(host: String, port: UInt16)
    /// `unix:/PATH`
    case unix(path: String)
    /// `fd:N` for an inherited socket, connected or listening; `fd:N,M` for a pair of pipes.
    case descriptors(input: CInt, output: CInt)

    /// Reads an address as users write it.
    /// - Returns: nil if the text has none of the three forms.
    public init?(_ text: String) {
        if text.hasPrefix("tcp://") {
            let address = text.dropFirst(6)
            guard let colon = address.lastIndex(of: ":"), let port = UInt16(address[address.index(after: colon)...])
            else {
                return nil
            }
            var host = address[..<colon]
            if host.hasPrefix("["), host.hasSuffix("]") {
                host = host.dropFirst().dropLast()
            } else if host.contains(":") {
                return nil
            }
            guard !host.isEmpty else { return nil }
            self = .tcp(host: String(host), port: port)
        } else if text.hasPrefix("unix:") {
            let path = String(text.dropFirst(5))
            guard !path.isEmpty else { return nil }
            self = .unix(path: path)
        } else if text.hasPrefix("fd:") {
            let numbers = text.dropFirst(3).split(separator: ",", omittingEmptySubsequences: false).map { CInt($0) }
            guard (1...2).contains(numbers.count), let input = numbers[0], input >= 0,
                let output = numbers[numbers.count - 1], output >= 0
            else { return nil }
            self = .descriptors(input: input, output: output)
        } else {
            return nil
        }
    }
}

extension ListenAddress: CustomStringConvertible {
    /// As a user writes it.
    public var description: String {
        switch self {
        case .tcp(let host, let port): host.contains(":") ? "tcp://[\(host)]:\(port)" : "tcp://\(host):\(port)"
        case .unix(let path): "unix:\(path)"
        case .descriptors(let input, let output): input == output ? "fd:\(input)" : "fd:\(input),\(output)"
        }
    }
}

/// A socket that takes connections; a Unix socket's name goes with it.
final class Listener: Sendable {
    private let descriptor: OwnedDescriptor
    /// With the port that the kernel chose.
    let address: ListenAddress
    private let wakeUp: WakeUp
    /// The name of a Unix socket that is ours to remove.
    private let path: Mutex<String?>

    init(_ descriptor: consuming OwnedDescriptor, _ address: ListenAddress, path: String? = nil) throws(Errno) {
        self.descriptor = descriptor
        self.address = address
        self.path = Mutex(path)
        wakeUp = try WakeUp()
    }

    deinit {
        close()
    }

    /// Stops taking connections: `accept` ends, and the name is gone on return.
    ///
    /// The socket itself is left as it is: an inherited one also belongs to the program that passed it, such as systemd, and
    /// must go on listening there.
    func close() {
        wakeUp.wake()
        let name = path.withLock { path in
            defer { path = nil }
            return path
        }
        if let name { _ = Glibc.unlink(name) }
    }

    /// Waits until a client connects.
    /// - Returns: false after `close`.
    func waitForClient() -> Bool { wakeUp.waitUntilReadable(descriptor.raw) }

    /// The next connection; nil after `close`.
    func accept() throws(Errno) -> StreamDescriptor? {
        guard waitForClient() else { return nil }
        return StreamDescriptor(try System.accept(descriptor.raw))
    }

    convenience init(inherited descriptor: CInt) throws(Errno) {
        let address = ListenAddress.descriptors(input: descriptor, output: descriptor)
        try self.init(OwnedDescriptor(owning: descriptor), address)
    }

    static let backlog: CInt = 64

    /// Listens on a path that only this user may connect to; takes over the socket of a server that is gone.
    /// - Throws: `EADDRINUSE` if a server listens there, `EEXIST` if there is something else; `ENAMETOOLONG` beyond 107
    ///   bytes.
    convenience init(path: String) throws(Errno) {
        let address = try SocketAddress(unix: path)
        let descriptor = OwnedDescriptor(owning: socket(AF_UNIX, CInt(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0))
        guard descriptor.raw != -1 else { throw .last }
        // On Linux the socket's own mode becomes the name's.
        guard fchmod(descriptor.raw, 0o600) == 0 else { throw .last }
        if address.withUnsafePointer({ bind(descriptor.raw, $0, $1) }) != 0 {
            let error = Errno.last
            guard error != .EADDRINUSE || Self.isSocket(path) else { throw .EEXIST }
            guard error == .EADDRINUSE, Self.isAbandoned(address), Glibc.unlink(path) == 0,
                address.withUnsafePointer({ bind(descriptor.raw, $0, $1) }) == 0
            else { throw error }
        }
        guard listen(descriptor.raw, Self.backlog) == 0 else { throw .last }
        try self.init(descriptor, .unix(path: path), path: path)
    }

    private static func isSocket(_ path: String) -> Bool {
        var status = stat()
        return lstat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFSOCK
    }

    private static func isAbandoned(_ address: SocketAddress) -> Bool {
        let probe = OwnedDescriptor(owning: socket(AF_UNIX, CInt(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0))
        return probe.raw != -1 && address.withUnsafePointer { connect(probe.raw, $0, $1) } != 0
            && errno == ECONNREFUSED
    }
}
