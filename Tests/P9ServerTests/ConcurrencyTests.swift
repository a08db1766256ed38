import LinuxFiles
import P9Client
import P9Server
import P9Wire
import TestSupport
import Testing

private func session(_ server: TestServer, msize: UInt32 = 65_536) throws -> RawConnection {
    let connection = try server.connectRaw()
    try connection.negotiate(msize: msize)
    try connection.attach()
    return connection
}

private let statfsBody: [UInt8] = [0, 0, 0, 0]

/// Runs `body` on several threads at once, and waits for all.
private func onThreads(_ count: Int, _ body: @escaping @Sendable (Int) throws -> Void) throws {
    let left = Monitor((running: count, failures: [any Error & Sendable]()))
    for index in 0..<count {
        try startThread {
            var failure: (any Error)?
            do { try body(index) } catch { failure = error }
            let text = failure.map { "\($0)" }
            left.update { state in
                state.running -= 1
                if let text { state.failures.append(ThreadFailure(text: text)) }
            }
        }
    }
    if let first = left.wait({ $0.running == 0 ? $0.failures : nil }).first { throw first }
}

private struct ThreadFailure: Error, CustomStringConvertible {
    var text: String
    var description: String { text }
}

@Suite("Many requests at once")
struct ConcurrencyTests {
    @Test("every request gets one reply, its own", arguments: [.socketPair, .tcp, .unix] as [Link])
    func pipelining(link: Link) throws {
        let server = try TestServer(link)
        for index in 0..<100 { try server.tree.write("file-\(index)", [UInt8](repeating: UInt8(index), count: index)) }
        let connection = try session(server)
        for round in 0..<20 {
            var requests: [UInt8] = []
            for index in 0..<100 {
                let fid = UInt32(1000 + round * 100 + index)
                requests += frame(
                    110,
                    tag: UInt16(index),
                    hex("00000000") + littleEndian(fid) + [1, 0] + wireString("file-\(index)")
                )
            }
            try connection.send(requests)
            var tags: Set<UInt16> = []
            for _ in 0..<100 {
                let reply = try #require(try connection.receive())
                #expect(reply[4] == 111)
                tags.insert(tag(of: reply))
            }
            #expect(tags.count == 100)
            requests = []
            for index in 0..<100 {
                let fid = UInt32(1000 + round * 100 + index)
                requests += frame(24, tag: UInt16(index), littleEndian(fid) + hex("ff07000000000000"))
            }
            try connection.send(requests)
            for _ in 0..<100 {
                let reply = try #require(try connection.receive())
                let status = try Rgetattr(decoding: reply.span.bytes.extracting(droppingFirst: 7))
                #expect(status.size == UInt64(tag(of: reply)))
            }
        }
    }

    @Test("Tflush of an unknown tag, or of its own, is answered at once", arguments: Link.allCases)
    func flushOfNothing(link: Link) throws {
        let server = try TestServer(link)
        defer { server.stop() }
        let connection = try session(server)
        #expect(try connection.exchange(frame(108, tag: 4, littleEndian(UInt16(77)))) == frame(109, tag: 4))
        #expect(try connection.exchange(frame(108, tag: 4, littleEndian(UInt16(4)))) == frame(109, tag: 4))
        #expect(try connection.exchange(frame(108, tag: 4, littleEndian(UInt16.max))) == frame(109, tag: 4))
    }

