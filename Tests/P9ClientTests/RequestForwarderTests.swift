internal import Glibc
import LinuxFiles
import P9Client
import TestSupport
import Testing

/// A 9P server that stops where it should not: the board always gets a reply, and Ctrl-C works.
@Suite("Requests that are forwarded to a server")
struct RequestForwarderTests {
    /// Far more than a wait that ends by itself takes here, far less than one that doesn't.
    private static let soon = Duration.seconds(5)

    private func soon(_ body: () throws -> Void) rethrows {
        let start = ContinuousClock.now
        try body()
        #expect(ContinuousClock.now - start < Self.soon)
    }

    /// Sends only the first 4 of 111 bytes.
    private static let fourBytes: ScriptedServer.Script = { request, connection in
        try connection.send(Array(ScriptedServer.read(request, count: 100)[..<4]))
    }

    /// Answers what comes after a new mount.
    private func expectNextMount(_ board: Board) {
        #expect(board.mount() == 101)
    }

    @Test("a reply that has begun and does not go on is given up, and the next mount works")
    func partialReply() throws {
        let server = try ScriptedServer(Self.fourBytes)
        let board = try Board(server.address) { $0.midReply = .milliseconds(200) }
        #expect(board.mount() == 101)
        soon { #expect(errno(of: board.read()) == .EIO) }
        #expect(board.said.last?.hasSuffix("failed: no answer in time; the board must mount again") == true)
        #expect(errno(of: board.read()) == .ESTALE)
        expectNextMount(board)
    }

    @Test("in the middle of a reply's body as well")
    func partialBody() throws {
        let server = try ScriptedServer { request, connection in
            try connection.send(Array(ScriptedServer.read(request, count: 100)[..<40]))
        }
        let board = try Board(server.address) { $0.midReply = .milliseconds(200) }
        #expect(board.mount() == 101)
        soon { #expect(errno(of: board.read()) == .EIO) }
    }

    @Test("Ctrl-C ends the wait for the rest of a reply")
    func stopInPartialReply() throws {
        let server = try ScriptedServer(Self.fourBytes)
        let board = try Board(server.address) { $0.stop = .milliseconds(100) }
        #expect(board.mount() == 101)
        try board.after(milliseconds: 50) { $0.isStopping = true }
        soon { #expect(errno(of: board.read()) == .EIO) }
    }

    @Test("a board that has gone ends it too, without a word")
    func goneInPartialReply() throws {
        let server = try ScriptedServer(Self.fourBytes)
        let board = try Board(server.address)
        #expect(board.mount() == 101)
        try board.after(milliseconds: 50) { $0.isGone = true }
        soon { #expect(errno(of: board.read()) == .EIO) }
        #expect(board.said.isEmpty)
    }

    @Test("Ctrl-C ends a reply that comes byte by byte")
    func trickle() throws {
        let server = try ScriptedServer { request, connection in
            for byte in ScriptedServer.read(request, count: 100_000) {
                try connection.send([byte])
                sleep(milliseconds: 2)
            }
        }
        let board = try Board(server.address) { $0.stop = .milliseconds(100) }
        #expect(board.mount() == 101)
        try board.after(milliseconds: 50) { $0.isStopping = true }
        soon { #expect(errno(of: board.read(count: 100_000)) == .EIO) }
    }

    @Test("a reply with pauses is taken whole, and is told of while it lasts")
    func pauses() throws {
        let server = try ScriptedServer { request, connection in
            let reply = ScriptedServer.read(request, count: 100)
            for start in stride(from: 0, to: reply.count, by: 20) {
                sleep(milliseconds: 60)
                try connection.send(Array(reply[start..<min(start + 20, reply.count)]))
            }
        }
        let board = try Board(server.address) { patience in
            patience.midReply = .seconds(30)
            patience.firstWord = .milliseconds(100)
        }
        #expect(board.mount() == 101)
        #expect(board.read().count == 111)
        #expect(board.said.first?.contains("has not answered Tread") == true)
    }

    @Test("a server that takes long to begin is waited for")
    func slowServer() throws {
        let server = try ScriptedServer { request, connection in
            sleep(milliseconds: 300)
            try connection.send(ScriptedServer.read(request, count: 100))
        }
        let board = try Board(server.address) { $0.midReply = .milliseconds(50) }
        #expect(board.mount() == 101)
        #expect(board.read().count == 111)
    }

    @Test("Ctrl-C ends the sending to a server that does not read")
    func unreadRequest() throws {
        let server = try ScriptedServer { request, connection in
            try connection.send(ScriptedServer.read(request, count: 1))
            sleep(milliseconds: 60_000)
        }
        let board = try Board(server.address) { patience in
            patience.stop = .milliseconds(100)
            patience.firstWord = .milliseconds(50)
        }
        #expect(board.mount() == 101)
        #expect(board.read(count: 1).count == 12)
        try board.after(milliseconds: 200) { $0.isStopping = true }
        // Larger than a socket's buffers are.
        let data = [UInt8](repeating: 0, count: 16 << 20)
        let body = littleEndian(UInt32(1)) + littleEndian(UInt64(0)) + littleEndian(UInt32(data.count)) + data
        soon { #expect(errno(of: board.send(frame(118, tag: 2, body))) == .EIO) }
        #expect(board.said.first?.contains("has not answered Twrite") == true)
    }

    @Test("a mount at a server that takes no connections ends in time, and with Ctrl-C", arguments: [false, true])
    func fullQueue(stops: Bool) throws {
        let listener = try ListeningSocket()
        let board = try Board(.tcp(host: "127.0.0.1", port: listener.port)) { patience in
            patience.connect = stops ? .seconds(60) : .milliseconds(300)
            patience.stop = .milliseconds(100)
            patience.midReply = .milliseconds(100)
        }
        // Nobody accepts: the first connection is used up by a Tversion that nobody answers.
        try board.after(milliseconds: 100) { $0.isStopping = true }
        soon { #expect(board.mount() == 7) }
        board.state.update { $0.isStopping = false }
        let connections = try fillQueue(listener.port)
        if stops { try board.after(milliseconds: 100) { $0.isStopping = true } }
        soon { #expect(board.mount() == 7) }
        #expect(board.said.last?.contains("can't reach the server") == true)
        withExtendedLifetime(connections) {}
    }

    /// Connects until the kernel takes no more.
    private func fillQueue(_ port: UInt16) throws -> [Connections] {
        var connections: [Connections] = []
        for _ in 0..<100 {
            do throws(FrameSocketError) {
                let start = ContinuousClock.now
                let socket = try FrameSocket.connect(tcp: "127.0.0.1", port: String(port), lookingEvery: 10) {
                    (_) throws(FrameSocketError) in
                    if ContinuousClock.now - start > .milliseconds(200) { throw .givenUp }
                }
                connections.append(Connections(socket))
            } catch {
                #expect(error == .givenUp)
                return connections
            }
        }
        Issue.record("the queue takes any number")
        return connections
    }

    private final class Connections {
        let socket: FrameSocket

        init(_ socket: consuming FrameSocket) { self.socket = socket }
    }

    @Test("a Unix socket whose queue is full is waited for, and no longer than somebody wants")
    func fullUnixQueue() throws {
        let directory = try TemporaryDirectory()
        let path = directory.file("s")
        let raw = socket(AF_UNIX, CInt(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        let listener = OwnedDescriptor(owning: raw)
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8) }
        let isListening = withUnsafePointer(to: &address) { address in
            address.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(raw, $0, socklen_t(MemoryLayout<sockaddr_un>.size)) == 0 && listen(raw, 0) == 0
            }
        }
        try #require(isListening)
        let first = try FrameSocket.connect(unix: path)
        // Time for several looks, one of which ends it.
        var looks = 0
        soon {
            _ = #expect(throws: FrameSocketError.givenUp) {
                let start = ContinuousClock.now
                _ = try FrameSocket.connect(unix: path, lookingEvery: 10) { (_) throws(FrameSocketError) in
                    looks += 1
                    if ContinuousClock.now - start > .milliseconds(100) { throw .givenUp }
                }
            }
        }
        #expect(looks > 1)
        // One place becomes free while the next one waits.
        let number = listener.raw
        try startThread {
            sleep(milliseconds: 50)
            close(accept(number, nil, nil))
        }
        _ = try FrameSocket.connect(unix: path, lookingEvery: 10)
        _ = first.isReadable(withinMilliseconds: 0)
    }

    @Test("a host's name is looked up beside the thread that waits")
    func names() throws {
        let listener = try ListeningSocket()
        _ = try FrameSocket.connect(tcp: "localhost", port: String(listener.port))
        #expect(throws: FrameSocketError.self) { _ = try FrameSocket.connect(tcp: "no host.invalid", port: "1") }
    }

    @Test("the end is asked for while the first connection is made")
    func stopAtFirst() throws {
        let listener = try ListeningSocket()
        let connections = try fillQueue(listener.port)
        soon {
            _ = #expect(throws: FrameSocketError.givenUp) {
                _ = try RequestForwarder(
                    .tcp(host: "127.0.0.1", port: listener.port),
                    maximumMsize: 1 << 20,
                    isStopping: { true },
                    say: { _ in }
                )
            }
        }
        withExtendedLifetime(connections) {}
    }
}
