import LinuxFiles
@testable import P9Server
import P9Wire
import TestSupport
import Testing

private let statfs: [UInt8] = [0, 0, 0, 0]

/// A Tsetattr of a fid's size, which waits for the file's lease.
private func truncate(_ fid: UInt32, tag: UInt16) -> [UInt8] {
    let change = SetattrMask.size.rawValue
    let body = littleEndian(fid) + littleEndian(change) + [UInt8](repeating: 0, count: 12 + 8 + 32)
    return frame(26, tag: tag, body)
}

@Suite("Requests that take long")
struct SlowRequestTests {
    /// A connection whose fids 1...count stand on files with leases.
    private static func stalled(
        _ server: TestServer,
        files count: Int = 1
    ) throws -> (connection: RawConnection, leases: [Lease]) {
        let connection = try server.connectRaw()
        try connection.negotiate()
        try connection.attach()
        let leases = try (1...count).map { number in
            // There is no lease on what somebody has open for writing. What this process has, a program that another test
            // starts at that moment has as well, for a while longer.
            let path = server.tree.file("slow-\(number)")
            try #require(try run("sh", "-c", "printf text >\"$1\"", "sh", path).status == 0)
            let walk = hex("00000000") + littleEndian(UInt32(number)) + [1, 0] + wireString("slow-\(number)")
            #expect(try connection.exchange(frame(110, tag: 1, walk))?[4] == 111)
            return try Lease(path)
        }
        return (connection, leases)
    }

    /// Sends the request alone, and comes back when the server waits in the kernel.
    private static func begin(_ request: [UInt8], _ connection: RawConnection, _ lease: Lease) throws {
        try connection.send(request)
        waitUntil { lease.isAwaited }
        #expect(lease.isAwaited)
    }

    @Test("a lone one doesn't hold up those that come later", arguments: [.socketPair, .tcp, .unix] as [Link])
    func lone(link: Link) throws {
        let server = try TestServer(link)
        let (connection, leases) = try Self.stalled(server)
        try Self.begin(truncate(1, tag: 7), connection, leases[0])
        for tag in 10..<50 as Range<UInt16> {
            let reply = try #require(try connection.exchange(frame(8, tag: tag, statfs)))
            #expect(reply[4] == 9 && TestSupport.tag(of: reply) == tag)
        }
        leases[0].giveBack()
        #expect(try connection.receive() == frame(27, tag: 7))
        #expect(try connection.exchange(frame(8, tag: 1, statfs))?[4] == 9)
        #expect(try server.tree.read("slow-1").isEmpty)
    }

