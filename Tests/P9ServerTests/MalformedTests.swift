import LinuxFiles
import P9Client
import P9Server
import P9Wire
import TestSupport
import Testing

/// A session with fid 0 attached.
private func session(_ server: TestServer, msize: UInt32 = 65_536) throws -> RawConnection {
    let connection = try server.connectRaw()
    try connection.negotiate(msize: msize)
    try connection.attach()
    return connection
}

private let statfs = frame(8, tag: 9, [0, 0, 0, 0])

@Suite("Messages that aren't what they claim")
struct MalformedTests {
    @Test("an unknown type, or a reply, is EOPNOTSUPP; the connection stays", arguments: Link.oneAndMany)
    func unknownTypes(link: Link) throws {
        let connection = try session(TestServer(link))
        for number in UInt8.min...UInt8.max {
            if let type = MessageType(rawValue: number), type.isRequest { continue }
            let reply = try connection.exchange(frame(number, tag: 77, [1, 2, 3, 4]))
            #expect(errno(of: reply) == .EOPNOTSUPP, "\(number)")
            #expect(try tag(of: #require(reply)) == 77)
        }
        #expect(try connection.exchange(statfs)?[4] == 9)
    }

    @Test("a body that is short or too long is EINVAL; the connection stays", arguments: Link.oneAndMany)
    func badBodies(link: Link) throws {
        let connection = try session(TestServer(link))
        // fid 0 is attached, fid 8 is free; no name is empty, so nothing here is done by mistake.
        let whole: [UInt8: [UInt8]] = [
            8: hex("00000000"), 12: hex("00000000 00000000"), 14: hex("00000000 0100 78 00000000 00000000 00000000"),
            16: hex("00000000 0100 78 0100 79 00000000"),
            18: hex("00000000 0100 78 00000000 00000000 00000000 00000000"), 20: hex("00000000 00000000 0100 78"),
            22: hex("00000000"), 24: hex("00000000 ff17000000000000"), 26: [UInt8](repeating: 0, count: 60),
            30: hex("00000000 08000000 0000"), 32: hex("00000000 0100 78 0000000000000000 00000000"),
            40: hex("00000000 0000000000000000 00100000"), 50: hex("00000000 00000000"),
            52: hex("00000000 00 00000000 0000000000000000 0000000000000000 00000000 0000"),
            54: hex("00000000 00 0000000000000000 0000000000000000 00000000 0000"),
            70: hex("00000000 00000000 0100 78"), 72: hex("00000000 0100 78 00000000 00000000"),
            74: hex("00000000 0100 78 00000000 0100 79"), 76: hex("00000000 0100 78 00000000"),
            102: hex("08000000 0000 0000 00000000"), 104: hex("08000000 ffffffff 0000 0000 00000000"), 108: hex("0100"),
            110: hex("00000000 08000000 0100 0100 78"),
            116: hex("00000000 0000000000000000 00100000"), 118: hex("00000000 0000000000000000 01000000 78"),
            120: hex("00000000"), 122: hex("00000000"),
        ]
        for (number, body) in whole.sorted(by: { $0.key < $1.key }) {
            for length in 0..<body.count {
                if number == 50, length == 4 { continue }  // Tfsync of Linux before 2.6.39
                let reply = try connection.exchange(frame(number, tag: 1, Array(body[..<length])))
                #expect(errno(of: reply) == .EINVAL, "type \(number), \(length) bytes")
            }
            #expect(try errno(of: connection.exchange(frame(number, tag: 1, body + [0]))) == .EINVAL, "type \(number)")
        }
        #expect(try connection.exchange(statfs)?[4] == 9)
    }

    @Test("a malformed Tversion is EINVAL and leaves the session as it is", arguments: Link.oneAndMany)
    func badVersion(link: Link) throws {
        let connection = try session(TestServer(link))
        for body in ["", "00200000", "00200000 0900 39503230 30302e4c", "00200000 0800 39503230 30302e4c 00"] {
            #expect(try errno(of: connection.exchange(frame(100, tag: 0xffff, hex(body)))) == .EINVAL)
        }
        #expect(try connection.exchange(statfs)?[4] == 9)
    }

