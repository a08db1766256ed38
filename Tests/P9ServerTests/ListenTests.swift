internal import Glibc
import LinuxFiles
import P9Server
import ServedTree
import TestSupport
import Testing

@Suite("Listening on a host's addresses")
struct ListenTests {
    private func server(_ directory: borrowing TemporaryDirectory) throws -> SocketServer {
        let export = try Export(directory: directory.path)
        return SocketServer(ServerConfiguration(exports: [export])) { _ in }
    }

    /// The addresses of localhost, as the C library knows them.
    private var localAddresses: Set<String> {
        var hints = addrinfo()
        hints.ai_socktype = CInt(SOCK_STREAM.rawValue)
        var list: UnsafeMutablePointer<addrinfo>?
        guard getaddrinfo("localhost", nil, &hints, &list) == 0 else { return [] }
        defer { freeaddrinfo(list) }
        var found: Set<String> = []
        var next = list
        while let info = next?.pointee {
            found.insert(info.ai_family == AF_INET6 ? "::1" : "127.0.0.1")
            next = info.ai_next
        }
        return found
    }

    @Test(
        "tcp://localhost is listened on at every address of localhost, with one port, also where the kernel chooses it"
    )
    func localhostBoundOnce() throws {
        let directory = try TemporaryDirectory()
        let server = try server(directory)
        defer { server.stop(waitingAtMost: 1) }
        var hosts: Set<String> = []
        var ports: Set<UInt16> = []
        for address in try server.listen(on: .tcp(host: "localhost", port: 0)) {
            guard case .tcp(let host, let port) = address else { continue }
            hosts.insert(host)
            ports.insert(port)
        }
        #expect(hosts == localAddresses)
        #expect(ports.count == 1 && !ports.contains(0))
        // Taken on one address is taken.
        let port = try #require(ports.first)
        let second = try self.server(directory)
        defer { second.stop(waitingAtMost: 1) }
        #expect(throws: Errno.EADDRINUSE) { try second.listen(on: .tcp(host: "localhost", port: port)) }
    }
}