    @Test("as many as run at once leave room for one more, however they come")
    func many() throws {
        let server = try TestServer()
        let count = 15
        let (connection, leases) = try Self.stalled(server, files: count)
        for (index, lease) in leases.enumerated() {
            try Self.begin(truncate(UInt32(index + 1), tag: UInt16(100 + index)), connection, lease)
        }
        #expect(try connection.exchange(frame(8, tag: 1, statfs))?[4] == 9)
        for lease in leases { lease.giveBack() }
        let tags = try (0..<count).map { _ in tag(of: try #require(try connection.receive())) }
        #expect(Set(tags) == Set(100..<UInt16(100 + count)))
    }

    @Test("one that comes after a pause is found too: the watch slept")
    func afterPause() throws {
        let server = try TestServer()
        let (connection, leases) = try Self.stalled(server, files: 2)
        for (index, lease) in leases.enumerated() {
            sleep(milliseconds: 400)
            try Self.begin(truncate(UInt32(index + 1), tag: UInt16(100 + index)), connection, lease)
            #expect(try connection.exchange(frame(8, tag: 1, statfs))?[4] == 9)
        }
        for lease in leases { lease.giveBack() }
        for _ in leases { #expect(try connection.receive()?[4] == 27) }
    }

    @Test("the flush of one that changes something is answered after it")
    func flushed() throws {
        let server = try TestServer()
        let (connection, leases) = try Self.stalled(server)
        try Self.begin(truncate(1, tag: 5), connection, leases[0])
        try connection.send(frame(108, tag: 6, littleEndian(UInt16(5))))
        #expect(try connection.exchange(frame(8, tag: 7, statfs))?[4] == 9)
        leases[0].giveBack()
        #expect(try connection.receive() == frame(27, tag: 5))
        #expect(try connection.receive() == frame(109, tag: 6))
    }

    @Test("Tversion waits for it, and nothing of it comes afterwards")
    func version() throws {
        let server = try TestServer()
        let (connection, leases) = try Self.stalled(server)
        try Self.begin(truncate(1, tag: 5), connection, leases[0])
        // Now another thread reads.
        #expect(try connection.exchange(frame(8, tag: 1, statfs))?[4] == 9)
        try connection.send(frame(100, tag: 0xffff, littleEndian(UInt32(8192)) + wireString("9P2000.L")))
        try connection.send(frame(8, tag: 6, statfs))
        leases[0].giveBack()
        var reply = try #require(try connection.receive())
        // It may be done before the Tversion is read.
        if reply == frame(27, tag: 5) { reply = try #require(try connection.receive()) }
        #expect(reply[4] == 101)
        #expect(try server.tree.read("slow-1").isEmpty)
        reply = try #require(try connection.receive())
        #expect(errno(of: reply) == .EBADF && tag(of: reply) == 6)
    }

    @Test("a client that goes meanwhile leaves nothing open", arguments: [.socketPair, .tcp] as [Link])
    func disconnected(link: Link) throws {
        let server = try TestServer(link)
        let before = server.tree.openDescriptors
        let lease: Lease
        do {
            let (connection, leases) = try Self.stalled(server)
            lease = leases[0]
            try Self.begin(truncate(1, tag: 5), connection, lease)
        }
        lease.giveBack()
        // The lease's own descriptor stays.
        waitUntil { server.tree.openDescriptors <= before + 1 }
        #expect(server.tree.openDescriptors <= before + 1)
        #expect(try server.tree.read("slow-1").isEmpty)
        withExtendedLifetime(lease) {}
    }

    @Test("stop answers it")
    func stopped() throws {
        let server = try TestServer()
        let (connection, leases) = try Self.stalled(server)
        try Self.begin(truncate(1, tag: 5), connection, leases[0])
        // After 10 ms the turn to read may have been given on; either way it is answered.
        try startThread { server.stop(waitingAtMost: 60) }
        leases[0].giveBack()
        #expect(try connection.receive() == frame(27, tag: 5))
        #expect(try connection.receive() == nil)
    }
}

@Suite("Flushes of requests in flight")
struct FlushTests {
    private let pipe: Pipe
    private let output: StreamDescriptor
    private let inFlight: RequestsInFlight

    init() throws {
        pipe = try Pipe()
        output = StreamDescriptor(OwnedDescriptor(owning: pipe.takeWriteEnd()))
        inFlight = RequestsInFlight(output: output.raw)
    }

    private func admit(_ bytes: [UInt8]) throws -> RequestsInFlight.Ticket {
        guard case .execute(let ticket) = inFlight.admit(bytes.span.bytes) else { throw Errno.EPROTO }
        return ticket
    }

    private func answer(_ ticket: RequestsInFlight.Ticket, _ reply: [UInt8]) throws {
        try reply.span.bytes.withUnsafeBytes { (reply) throws(Errno) in try inFlight.answer(ticket, with: reply) }
    }

    private func flush(_ old: UInt16, tag: UInt16) -> [UInt8] { frame(108, tag: tag, littleEndian(old)) }

    @Test(
        "of one that changes nothing: Rflush at once, no reply after it, and the tag is free",
        arguments: [116, 40, 22, 24, 8, 54, 50] as [UInt8]
    )
    func inquiry(type: UInt8) throws {
        let asked = try admit(frame(type, tag: 1, []))
        let flushed = try admit(flush(1, tag: 2))
        try answer(flushed, frame(109, tag: 2))
        let again = try admit(frame(type, tag: 1, []))
        // The first one is done only now.
        try answer(asked, frame(type + 1, tag: 1, [1]))
        try answer(again, frame(type + 1, tag: 1, [2]))
        #expect(try pipe.read(7) == frame(109, tag: 2))
        #expect(try pipe.read(8) == frame(type + 1, tag: 1, [2]))
    }

    @Test(
        "of one that changes something: Rflush after its reply, in the order of the flushes",
        arguments: [104, 110, 12, 14, 118, 120, 122, 26, 32, 30, 52, 16, 18, 70, 72, 74, 76, 20] as [UInt8]
    )
    func change(type: UInt8) throws {
        let asked = try admit(frame(type, tag: 1, []))
        for (old, tag) in [(1, 2), (2, 3), (1, 4)] as [(UInt16, UInt16)] {
            guard case .deferred = inFlight.admit(flush(old, tag: tag).span.bytes) else { throw Errno.EPROTO }
        }
        try answer(asked, frame(type + 1, tag: 1))
        #expect(try pipe.read(7) == frame(type + 1, tag: 1))
        let order = try (0..<3).map { _ in TestSupport.tag(of: try pipe.read(7)) }
        #expect(Set(order) == [2, 3, 4] && order.firstIndex(of: 2) ?? 9 < order.firstIndex(of: 3) ?? 0)
    }

    @Test("Tversion abandons what was read before it: no reply, and the tags are free")
    func version() throws {
        let asked = try admit(frame(26, tag: 1, []))
        guard case .deferred = inFlight.admit(flush(1, tag: 2).span.bytes) else { throw Errno.EPROTO }
        let version = try admit(frame(100, tag: 0xffff, []))
        let again = try admit(frame(26, tag: 1, []))
        try answer(asked, frame(27, tag: 1, [1]))
        try answer(version, frame(101, tag: 0xffff))
        try answer(again, frame(27, tag: 1, [2]))
        #expect(try pipe.read(7) == frame(101, tag: 0xffff))
        #expect(try pipe.read(8) == frame(27, tag: 1, [2]))
    }

    @Test("a tag that is in use stays refused")
    func duplicate() throws {
        _ = try admit(frame(120, tag: 1, []))
        guard case .duplicate = inFlight.admit(frame(8, tag: 1, []).span.bytes) else { throw Errno.EPROTO }
    }
}