    @Test("counts of 2^32-1 and names that reach past the frame are EINVAL", arguments: Link.oneAndMany)
    func absurdCounts(link: Link) throws {
        let connection = try session(TestServer(link))
        for message in [
            frame(118, tag: 1, hex("00000000 0000000000000000 ffffffff 78")),
            frame(118, tag: 1, hex("00000000 0000000000000000 00000080 78")),
            frame(110, tag: 1, hex("00000000 08000000 ffff")),
            frame(
                110,
                tag: 1,
                hex("00000000 08000000 1100") + Array(repeating: wireString("x"), count: 17).flatMap { $0 }
            ),
            frame(110, tag: 1, hex("00000000 08000000 0100 ffff 78")),
            frame(72, tag: 1, hex("00000000 ffff 78 00000000 00000000")),
        ] {
            #expect(try errno(of: connection.exchange(message)) == .EINVAL)
        }
        #expect(try connection.exchange(statfs)?[4] == 9)
    }

    @Test(
        "a size field below 7 or above msize closes that session, and only that",
        arguments: [.socketPair, .tcp, .unix] as [Link]
    )
    func badSizes(link: Link) throws {
        let server = try TestServer(link)
        let other = try session(server)
        for size in [0, 1, 6, 8193, 65_537, 0x7fff_ffff, 0x8000_0000, .max] as [UInt32] {
            let connection = try session(server, msize: 8192)
            try connection.send(littleEndian(size) + [8, 9, 0, 0, 0, 0, 0])
            #expect(try connection.receive() == nil, "\(size)")
        }
        #expect(try other.exchange(statfs)?[4] == 9)
        waitUntil { server.log.count >= 8 }
        #expect(server.log.count == 8)
        #expect(server.log.allSatisfy { $0.contains("closing a connection") })
    }

