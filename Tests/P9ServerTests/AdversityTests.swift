import LinuxFiles
import P9Client
import P9Server
import P9Wire
import TestSupport
import Testing

/// What a client or the host does at the worst moment, or as far as it goes.
@Suite("Adversity")
struct AdversityTests {
    private let server: TestServer
    private let client: Client
    private let root: Fid

    init() throws {
        server = try TestServer()
        (client, root) = try server.attached()
    }

    @Test("a tree deeper than any path can say: everything works but what must ask for a path")
    func deep() throws {
        let name = String(repeating: "d", count: 250)
        var fid = root
        for _ in 0..<20 {
            _ = try client.makeDirectory(fid, name, mode: 0o750, gid: 5)
            let below = try client.walk(fid, name)
            if fid != root { try client.clunk(fid) }
            fid = below
        }
        #expect(try client.getAttributes(fid).gid == 5)
        let file = try client.created(fid, "file", mode: 0o4755, gid: 7)
        try client.write(file, at: 0, Array("text".utf8))
        #expect(try client.getAttributes(file).mode == 0o104755)
        _ = try client.makeSymlink(fid, "link", target: "file", gid: 9)
        #expect(try client.status(fid, "link").gid == 9)
        try client.link(fid, file, "hard")
        try client.rename(fid, "hard", to: root, "shallow")
        try client.rename(root, "shallow", to: fid, "hard")
        let names = Set(try client.readDirectory(client.opened(fid, ".")).map(\.name))
        #expect(names == [".", "..", "file", "link", "hard"])
        try client.setAttribute(client.walk(fid, "file"), "user.note", Array("deep".utf8))
        #expect(try client.attribute(client.walk(fid, "file"), "user.note") == Array("deep".utf8))
        try client.unlink(fid, "link")
        // Linux' client asks for none of these.
        expectRefusal(.ENAMETOOLONG) { try client.walk(fid, "..") }
        expectRefusal(.ENAMETOOLONG) { try client.rename(client.walk(fid, "file"), to: root, "file") }
        expectRefusal(.ENAMETOOLONG) { try client.remove(client.walk(fid, "file")) }
        #expect(try client.readAll(client.opened(fid, "file")) == Array("text".utf8))
    }

    @Test("the longest names work for every kind of file, with labels and without", arguments: [0, 5] as [UInt32])
    func longNames(gid: UInt32) throws {
        let name = { (letter: Character) in String(repeating: letter, count: 255) }
        try client.clunk(client.created(root, name("f"), mode: 0o600, gid: gid))
        _ = try client.makeDirectory(root, name("d"), mode: 0o700, gid: gid)
        _ = try client.makeSymlink(root, name("s"), target: name("f"), gid: gid)
        _ = try client.makeNode(root, name("c"), mode: 0o020600, major: 1, minor: 3, gid: gid)
        try client.link(root, client.walk(root, name("f")), name("h"))
        for letter in "fdsch" as String {
            let new = name(Character(letter.uppercased()))
            try client.rename(root, name(letter), to: root, new)
            #expect(try client.status(root, new).gid == gid)
        }
        #expect(try client.readDirectory(client.opened(root, ".")).count == 7)
        for letter in "FSCH" as String { try client.unlink(root, name(letter)) }
        try client.unlink(root, name("D"), isDirectory: true)
        #expect(try server.tree.names().isEmpty)
        for refused in [name("x") + "x"] {
            expectRefusal(.ENAMETOOLONG) { try client.created(root, refused, gid: gid) }
            expectRefusal(.ENAMETOOLONG) { try client.makeDirectory(root, refused, mode: 0o700, gid: gid) }
            expectRefusal(.ENAMETOOLONG) { try client.makeSymlink(root, refused, target: "x", gid: gid) }
        }
        #expect(try server.tree.names().isEmpty)
    }

    @Test("what is renamed over stays what it was for who has it open, label included")
    func renamedOver() throws {
        let old = try client.created(root, "target", mode: 0o4750, gid: 5)
        try client.write(old, at: 0, Array("old".utf8))
        let new = try client.created(root, "new", mode: 0o640, gid: 6)
        try client.write(new, at: 0, Array("new!".utf8))
        try client.rename(root, "new", to: root, "target")
        let before = try client.getAttributes(old)
        #expect(before.mode == 0o104750 && before.gid == 5 && before.linkCount == 0 && before.size == 3)
        #expect(try client.readAll(old) == Array("old".utf8))
        try client.set(old, .mode, mode: 0o600)
        try client.set(old, .size, size: 1)
        try client.write(old, at: 1, Array("X".utf8))
        #expect(try client.readAll(old) == Array("oX".utf8))
        #expect(try client.getAttributes(old).mode == 0o100600)
        let after = try client.status(root, "target")
        #expect(after.mode == 0o100640 && after.gid == 6 && after.size == 4)
        expectRefusal(.ENOENT) { try client.link(root, old, "again") }
    }

    @Test("a symbolic link's owner goes with it to another directory, and over another one's")
    func movedOwner() throws {
        _ = try client.makeDirectory(root, "a", mode: 0o755)
        _ = try client.makeDirectory(root, "b", mode: 0o755)
        let (a, b) = try (client.walk(root, "a"), client.walk(root, "b"))
        _ = try client.makeSymlink(a, "link", target: "x", gid: 5)
        _ = try client.makeSymlink(b, "link", target: "y", gid: 6)
        let replaced = try client.walk(b, "link")
        try client.rename(a, "link", to: b, "link")
        #expect(try client.status(b, "link").gid == 5)
        #expect(try client.readLink(client.walk(b, "link")) == "x")
        // Still there for who holds it.
        #expect(try client.getAttributes(replaced).gid == 6)
        try client.rename(root, "b", to: a, "c")
        #expect(try client.status(client.walk(root, ["a", "c"]), "link").gid == 5)
    }

