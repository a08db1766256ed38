import LinuxFiles
import P9Client
import P9Server
import P9Wire
import ServedTree
import TestSupport
import Testing

@Suite("Treaddir")
struct DirectoryTests {
    private let server: TestServer
    private let client: Client
    private let root: Fid

    init() throws {
        server = try TestServer()
        (client, root) = try server.attached()
    }

    @Test(". and .. are there; every entry once, in messages of any size", arguments: [40, 64, 300, 4096, 65_536])
    func complete(count: Int) throws {
        for index in 0..<200 { try server.tree.write("file-\(index)", "") }
        let directory = try client.opened(root, ".")
        var names: [String] = []
        var cookie: UInt64 = 0
        while true {
            let part = try client.readDirectory(directory, from: cookie, count: count)
            guard let last = part.last else { break }
            #expect(part.reduce(0) { $0 + 24 + $1.name.utf8.count } <= count)
            #expect(part.allSatisfy { $0.cookie > 0 && $0.cookie < 1 << 31 })
            cookie = last.cookie
            names += part.map(\.name)
        }
        #expect(names.sorted() == ([".", ".."] + (0..<200).map { "file-\($0)" }).sorted())
    }

    @Test("a count too small for one entry is EINVAL, and at the end an empty reply")
    func smallCount() throws {
        let name = String(repeating: "n", count: 255)
        try server.tree.write(name, "")
        let directory = try client.opened(root, ".")
        for count in [0, 1, 24] {
            expectRefusal(.EINVAL) { try client.readDirectory(directory, from: 0, count: count) }
        }
        var cookie: UInt64 = 0
        var seen: [String] = []
        while seen.count < 3 {
            // 278 bytes are one too few for the long name alone.
            let part =
                try (try? client.readDirectory(directory, from: cookie, count: 278))
                ?? (client.readDirectory(directory, from: cookie, count: 279))
            cookie = try #require(part.last?.cookie)
            seen += part.map(\.name)
        }
        #expect(seen.sorted() == [".", "..", name])
        #expect(try client.readDirectory(directory, from: cookie, count: 10).isEmpty)
    }

    /// The end of a reply was read into what room it had left, which the host answered with EINVAL.
    @Test(
        "names that only the host may have don't hide the others, whatever the count",
        .enabled(if: StallingFileSystem.isPossible)
    )
    func overlongHostNames() throws {
        let names = (0..<20).map { "file-\($0)" }
        // 255 characters of three bytes.
        let long = String(repeating: "\u{20ac}", count: 255)
        let host = try StallingFileSystem(files: names + [long, "last"], directory: TemporaryDirectory())
        let server = SocketServer(ServerConfiguration(exports: [try Export(directory: host.path)])) { _ in }
        defer { server.stop(waitingAtMost: 5) }
        let place = try TemporaryDirectory()
        _ = try server.listen(on: .unix(path: place.file("socket")))
        let client = try Client(FrameSocket.connect(unix: place.file("socket")), msize: 65_536)
        let root = try client.attach()
        for count in 279...800 {
            let directory = try client.opened(root, ".")
            var seen: [String] = []
            var cookie: UInt64 = 0
            while true {
                let part = try client.readDirectory(directory, from: cookie, count: count)
                guard let last = part.last else { break }
                seen += part.map(\.name)
                cookie = last.cookie
            }
            #expect(Set(seen).isSuperset(of: names + ["last"]) && !seen.contains(long), "\(count) bytes: \(seen)")
            try client.clunk(directory)
        }
    }

    @Test("a count above msize is clamped")
    func largeCount() throws {
        for index in 0..<500 { try server.tree.write("a-rather-long-name-\(index)", "") }
        let (client, root) = try server.attached(msize: 4096)
        let directory = try client.opened(root, ".")
        let part = try client.readDirectory(directory, from: 0, count: Int(UInt32.max))
        #expect(part.count > 50)
        #expect(part.reduce(0) { $0 + 24 + $1.name.utf8.count } <= 4096 - 11)
    }

    @Test("cookies may be replayed, forwards and backwards")
    func replay() throws {
        for index in 0..<300 { try server.tree.write("file-\(index)", "") }
        let directory = try client.opened(root, ".")
        let all = try client.readDirectory(directory)
        #expect(all.count == 302)
        for start in [300, 0, 1, 299, 150, 301, 7, 8, 200] {
            let cookie = start == 0 ? 0 : all[start - 1].cookie
            let part = try client.readDirectory(directory, from: cookie, count: 100)
            #expect(part == Array(all[start...].prefix(part.count)), "from \(start)")
            #expect(!part.isEmpty)
        }
        #expect(try client.readDirectory(directory, from: all[301].cookie, count: 100).isEmpty)
        #expect(try client.readDirectory(directory, from: 0, count: 65_000).first == all.first)
    }