    @Test("Rflush comes after the reply to what it flushes, or in its place", arguments: [.socketPair, .tcp] as [Link])
    func flushOrder(link: Link) throws {
        let server = try TestServer(link)
        for index in 0..<300 { try server.tree.write("file-\(index)", "") }
        let connection = try session(server)
        #expect(try connection.exchange(frame(110, tag: 1, hex("00000000 01000000 0000")))?[4] == 111)
        #expect(try connection.exchange(frame(12, tag: 1, hex("01000000 00000000")))?[4] == 13)
        for _ in 0..<50 {
            // A slow one that changes nothing, its flush, the flush's flush, and others around them.
            var requests = frame(40, tag: 10, hex("01000000 0000000000000000 00f00000"))
            requests += frame(8, tag: 11, statfsBody)
            requests += frame(108, tag: 12, littleEndian(UInt16(10)))
            requests += frame(108, tag: 13, littleEndian(UInt16(12)))
            requests += frame(108, tag: 14, littleEndian(UInt16(10)))
            requests += frame(8, tag: 15, statfsBody)
            try connection.send(requests)
            var order: [UInt16] = []
            while Set(order).subtracting([10]).count < 5 {
                order.append(tag(of: try #require(try connection.receive())))
            }
            #expect(order.count <= 6 && Set(order).isSubset(of: [10, 11, 12, 13, 14, 15]))
            let place = { (tag: UInt16) in order.firstIndex(of: tag) ?? -1 }
            #expect(place(10) < place(12) && place(10) < place(14))
            let last = try connection.exchange(frame(8, tag: 16, statfsBody))
            #expect(last.map(tag(of:)) == 16)
        }
    }

    @Test(
        "a tag used again while it is in flight closes the session, and only that",
        arguments: [.socketPair, .tcp] as [Link]
    )
    func tagReuse(link: Link) throws {
        let server = try TestServer(link)
        for index in 0..<1000 { try server.tree.write("file-\(index)", "") }
        let other = try session(server)
        var wasClosed = false
        for _ in 0..<20 where !wasClosed {
            let connection = try session(server, msize: 1 << 20)
            #expect(try connection.exchange(frame(110, tag: 1, hex("00000000 01000000 0000")))?[4] == 111)
            #expect(try connection.exchange(frame(12, tag: 1, hex("01000000 00000000")))?[4] == 13)
            // The listing takes long enough to be in flight when the second one is read, if not each time.
            let list = frame(40, tag: 10, hex("01000000 0000000000000000 00000f00"))
            try connection.send(list + list)
            connection.finishSending()
            while try connection.receive() != nil {}
            wasClosed = server.log.contains { $0.contains("tag") }
        }
        #expect(wasClosed)
        #expect(try other.exchange(frame(8, tag: 1, statfsBody))?[4] == 9)
    }

    @Test(
        "Tversion abandons what is in flight: nothing from before comes after Rversion",
        arguments: [.socketPair, .tcp] as [Link]
    )
    func versionInFlight(link: Link) throws {
        let server = try TestServer(link)
        for index in 0..<200 { try server.tree.write("file-\(index)", "") }
        let connection = try session(server)
        let version = frame(100, tag: 0xffff, littleEndian(UInt32(65_536)) + wireString("9P2000.L"))
        let attach = frame(104, tag: 500, hex("00000000 ffffffff 0000 0000 00000000"))
        for round in 0..<100 {
            var requests: [UInt8] = []
            for index in 0..<50 as Range<UInt16> {
                let fid = littleEndian(UInt32(100 + index))
                requests += frame(110, tag: index, hex("00000000") + fid + [1, 0] + wireString("file-\(index)"))
            }
            // Tclunk of fid 0 from before must not hit the new session's fid 0.
            requests += frame(120, tag: 400, hex("00000000"))
            try connection.send(requests + version + attach)
            var isNew = false
            while true {
                let reply = try #require(try connection.receive())
                if reply[4] == 101 {
                    isNew = true
                } else if isNew {
                    #expect(tag(of: reply) == 500 && reply[4] == 105, "round \(round): \(describe(reply.span.bytes))")
                    break
                }
            }
            #expect(try errno(of: connection.exchange(frame(24, tag: 1, hex("64000000 ff07000000000000")))) == .EBADF)
            #expect(try connection.exchange(frame(8, tag: 1, statfsBody))?[4] == 9)
        }
    }

    @Test(
        "fids parked, reopened, clunked and used by many threads are never another file",
        .disabled(if: isQuick, "it takes seconds"),
        arguments: [.socketPair, .direct] as [Link]
    )
    func parkingUnderLoad(link: Link) throws {
        let server = try TestServer(link, descriptorLimit: 128)
        for index in 0..<400 { try server.tree.write("file-\(index)", [UInt8](repeating: 7, count: index)) }
        if link == .direct {
            // One session, many threads in `respond` at once.
            let connection = ServerConnection(server.configuration)
            @Sendable func answer(_ request: [UInt8]) -> [UInt8] {
                var reply = [UInt8](repeating: 0, count: 4096)
                let size = reply.withUnsafeMutableBytes { connection.respond(to: request.span.bytes, into: $0) }
                return Array(reply[..<size])
            }
            _ = answer(frame(100, tag: 0xffff, littleEndian(UInt32(8192)) + wireString("9P2000.L")))
            _ = answer(frame(104, tag: 1, hex("00000000 ffffffff 0000 0000 00000000")))
            try onThreads(8) { thread in
                for round in 0..<10 {
                    for index in 0..<400 {
                        let fid = littleEndian(UInt32(1 + thread * 1000 + index))
                        if round == 0 {
                            _ = answer(
                                frame(110, tag: 1, hex("00000000") + fid + [1, 0] + wireString("file-\(index)"))
                            )
                        }
                        let reply = answer(frame(24, tag: 1, fid + hex("ff07000000000000")))
                        let status = try Rgetattr(decoding: reply.span.bytes.extracting(droppingFirst: 7))
                        guard status.size == UInt64(index) else {
                            throw ThreadFailure(text: "file-\(index) is said to have \(status.size) bytes")
                        }
                    }
                }
            }
            return
        }
        try onThreads(8) { _ in
            let (client, root) = try server.attached()
            let fids = try (0..<100).map { try client.walk(root, "file-\($0)") }
            for round in 0..<5 {
                for (index, fid) in fids.enumerated() {
                    guard try client.getAttributes(fid).size == UInt64(index) else {
                        throw ThreadFailure(text: "file-\(index) is another file in round \(round)")
                    }
                }
            }
        }
    }

    @Test("a fid clunked while others read through it: each reply is its data or EBADF")
    func clunkUnderLoad() throws {
        let server = try TestServer()
        try server.tree.write("file", [UInt8](repeating: 0x55, count: 4096))
        try server.tree.write("decoy", [UInt8](repeating: 0xaa, count: 4096))
        let connection = try session(server)
        let read = { (tag: UInt16) in frame(116, tag: tag, hex("01000000 0000000000000000 00100000")) }
        for _ in 0..<200 {
            _ = try connection.exchange(frame(110, tag: 1, hex("00000000 01000000 0100") + wireString("file")))
            _ = try connection.exchange(frame(12, tag: 1, hex("01000000 00000000")))
            // The decoy is opened right after the clunk and gets the descriptor's number.
            var requests = (10..<20).flatMap { read($0) } + frame(120, tag: 1, hex("01000000"))
            requests += frame(110, tag: 2, hex("00000000 02000000 0100") + wireString("decoy"))
            requests += frame(12, tag: 3, hex("02000000 00000000"))
            requests += (20..<30).flatMap { read($0) }
            try connection.send(requests)
            for _ in 0..<23 {
                let reply = try #require(try connection.receive())
                if reply[4] == 117 { #expect(reply.dropFirst(11).allSatisfy { $0 == 0x55 }) }
            }
            _ = try connection.exchange(frame(120, tag: 2, hex("02000000")))
        }
    }

    @Test("a lock taken while its fid is clunked goes with the fid")
    func lockAndClunk() throws {
        let server = try TestServer()
        try server.tree.write("file", "text")
        let connection = ServerConnection(server.configuration)
        @Sendable func answer(_ request: [UInt8]) -> [UInt8] {
            var reply = [UInt8](repeating: 0, count: 4096)
            let size = reply.withUnsafeMutableBytes { connection.respond(to: request.span.bytes, into: $0) }
            return Array(reply[..<size])
        }
        _ = answer(frame(100, tag: 0xffff, littleEndian(UInt32(8192)) + wireString("9P2000.L")))
        _ = answer(frame(104, tag: 1, hex("00000000 ffffffff 0000 0000 00000000")))
        let write = hex("01 00000000 0000000000000000 0000000000000000 01000000") + wireString("one")
        let (other, top) = try server.attached()
        let probe = try other.opened(top, "file", .readWrite)
        let turn = Monitor((round: 0, done: 0))
        let rounds = 1500
        try startThread {
            for round in 1...rounds {
                turn.wait { $0.round == round ? () : nil }
                // Of the many some are in the middle when the other thread clunks.
                for _ in 0..<4 { _ = answer(frame(52, tag: 2, hex("01000000") + write)) }
                turn.update { $0.done = round }
            }
        }
        for round in 1...rounds {
            _ = answer(frame(110, tag: 1, hex("00000000 01000000 0100") + wireString("file")))
            _ = answer(frame(12, tag: 1, hex("01000000 02000000")))
            turn.update { $0.round = round }
            for _ in 0..<round % 200 { _ = answer(frame(120, tag: 1, hex("63000000"))) }
            _ = answer(frame(120, tag: 1, hex("01000000")))
            turn.wait { $0.done == round ? () : nil }
            let left = try other.getLock(probe, .write, start: 0, length: 0, processID: 9)
            try #require(left.type == .unlock, "in round \(round) the lock stayed")
        }
    }

    @Test("many clients at once, each with its own fids", arguments: [.tcp, .unix] as [Link])
    func manyClients(link: Link) throws {
        let server = try TestServer(link)
        try onThreads(40) { index in
            let (client, root) = try server.attached()
            for round in 0..<10 {
                let file = try client.created(root, "file-\(index)-\(round)")
                try client.write(file, at: 0, Array("\(index) \(round)".utf8))
                guard try client.readAll(file) == Array("\(index) \(round)".utf8) else {
                    throw ThreadFailure(text: "client \(index) reads another's data")
                }
                try client.remove(file)
            }
        }
        #expect(try server.tree.names().isEmpty)
    }

    @Test("200 idle connections, and the next is served", arguments: [.tcp, .unix] as [Link])
    func idleConnections(link: Link) throws {
        let server = try TestServer(link)
        let idle = try (0..<200).map { _ in try session(server) }
        #expect(try session(server).exchange(frame(8, tag: 1, statfsBody))?[4] == 9)
        for connection in idle { #expect(try connection.exchange(frame(8, tag: 1, statfsBody))?[4] == 9) }
    }

    @Test("a client that never reads its replies holds nobody else up", arguments: [.socketPair, .tcp] as [Link])
    func neverReads(link: Link) throws {
        let server = try TestServer(link)
        try server.tree.write("file", [UInt8](repeating: 7, count: 100_000))
        let greedy = try session(server)
        _ = try greedy.exchange(frame(110, tag: 1, hex("00000000 01000000 0100") + wireString("file")))
        _ = try greedy.exchange(frame(12, tag: 1, hex("01000000 00000000")))
        greedy.setTimeout(milliseconds: 300)
        do {
            for number in 0..<UInt16.max {
                try greedy.send(frame(116, tag: number, hex("01000000 0000000000000000 f0ff0000")))
            }
        } catch {
            #expect(error == .EAGAIN)
        }
        let other = try session(server)
        for _ in 0..<100 { #expect(try other.exchange(frame(8, tag: 1, statfsBody))?[4] == 9) }
        // It can still end.
        let before = server.tree.openDescriptors
        server.stop(waitingAtMost: 0.2)
        // The file, and the node of its fid.
        waitUntil { server.tree.openDescriptors <= before - 2 }
        #expect(server.tree.openDescriptors <= before - 2)
    }
}

@Suite("Listening and stopping")
struct StopTests {
    @Test("stop answers what is in flight, then closes", arguments: [.socketPair, .tcp, .unix] as [Link])
    func inFlight(link: Link) throws {
        let server = try TestServer(link)
        try server.tree.write("file", "text")
        let connection = try session(server)
        _ = try connection.exchange(frame(110, tag: 1, hex("00000000 01000000 0100") + wireString("file")))
        _ = try connection.exchange(frame(12, tag: 1, hex("01000000 02000000")))
        // Twrites with an Tfsync each: the kind that takes a while.
        for number in 0..<20 as Range<UInt16> { try connection.send(frame(50, tag: number, hex("01000000 00000000"))) }
        _ = try connection.receive()
        server.stop()
        var count = 1
        while try connection.receive() != nil { count += 1 }
        #expect(count >= 1 && count <= 20)
        #expect(throws: (any Error).self) { try session(server) }
    }

    @Test("stop ends a client that never pauses")
    func busyClient() throws {
        let server = try TestServer(.tcp)
        let connection = try session(server)
        try startThread {
            // Replies are left where they are until their number says that the server is done.
            var number: UInt16 = 0
            while (try? connection.send(frame(108, tag: number, [0xff, 0xfe]))) != nil {
                number = (number + 1) % 0xff00
            }
        }
        try startThread { while (try? connection.receive()).flatMap({ $0 }) != nil {} }
        sleep(milliseconds: 50)
        let time = ContinuousClock().measure { server.stop(waitingAtMost: 20) }
        #expect(time < .seconds(5))
    }

    @Test("stop doesn't wait for an idle client, nor for a pipe", arguments: [.socketPair, .tcp, .unix] as [Link])
    func idle(link: Link) throws {
        let server = try TestServer(link)
        let connection = try session(server)
        let time = ContinuousClock().measure { server.stop(waitingAtMost: 20) }
        #expect(time < .seconds(2))
        #expect(try connection.receive() == nil)
    }

    @Test("an inherited socket that is non-blocking is waited for, in both directions")
    func nonBlocking() throws {
        let server = try TestServer()
        try server.tree.write("file", [UInt8](repeating: 7, count: 60_000))
        let connection = try server.connectRaw(isNonBlocking: true)
        sleep(milliseconds: 20)
        try connection.negotiate()
        try connection.attach()
        _ = try connection.exchange(frame(110, tag: 1, hex("00000000 01000000 0100") + wireString("file")))
        _ = try connection.exchange(frame(12, tag: 1, hex("01000000 00000000")))
        for number in 0..<50 as Range<UInt16> {
            try connection.send(frame(116, tag: number, hex("01000000 0000000000000000 60ea0000")))
        }
        sleep(milliseconds: 50)
        for _ in 0..<50 { #expect(try connection.receive()?.count == 60_011) }
    }

    @Test("stop ends a session on a pair of pipes")
    func pipes() throws {
        let server = try TestServer()
        let (requests, replies) = try (Pipe(), Pipe())
        let sockets = SocketServer(server.configuration) { _ in }
        _ = try sockets.listen(on: .descriptors(input: requests.takeReadEnd(), output: replies.takeWriteEnd()))
        try requests.write(frame(100, tag: 0xffff, littleEndian(UInt32(8192)) + wireString("9P2000.L")))
        #expect(try replies.read(21)[4] == 101)
        let time = ContinuousClock().measure { sockets.stop(waitingAtMost: 20) }
        #expect(time < .seconds(2))
        sockets.waitUntilIdle()
    }

    @Test("a session on a pair of pipes ends with its input")
    func pipeEnd() throws {
        let server = try TestServer()
        let sockets = SocketServer(server.configuration) { _ in }
        do {
            let (requests, replies) = try (Pipe(), Pipe())
            _ = try sockets.listen(on: .descriptors(input: requests.takeReadEnd(), output: replies.takeWriteEnd()))
            try requests.write(frame(100, tag: 0xffff, littleEndian(UInt32(8192)) + wireString("9P2000.L")))
            #expect(try replies.read(21)[4] == 101)
        }
        sockets.waitUntilIdle()
    }

    @Test("a Unix socket's name is gone when stop returns; a dead server's is taken over, a live one's isn't")
    func unixName() throws {
        let directory = try TemporaryDirectory()
        let server = try TestServer()
        let path = directory.file("socket")
        for _ in 0..<20 {
            let sockets = SocketServer(server.configuration) { _ in }
            _ = try sockets.listen(on: .unix(path: path))
            #expect(try directory.mode("socket") & 0o077 == 0)
            let second = SocketServer(server.configuration) { _ in }
            #expect(throws: Errno.EADDRINUSE) { try second.listen(on: .unix(path: path)) }
            sockets.stop(waitingAtMost: 1)
            #expect(try directory.names().isEmpty)
        }
        #expect(try run("python3", "-c", "import socket;socket.socket(1).bind('\(path)')").status == 0)
        #expect(try directory.names() == ["socket"])
        let sockets = SocketServer(server.configuration) { _ in }
        _ = try sockets.listen(on: .unix(path: path))
        sockets.stop(waitingAtMost: 1)
        try directory.write("socket", "a file that isn't ours")
        #expect(throws: Errno.EEXIST) { try sockets.listen(on: .unix(path: path)) }
        #expect(throws: Errno.ENAMETOOLONG) {
            try sockets.listen(on: .unix(path: directory.file(String(repeating: "x", count: 108))))
        }
        #expect(throws: Errno.ENOENT) { try sockets.listen(on: .unix(path: directory.file("none/socket"))) }
    }

    @Test("an inherited listening socket is served, and goes on listening for its other owner after stop")
    func inheritedListener() throws {
        let server = try TestServer()
        let socket = try ListeningSocket()
        for _ in 0..<3 {
            let sockets = SocketServer(server.configuration) { _ in }
            let inherited = try socket.duplicate()
            _ = try sockets.listen(on: .descriptors(input: inherited, output: inherited))
            let connection = try RawConnection(port: socket.port)
            try connection.negotiate()
            sockets.stop(waitingAtMost: 5)
            #expect(try connection.receive() == nil)
        }
        // Nobody serves: the kernel still takes the connection for who comes next.
        _ = try RawConnection(port: socket.port)
    }

    @Test("descriptors that aren't open are EBADF")
    func badDescriptors() throws {
        let sockets = SocketServer(try TestServer().configuration) { _ in }
        #expect(throws: Errno.EBADF) { try sockets.listen(on: .descriptors(input: 1_000_000, output: 1_000_000)) }
    }

    @Test("a port in use is EADDRINUSE, an unknown host ENXIO")
    func badAddresses() throws {
        let socket = try ListeningSocket()
        let sockets = SocketServer(try TestServer().configuration) { _ in }
        #expect(throws: Errno.EADDRINUSE) { try sockets.listen(on: .tcp(host: "127.0.0.1", port: socket.port)) }
        #expect(throws: Errno.ENXIO) { try sockets.listen(on: .tcp(host: "no.such.host.invalid", port: 0)) }
    }

    @Test(
        "addresses to listen on",
        arguments: [
            ("tcp://127.0.0.1:5640", "tcp://127.0.0.1:5640"), ("tcp://[::1]:0", "tcp://[::1]:0"),
            ("tcp://localhost:65535", "tcp://localhost:65535"), ("unix:/run/x", "unix:/run/x"),
            ("unix:relative", "unix:relative"), ("fd:3", "fd:3"), ("fd:0,1", "fd:0,1"), ("fd:3,3", "fd:3"),
            ("", nil), ("tcp://", nil), ("tcp://host", nil), ("tcp://:5640", nil), ("tcp://host:65536", nil),
            ("tcp://host:-1", nil), ("tcp://::1:5640", nil), ("tcp://[]:1", nil), ("unix:", nil), ("fd:", nil),
            ("fd:-1", nil), ("fd:1,2,3", nil), ("fd:1,", nil), ("http://x:1", nil), ("127.0.0.1:5640", nil),
        ] as [(String, String?)]
    )
    func addresses(text: String, expected: String?) {
        #expect(ListenAddress(text)?.description == expected)
    }
}