    @Test("a frame of exactly msize is taken")
    func largest() throws {
        let server = try TestServer()
        let connection = try session(server, msize: 8192)
        let walk = frame(110, tag: 1, hex("00000000 01000000 0000"))
        #expect(try connection.exchange(walk)?[4] == 111)
        #expect(
            try connection.exchange(frame(14, tag: 1, hex("01000000 0400 66696c65 02000000 a4010000 00000000")))?[4]
                == 15
        )
        let data = [UInt8](repeating: 7, count: 8192 - 23)
        let write = frame(118, tag: 1, hex("01000000 0000000000000000") + littleEndian(UInt32(data.count)) + data)
        #expect(write.count == 8192)
        #expect(try connection.exchange(write) == frame(119, tag: 1, littleEndian(UInt32(data.count))))
        #expect(try server.tree.read("file") == data)
    }

    @Test("frames may come a byte at a time, or many at once", arguments: [.socketPair, .tcp] as [Link])
    func fragments(link: Link) throws {
        let server = try TestServer(link)
        let connection = try session(server)
        for byte in statfs { try connection.send([byte]) }
        #expect(try connection.receive()?[4] == 9)
        var many: [UInt8] = []
        for number in 0..<5000 as Range<UInt16> { many += frame(8, tag: number, [0, 0, 0, 0]) }
        // 55,000 bytes of requests: split where it hurts.
        try connection.send(Array(many[..<7]))
        try connection.send(Array(many[7..<40_001]))
        try connection.send(Array(many[40_001...]))
        var tags: Set<UInt16> = []
        for _ in 0..<5000 {
            let reply = try #require(try connection.receive())
            #expect(reply[4] == 9)
            tags.insert(tag(of: reply))
        }
        #expect(tags.count == 5000)
    }

    @Test(
        "a connection that ends within a frame, or at once, ends quietly",
        arguments: [.socketPair, .tcp, .unix] as [Link]
    )
    func cutOff(link: Link) throws {
        let server = try TestServer(link)
        for length in 0..<statfs.count {
            let connection = try session(server)
            try connection.send(Array(statfs[..<length]))
            connection.finishSending()
            #expect(try connection.receive() == nil)
        }
        #expect(server.log.isEmpty)
        #expect(try session(server).exchange(statfs)?[4] == 9)
    }

    @Test("what a client sends before it stops sending is answered", arguments: [.socketPair, .tcp, .unix] as [Link])
    func halfClose(link: Link) throws {
        let server = try TestServer(link)
        let connection = try session(server)
        for number in 0..<200 as Range<UInt16> { try connection.send(frame(8, tag: number, [0, 0, 0, 0])) }
        connection.finishSending()
        var count = 0
        while try connection.receive() != nil { count += 1 }
        #expect(count == 200)
    }

    @Test("respond answers nothing to fewer than 7 bytes, and EINVAL to a size field that lies")
    func directFrames() throws {
        let server = try TestServer(.direct)
        let connection = ServerConnection(server.configuration)
        func answer(_ request: [UInt8], room: Int = 11) -> [UInt8] {
            var reply = [UInt8](repeating: 0xee, count: room)
            let size = reply.withUnsafeMutableBytes { connection.respond(to: request.span.bytes, into: $0) }
            return Array(reply[..<size])
        }
        for length in 0..<7 { #expect(answer([UInt8](repeating: 0, count: length)).isEmpty) }
        #expect(errno(of: answer([8, 0, 0, 0, 8, 1, 2])) == .EINVAL)
        #expect(errno(of: answer([6, 0, 0, 0, 8, 1, 2])) == .EINVAL)
        #expect(tag(of: answer([6, 0, 0, 0, 8, 1, 2])) == 0x201)
        #expect(connection.msize == 0)
        // 11 bytes of room are enough for an answer to anything.
        #expect(
            errno(of: answer(frame(100, tag: 0xffff, littleEndian(UInt32(8192)) + wireString("9P2000.L")))) == .EMSGSIZE
        )
    }

    @Test("a reply that has no room is EMSGSIZE; file data is clipped to the room", arguments: [11, 12, 100])
    func smallRoom(room: Int) throws {
        let server = try TestServer(.direct)
        try server.tree.write("file", [UInt8](repeating: 7, count: 1000))
        let connection = ServerConnection(server.configuration)
        func answer(_ request: [UInt8], room: Int) -> [UInt8] {
            var reply = [UInt8](repeating: 0xee, count: room)
            let size = reply.withUnsafeMutableBytes { connection.respond(to: request.span.bytes, into: $0) }
            return Array(reply[..<size])
        }
        _ = answer(frame(100, tag: 0xffff, littleEndian(UInt32(8192)) + wireString("9P2000.L")), room: 100)
        _ = answer(frame(104, tag: 1, hex("00000000 ffffffff 0000 0000 00000000")), room: 100)
        _ = answer(frame(110, tag: 1, hex("00000000 01000000 0100 0400 66696c65")), room: 100)
        _ = answer(frame(12, tag: 1, hex("01000000 00000000")), room: 100)
        #expect(errno(of: answer(frame(24, tag: 1, hex("01000000 ff17000000000000")), room: room)) == .EMSGSIZE)
        let data = answer(frame(116, tag: 1, hex("01000000 0000000000000000 ffffffff")), room: room)
        #expect(data.count == room)
        #expect(data[4] == 117)
    }

    @Test("random bytes in well-formed frames never crash the server", arguments: Link.oneAndMany)
    func noise(link: Link) throws {
        let server = try TestServer(link)
        try server.tree.write("x", "text")
        let connection = try session(server)
        var state: UInt64 = 1
        func random(_ bound: Int) -> Int {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return Int(state >> 33) % bound
        }
        for _ in 0..<20_000 {
            let types: [UInt8] = [
                8, 12, 14, 16, 18, 20, 22, 24, 26, 30, 32, 40, 50, 52, 54, 70, 72, 74, 76, 102, 104, 108, 110, 116, 118,
                120,
                122,
            ]
            // Small numbers: fids that exist, lengths that fit.
            var body = (0..<random(64)).map { _ in UInt8(random(8) == 0 ? random(256) : random(3)) }
            if body.count > 10, random(2) == 0 { body.replaceSubrange(4..<8, with: [UInt8(random(4)), 0, 0, 0]) }
            let reply = try #require(try connection.exchange(frame(types[random(types.count)], tag: 5, body)))
            #expect(tag(of: reply) == 5)
        }
        #expect(try server.base.names() == ["tree"])
    }
}