    @Test("a cookie never given out is EINVAL")
    func inventedCookie() throws {
        let directory = try client.opened(root, ".")
        for cookie in [3, 1000, 1 << 31, 1 << 63, .max] as [UInt64] {
            expectRefusal(.EINVAL) { try client.readDirectory(directory, from: cookie, count: 1000) }
        }
        #expect(try client.readDirectory(directory).count == 2)
    }

    @Test("what is removed while the directory is read doesn't hide what remains")
    func removalWhileReading() throws {
        for index in 0..<300 { try server.tree.write("file-\(index)", "") }
        let directory = try client.opened(root, ".")
        var seen: [String] = []
        var cookie: UInt64 = 0
        while true {
            let part = try client.readDirectory(directory, from: cookie, count: 1000)
            guard let last = part.last else { break }
            cookie = last.cookie
            // rm -r: what was seen goes, before the next message.
            for entry in part where entry.name.hasPrefix("file") { try client.unlink(root, entry.name) }
            seen += part.map(\.name)
        }
        #expect(Set(seen).count == 302)
        #expect(try server.tree.names().isEmpty)
    }

    @Test("reading again from 0 shows what is new")
    func rewind() throws {
        let directory = try client.opened(root, ".")
        #expect(try client.readDirectory(directory).count == 2)
        try server.tree.write("new", "")
        #expect(try client.readDirectory(directory).count == 3)
        server.tree.remove("new")
        #expect(try client.readDirectory(directory).count == 2)
    }

    @Test("type and qid agree with Tgetattr, for fake devices too")
    func types() throws {
        try server.tree.makeDirectory("dir")
        try server.tree.write("file", "text")
        try server.tree.write("empty", "")
        try server.tree.write("labelled", "")
        try server.tree.setAttribute("labelled", "user.containers.override_stat", "5:6:04755:file")
        try server.tree.write("grown", "a device with data in it is none")
        try server.tree.setAttribute("grown", "user.containers.override_stat", "0:0:0600:char-1-3")
        try server.tree.makeSymlink("link", to: "nowhere")
        _ = try client.makeNode(root, "char", mode: 0o020666, major: 1, minor: 3)
        _ = try client.makeNode(root, "block", mode: 0o060660, major: 8, minor: 1)
        _ = try client.makeNode(root, "fifo", mode: 0o010644)
        _ = try client.makeNode(root, "socket", mode: 0o140755)
        #expect(try run("mkfifo", server.tree.file("hostfifo")).status == 0)
        let entries = try client.readDirectory(client.opened(root, "."))
        #expect(entries.count == 13)
        for entry in entries {
            let status = try client.status(root, entry.name)
            #expect(UInt32(entry.type) == status.mode >> 12, "\(entry.name)")
            #expect(entry.qid == status.qid, "\(entry.name)")
            let fid = client.newFid()
            #expect(try client.rawWalk(root, to: fid, entry.name)[0] == entry.qid)
        }
        #expect(entries.first { $0.name == "char" }?.type == 2)
        #expect(entries.first { $0.name == "socket" }?.type == 12)
    }

    @Test("a qid's version is never 0, and doesn't change with the file")
    func qidVersion() throws {
        try server.tree.write("file", "text")
        let before = try client.status(root, "file")
        try server.tree.write("file", "longer text", mode: 0o600)
        let after = try client.status(root, "file")
        #expect(before.qid == after.qid)
        #expect(before.qid.version != 0)
        #expect(before.generation == after.generation)
        #expect(after.valid.contains(.generation))
    }

    @Test("a directory that lacks the host's x or r bit is open to the board, whose root passes")
    func hostModes() throws {
        for mode in [0o600, 0o300, 0o000, 0o500, 0o400] as [UInt32] {
            let name = "dir-\(mode)"
            try server.tree.makeDirectory(name)
            try server.tree.write("\(name)/file", "")
            try server.tree.setMode(name, mode)
            let directory = try client.walk(root, name)
            #expect(try client.rawWalk(root, to: client.newFid(), name, "file").count == 2, "\(name)")
            #expect(try client.readDirectory(client.opened(root, name)).count == 3)
            try client.clunk(client.created(directory, "new"))
            #expect(try client.getAttributes(directory).mode == 0o040000 | mode)
        }
    }

    @Test("names under which something is being made don't exist")
    func stagingNames() throws {
        try server.tree.write(".usb9pfs-new.1.1", "")
        #expect(try client.readDirectory(client.opened(root, ".")).count == 2)
        expectRefusal(.ENOENT) { try client.walk(root, ".usb9pfs-new.1.1") }
        expectRefusal(.EINVAL) { try client.created(root, ".usb9pfs-new.2.2") }
    }
}
