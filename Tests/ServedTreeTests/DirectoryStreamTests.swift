import LinuxFiles
@testable import ServedTree
import TestSupport
import Testing

@Suite("Directory streams")
struct DirectoryStreamTests {
    private let host: TemporaryDirectory

    init() throws {
        host = try TemporaryDirectory()
    }

    private func stream(_ client: TestClient = TestClient()) throws -> DirectoryStream {
        let root = try Export(directory: host.path).attach(for: client.files)
        guard case .directory(let stream) = try root.open([.read, .directory], by: Caller(uid: 0)) else {
            throw Errno.ENOTDIR
        }
        return stream
    }

    @Test("an entry that doesn't fit comes first the next time; one that fits into no room is EINVAL")
    func room() throws {
        for name in ["a", "b", "c"] { try host.write(name, "") }
        let stream = try stream()
        let all = try stream.entries(after: 0, atMost: 100)
        #expect(all.count == 5 && all.map(\.cookie) == [1, 2, 3, 4, 5])
        for count in 1...4 {
            let part = try stream.entries(after: 0, atMost: count)
            #expect(part.map(\.name) == all.prefix(count).map(\.name))
            let next = try stream.entries(after: UInt64(count), atMost: 1)
            #expect(next.map(\.name) == [all[count].name])
        }
        let nothing = UnsafeMutableRawBufferPointer(start: nil, count: 0)
        #expect(throws: Errno.EINVAL) { try stream.read(from: 0, into: nothing, longestEntry: 1) { _, _ in nil } }
        // Nothing is lost by it.
        #expect(try stream.entries(after: 0, atMost: 100).map(\.name) == all.map(\.name))
    }

    @Test("many entries in one read of the host are shown in several, each once")
    func parts() throws {
        let names = (0..<2000).map { "a-long-name-to-fill-the-buffer-\($0)" }
        for name in names { try host.makeSymlink(name, to: "x") }
        let stream = try stream()
        var seen: [[UInt8]] = []
        var cookie: UInt64 = 0
        for count in [1, 7, 100, 1000, 5000] {
            let part = try stream.entries(after: cookie, atMost: count)
            seen += part.map(\.name)
            cookie = try #require(part.last).cookie
        }
        #expect(try stream.entries(after: cookie, atMost: 10).isEmpty)
        #expect(Set(seen) == Set((names + [".", ".."]).map { Array($0.utf8) }) && seen.count == 2002)
    }

    @Test("what a directory remembers is paid for by the client, and given back")
    func memory() throws {
        for index in 0..<1100 { try host.makeSymlink("\(index)", to: "x") }
        let client = TestClient(memory: 20_000)
        do {
            let stream = try stream(client)
            #expect(throws: Errno.ENOMEM) { _ = try stream.entries(after: 0, atMost: 5000) }
            #expect(try stream.entries(after: 0, atMost: 1000).count == 1000)
            withExtendedLifetime(stream) { #expect(client.files.memory.commonPart > 16_000) }
        }
        #expect(client.files.memory.commonPart == 0)
    }

    @Test("names of the metadata's own are not shown, and their places are skipped")
    func hidden() throws {
        for name in [".usb9pfs-new.1.1", "a", "root.usb9pfs.db", "b", "root.usb9pfs.db-wal"] {
            try host.write(name, "")
        }
        let stream = try stream()
        var names: [String] = []
        var cookie: UInt64 = 0
        while let entry = try stream.entries(after: cookie, atMost: 1).last {
            names.append(String(decoding: entry.name, as: UTF8.self))
            cookie = entry.cookie
        }
        #expect(names.sorted() == [".", "..", "a", "b"])
    }

    @Test("reading from 0 shows what is new; a cookie never given out is EINVAL")
    func again() throws {
        let stream = try stream()
        #expect(try stream.entries(after: 0, atMost: 10).count == 2)
        #expect(throws: Errno.EINVAL) { _ = try stream.entries(after: 3, atMost: 10) }
        try host.write("new", "")
        #expect(try stream.entries(after: 0, atMost: 10).count == 3)
    }
}