    @Test("what the host moves out of the export stays usable by its fid, and leads nowhere from there")
    func movedOut() throws {
        try server.tree.makeDirectory("dir")
        try server.tree.makeDirectory("dir/inner")
        try server.tree.write("dir/inner/file", "text")
        try server.base.write("secret", "outside")
        let inner = try client.walk(root, ["dir", "inner"])
        let file = try client.walk(inner, "file")
        let open = try client.opened(inner, "file")
        try server.base.rename("tree/dir", to: "dir")
        #expect(try client.readAll(open) == Array("text".utf8))
        #expect(try client.getAttributes(file).size == 4)
        expectRefusal(.ESTALE) { try client.walk(inner, "..") }
        expectRefusal(.ESTALE) { try client.walk(inner, ["..", "..", "secret"]) }
        expectRefusal(.ESTALE) { try client.rename(file, to: root, "back") }
        expectRefusal(.ESTALE) { try client.remove(client.walk(inner, "file")) }
        #expect(try server.base.read("dir/inner/file") == Array("text".utf8))
    }

    @Test("an attribute whose size changes while it is read is one of its values, whole")
    func attributeRace() throws {
        try server.tree.write("file", "text")
        let values = [String(repeating: "a", count: 10), String(repeating: "b", count: 1500)]
        let tree = server.tree
        try tree.setAttribute("file", "user.note", values[0])
        let state = Monitor((isDone: false, hasEnded: false))
        try startThread {
            while state.update({ !$0.isDone }) {
                for value in values { try? tree.setAttribute("file", "user.note", value) }
            }
            state.update { $0.hasEnded = true }
        }
        defer {
            state.update { $0.isDone = true }
            state.wait { $0.hasEnded ? () : nil }
        }
        let file = try client.walk(root, "file")
        var seen: Set<Int> = []
        for round in 0..<100_000 where round < 500 || seen.count < 2 {
            let value = try client.attribute(file, "user.note")
            try #require(values.contains { Array($0.utf8) == value })
            seen.insert(value.count)
        }
        #expect(seen.count == 2)
    }

    @Test("names that come and go while a directory is read: those that stay are there once, in every pass")
    func directoryRace() throws {
        let count = 300
        for index in 0..<count { try server.tree.write("stays-\(index)", "") }
        let state = Monitor((isDone: false, hasEnded: false))
        let tree = server.tree
        try startThread {
            var index = 0
            while state.update({ !$0.isDone }) {
                index += 1
                _ = try? tree.write("goes-\(index)", "")
                if index > 20 { tree.remove("goes-\(index - 20)") }
            }
            state.update { $0.hasEnded = true }
        }
        defer {
            state.update { $0.isDone = true }
            state.wait { $0.hasEnded ? () : nil }
        }
        let directory = try client.opened(root, ".")
        for _ in 0..<30 {
            var names: [String] = []
            var cookie: UInt64 = 0
            while true {
                let part = try client.readDirectory(directory, from: cookie, count: 600)
                guard let last = part.last else { break }
                cookie = last.cookie
                names += part.map(\.name).filter { $0.hasPrefix("stays-") }
            }
            #expect(names.count == count && Set(names).count == count)
        }
    }

    @Test("Tversion in mid-session, with a smaller msize: nothing stays open, and replies keep to it")
    func versionAgain() throws {
        try server.tree.write("file", [UInt8](repeating: 7, count: 100_000))
        let before = server.tree.openDescriptors
        let connection = try server.connectRaw()
        for msize in [1 << 20, 4096, 65_536, 5000] as [UInt32] {
            try connection.negotiate(msize: msize)
            try connection.attach()
            for fid in 1...50 as ClosedRange<UInt32> {
                let walk = hex("00000000") + littleEndian(fid) + [1, 0] + wireString("file")
                #expect(try connection.exchange(frame(110, tag: 1, walk))?[4] == 111)
                #expect(try connection.exchange(frame(12, tag: 1, littleEndian(fid) + hex("00000000")))?[4] == 13)
            }
            let reply = try connection.exchange(frame(116, tag: 1, hex("01000000 0000000000000000 ffffffff")))
            #expect(reply?.count == min(Int(msize), 100_011))
        }
        #expect(server.tree.openDescriptors >= before + 50)
        try connection.negotiate(msize: 8192)
        #expect(server.tree.openDescriptors <= before)
        // A frame of the old msize is too long for the new one.
        try connection.send(frame(118, tag: 1, [UInt8](repeating: 0, count: 9000)))
        #expect(try connection.receive() == nil)
    }

    @Test("hard links of a device with an owner: one file, whichever name goes")
    func linkedDevice() throws {
        _ = try client.makeNode(root, "null", mode: 0o020666, major: 1, minor: 3, gid: 5)
        let node = try client.walk(root, "null")
        _ = try client.makeDirectory(root, "dev", mode: 0o755)
        try client.link(client.walk(root, "dev"), node, "zero")
        try client.unlink(root, "null")
        let status = try client.status(client.walk(root, "dev"), "zero")
        #expect(status.mode == 0o020666 && status.gid == 5 && status.linkCount == 1 && status.device == 0x103)
        try client.set(node, .gid, gid: 6)
        #expect(try client.status(client.walk(root, "dev"), "zero").gid == 6)
        expectRefusal(.ENXIO) { try client.open(node) }
    }
}
