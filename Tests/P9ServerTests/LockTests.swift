import LinuxFiles
import P9Client
import P9Wire
import TestSupport
import Testing

@Suite("Tlock and Tgetlock")
struct LockTests {
    private let server: TestServer
    private let one: Client
    private let two: Client
    private let file: Fid
    private let other: Fid

    init() throws {
        server = try TestServer()
        try server.tree.write("file", "text")
        let first = try server.attached()
        let second = try server.attached()
        (one, two) = (first.client, second.client)
        file = try one.opened(first.root, "file", .readWrite)
        other = try two.opened(second.root, "file", .readWrite)
    }

    private func take(
        _ type: LockType,
        _ start: UInt64,
        _ length: UInt64,
        pid: UInt32 = 1,
        as client: Client? = nil
    ) throws -> LockStatus {
        let isSecond = client === two
        return try (client ?? one).lock(isSecond ? other : file, type, start: start, length: length, processID: pid)
    }

    /// Which of the bytes 0..<20 somebody else can't write-lock.
    private func locked() throws -> [UInt64] {
        try (0..<20).filter { byte in
            let found = try two.getLock(other, .write, start: byte, length: 1, processID: 99)
            return found.type != .unlock
        }
    }

    @Test("a conflict is BLOCKED, with and without the flag to wait; nobody waits", arguments: [0, 1] as [UInt32])
    func conflict(flags: UInt32) throws {
        #expect(try take(.write, 0, 0) == .success)
        let name = Array("host".utf8)
        let request = Tlock(
            fid: other,
            type: .read,
            flags: flags,
            start: 5,
            length: 1,
            processID: 1,
            clientID: name.span.bytes
        )
        #expect(try two.call(request) { (body) throws(WireError) in try Rlock(decoding: body).status } == .blocked)
        #expect(try take(.unlock, 0, 0) == .success)
        #expect(try take(.read, 5, 1, as: two) == .success)
    }

    @Test("readers share, writers don't")
    func sharing() throws {
        #expect(try take(.read, 0, 10) == .success)
        #expect(try take(.read, 0, 10, as: two) == .success)
        #expect(try take(.write, 0, 10, as: two) == .blocked)
        #expect(try take(.write, 10, 10, as: two) == .success)
        #expect(try take(.read, 9, 2) == .blocked)
        #expect(try take(.read, 0, 10) == .success)
    }

    @Test("ranges are of bytes: the middle of a lock is given back, and its ends stay")
    func split() throws {
        #expect(try take(.write, 2, 10) == .success)
        #expect(try locked() == Array(2..<12))
        #expect(try take(.unlock, 5, 3) == .success)
        #expect(try locked() == [2, 3, 4, 8, 9, 10, 11])
        #expect(try take(.unlock, 0, 4) == .success)
        #expect(try locked() == [4, 8, 9, 10, 11])
        #expect(try take(.unlock, 9, 0) == .success)
        #expect(try locked() == [4, 8])
        #expect(try take(.write, 6, 1, as: two) == .success)
        #expect(try take(.write, 0, 7) == .blocked)
        #expect(try locked() == [4, 6, 8], "a lock that was refused changes nothing")
    }

    @Test("a lock can be turned into the other kind, whole or in part")
    func conversion() throws {
        #expect(try take(.write, 0, 10) == .success)
        #expect(try take(.read, 3, 4) == .success)
        #expect(try take(.read, 3, 4, as: two) == .success)
        #expect(try take(.read, 2, 1, as: two) == .blocked)
        #expect(try take(.write, 3, 4) == .blocked)
        #expect(try take(.unlock, 0, 0, as: two) == .success)
        #expect(try take(.write, 3, 4) == .success)
        #expect(try take(.read, 3, 4, as: two) == .blocked)
    }

    @Test("length 0 reaches to the end of the file, however far; sums beyond 2^64 do too")
    func toTheEnd() throws {
        #expect(try take(.write, 100, 0) == .success)
        #expect(try take(.write, .max, 1, as: two) == .blocked)
        #expect(try take(.write, 1 << 40, 1, as: two) == .blocked)
        #expect(try take(.write, 0, 100, as: two) == .success)
        let found = try two.getLock(other, .write, start: 0, length: 0, processID: 1)
        #expect((found.type, found.start, found.length) == (.write, 100, 0))
        #expect(try take(.unlock, 0, 0) == .success)
        #expect(try take(.write, 200, .max) == .success)
        #expect(try take(.write, .max, .max, as: two) == .blocked)
        #expect(try take(.unlock, 200, 0) == .success)
        #expect(try take(.write, .max, .max, as: two) == .success)
    }

    @Test("two processes of one client are two owners")
    func processes() throws {
        #expect(try take(.write, 0, 1, pid: 1) == .success)
        #expect(try take(.write, 0, 1, pid: 2) == .blocked)
        #expect(try take(.unlock, 0, 1, pid: 2) == .success)
        #expect(try take(.write, 0, 1, pid: 2) == .blocked)
        #expect(try take(.unlock, 0, 1, pid: 1) == .success)
        #expect(try take(.write, 0, 1, pid: 2) == .success)
    }

    @Test("two sessions are two owners, even with the same process and client name")
    func sameNames() throws {
        #expect(try take(.write, 0, 1, pid: 7) == .success)
        #expect(try take(.write, 0, 1, pid: 7, as: two) == .blocked)
    }

    @Test("Tgetlock names the real holder, or UNLCK with what was asked")
    func holder() throws {
        #expect(try take(.write, 10, 5, pid: 1234) == .success)
        let found = try two.getLock(other, .read, start: 0, length: 0, processID: 7)
        #expect((found.type, found.start, found.length, found.processID) == (.write, 10, 5, 1234))
        let free = try two.getLock(other, .read, start: 0, length: 10, processID: 7)
        #expect((free.type, free.start, free.length, free.processID) == (.unlock, 0, 10, 7))
        let own = try one.getLock(file, .write, start: 0, length: 0, processID: 1234)
        #expect(own.type == .unlock)
    }

    @Test("Tgetlock with type UNLCK, as the kernel asks, finds readers too")
    func kernelGetlock() throws {
        #expect(try take(.read, 10, 5, pid: 1234) == .success)
        let found = try two.getLock(other, .unlock, start: 0, length: 0, processID: 7)
        #expect((found.type, found.start, found.length, found.processID) == (.read, 10, 5, 1234))
        #expect(try two.getLock(other, .read, start: 0, length: 0, processID: 7).type == .unlock)
    }

    @Test("locks are of the file, not of its name or fid")
    func sameFile() throws {
        let (third, root) = try server.attached()
        try third.link(root, third.walk(root, "file"), "linked")
        #expect(try take(.write, 0, 0) == .success)
        let linked = try third.opened(root, "linked", .readWrite)
        #expect(try third.lock(linked, .write, start: 0, length: 0, processID: 1) == .blocked)
        try third.rename(root, "file", to: root, "renamed")
        let renamed = try third.opened(root, "renamed", .readWrite)
        #expect(try third.lock(renamed, .read, start: 0, length: 0, processID: 1) == .blocked)
    }

    @Test("a lock goes with the fid it was taken through")
    func clunk() throws {
        #expect(try take(.write, 0, 0) == .success)
        try one.clunk(file)
        #expect(try take(.write, 0, 0, as: two) == .success)
    }

    @Test("locks go with the session", arguments: Link.oneAndMany)
    func sessionEnd(link: Link) throws {
        let server = try TestServer(link)
        try server.tree.write("file", "text")
        do {
            let (client, root) = try server.attached()
            let file = try client.opened(root, "file", .readWrite)
            #expect(try client.lock(file, .write, start: 0, length: 0, processID: 1) == .success)
        }
        let (client, root) = try server.attached()
        let file = try client.opened(root, "file", .readWrite)
        var status = LockStatus.blocked
        waitUntil {
            status = (try? client.lock(file, .write, start: 0, length: 0, processID: 1)) ?? .error
            return status == .success
        }
        #expect(status == .success)
    }

    @Test("locking needs an open file, and a type that is one")
    func badRequests() throws {
        let (client, root) = try server.attached()
        let walked = try client.walk(root, "file")
        let directory = try client.opened(root, ".")
        for fid in [walked, directory, root] {
            expectRefusal(.EBADF) { try client.lock(fid, .read, start: 0, length: 0, processID: 1) }
            expectRefusal(.EBADF) { try client.getLock(fid, .read, start: 0, length: 0, processID: 1) }
        }
        expectRefusal(.EINVAL) { try take(LockType(rawValue: 3), 0, 0) }
    }

    @Test("a session's locks are bounded: status ERROR, and others' locks still work")
    func bounded() throws {
        var count: UInt64 = 0
        while count < 10_000, try take(.read, 2 * count, 1) == .success { count += 1 }
        #expect(count == 4096)
        #expect(try take(.read, 0, 1) == .success)
        #expect(try take(.read, 1 << 30, 1) == .error)
        #expect(try take(.read, 1 << 30, 1, as: two) == .success)
        #expect(try take(.unlock, 0, 0) == .success)
        #expect(try take(.write, 0, 1 << 20) == .success)
    }

    @Test("a client name of more than 255 bytes is EINVAL: it would be kept with every lock")
    func longClientName() throws {
        let name = [UInt8](repeating: 0x61, count: 256)
        let request = Tlock(
            fid: file,
            type: .read,
            flags: 0,
            start: 0,
            length: 1,
            processID: 1,
            clientID: name.span.bytes
        )
        expectRefusal(.EINVAL) {
            try one.call(request) { (body) throws(WireError) in try Rlock(decoding: body).status }
        }
    }
}
