import LinuxFiles
import P9Client
import P9Wire
import TestSupport
import Testing

@Suite("Twalk")
struct WalkTests {
    @Test("newfid in use is EBADF, and both fids stay what they were", arguments: Link.oneAndMany)
    func newfidInUse(link: Link) throws {
        let server = try TestServer(link)
        try server.tree.makeDirectory("a")
        try server.tree.makeDirectory("b")
        let (client, root) = try server.attached()
        let a = try client.walk(root, "a")
        let b = try client.walk(root, "b")
        let before = try (client.getAttributes(a).qid, client.getAttributes(b).qid)
        expectRefusal(.EBADF) { try client.rawWalk(a, to: b) }
        expectRefusal(.EBADF) { try client.rawWalk(root, to: b, "a") }
        expectRefusal(.EBADF) { try client.rawWalk(root, to: .none, "a") }
        #expect(try client.getAttributes(a).qid == before.0)
        #expect(try client.getAttributes(b).qid == before.1)
    }

    @Test("a walk in place moves the fid, or leaves it", arguments: Link.oneAndMany)
    func inPlace(link: Link) throws {
        let server = try TestServer(link)
        try server.tree.makeDirectory("a")
        try server.tree.makeDirectory("a/b")
        let (client, root) = try server.attached()
        let fid = try client.walk(root, [String]())
        let top = try client.getAttributes(fid).qid
        #expect(try client.rawWalk(fid, to: fid).count == 0)
        #expect(try client.rawWalk(fid, to: fid, "a", "none").count == 1)
        #expect(try client.getAttributes(fid).qid == top)
        expectRefusal(.ENOENT) { try client.rawWalk(fid, to: fid, "none") }
        #expect(try client.getAttributes(fid).qid == top)
        let walked = try client.rawWalk(fid, to: fid, "a", "b")
        #expect(try client.getAttributes(fid).qid == walked[1])
    }

    @Test("a partial walk gives the qids so far, and newfid stays unused", arguments: Link.oneAndMany)
    func partial(link: Link) throws {
        let server = try TestServer(link)
        try server.tree.makeDirectory("a")
        try server.tree.write("a/file", "")
        let (client, root) = try server.attached()
        let fid = client.newFid()
        let walked = try client.rawWalk(root, to: fid, "a", "none", "x")
        #expect(walked.count == 1)
        #expect(walked[0].kind == .directory)
        expectRefusal(.EBADF) { try client.getAttributes(fid) }
        // A file in the middle is a failure of the name after it.
        #expect(try client.rawWalk(root, to: fid, "a", "file", "x").count == 2)
        expectRefusal(.EBADF) { try client.clunk(fid) }
        #expect(try client.rawWalk(root, to: fid, "a", "file").count == 2)
        try client.clunk(fid)
    }

    @Test("the first name's error is the reply's")
    func firstName() throws {
        let server = try TestServer()
        try server.tree.write("file", "")
        let (client, root) = try server.attached()
        expectRefusal(.ENOENT) { try client.walk(root, "none") }
        let file = try client.walk(root, "file")
        expectRefusal(.ENOTDIR) { try client.rawWalk(file, to: client.newFid(), "x") }
        expectRefusal(.ENOTDIR) { try client.rawWalk(file, to: client.newFid(), "..") }
        expectRefusal(.ENOTDIR) { try client.rawWalk(file, to: client.newFid(), ".") }
    }

    @Test("no names from an open fid clone it, unopened", arguments: Link.oneAndMany)
    func cloneOfOpen(link: Link) throws {
        let server = try TestServer(link)
        try server.tree.write("file", "text")
        let (client, root) = try server.attached()
        for name in ["file", "."] {
            let fid = try client.opened(root, name)
            let clone = try client.walk(fid, [String]())
            #expect(try client.getAttributes(clone).qid == client.getAttributes(fid).qid)
            expectRefusal(.EBADF) { try client.read(clone, at: 0, count: 1) }
            try client.open(clone)
            try client.clunk(fid)
            try client.clunk(clone)
        }
        let file = try client.opened(root, "file")
        #expect(try client.rawWalk(file, to: file).count == 0)
        #expect(try client.readAll(file) == Array("text".utf8))
    }

    @Test("an open fid can't be walked in place")
    func openInPlace() throws {
        let server = try TestServer()
        try server.tree.makeDirectory("a")
        let (client, root) = try server.attached()
        let fid = try client.opened(root, ".")
        expectRefusal(.EBADF) { try client.rawWalk(fid, to: fid, "a") }
        #expect(try client.readDirectory(fid).count == 3)
    }

    @Test(".. goes up, and stops at the attach point", arguments: Link.oneAndMany)
    func dotDot(link: Link) throws {
        let server = try TestServer(link)
        try server.tree.makeDirectory("a")
        try server.tree.makeDirectory("a/b")
        let (client, root) = try server.attached()
        let top = try client.getAttributes(root).qid
        let a = try client.status(root, "a").qid
        let walked = try client.rawWalk(root, to: client.newFid(), "a", "b", "..", "..", "..", "..", ".", "a")
        #expect((0..<walked.count).map { walked[$0] }.suffix(6) == [a, top, top, top, top, a])
    }

    @Test("names are checked in one place", arguments: Link.oneAndMany)
    func names(link: Link) throws {
        let server = try TestServer(link)
        try server.tree.makeDirectory("a")
        try server.tree.write("a/b", "")
        try server.base.write("outside", "")
        let (client, root) = try server.attached()
        let longest = String(repeating: "n", count: 255)
        for name in ["", "a/b", "/", "/a", "a/", "../outside", "a\0", "\0"] {
            expectRefusal(.EINVAL, "\(name)") { try client.rawWalk(root, to: client.newFid(), name) }
            expectRefusal(.EINVAL, "\(name)") { try client.created(root, name) }
            expectRefusal(.EINVAL, "\(name)") { try client.makeDirectory(root, name, mode: 0o755) }
            expectRefusal(.EINVAL, "\(name)") { try client.makeSymlink(root, name, target: "x") }
            expectRefusal(.EINVAL, "\(name)") { try client.makeNode(root, name, mode: 0o10644) }
            expectRefusal(.EINVAL, "\(name)") { try client.unlink(root, name) }
            expectRefusal(.EINVAL, "\(name)") { try client.rename(root, "a", to: root, name) }
            expectRefusal(.EINVAL, "\(name)") { try client.rename(root, name, to: root, "c") }
            expectRefusal(.EINVAL, "\(name)") { try client.rename(client.walk(root, "a"), to: root, name) }
            expectRefusal(.EINVAL, "\(name)") { try client.link(root, client.walk(root, ["a", "b"]), name) }
        }
        for name in [".", ".."] {
            expectRefusal(.EINVAL, "\(name)") { try client.created(root, name) }
            expectRefusal(.EINVAL, "\(name)") { try client.makeDirectory(root, name, mode: 0o755) }
            expectRefusal(.EINVAL, "\(name)") { try client.unlink(root, name, isDirectory: true) }
            expectRefusal(.EINVAL, "\(name)") { try client.rename(root, "a", to: root, name) }
            expectRefusal(.EINVAL, "\(name)") { try client.rename(root, name, to: root, "c") }
        }
        expectRefusal(.ENAMETOOLONG) { try client.walk(root, longest + "n") }
        expectRefusal(.ENAMETOOLONG) { try client.created(root, longest + "n") }
        try client.clunk(client.created(root, longest))
        _ = try client.walk(root, longest)
        #expect(try server.base.names() == ["outside", "tree"])
    }

    @Test("a name may hold any byte but / and NUL")
    func anyBytes() throws {
        let server = try TestServer()
        let (client, root) = try server.attached()
        let name = (1...255).map { UInt8($0) }.filter { $0 != 0x2f }
        let request = Tlcreate(
            fid: try client.walk(root, [String]()),
            name: name.span.bytes,
            flags: .readWrite,
            mode: 0o644,
            gid: 0
        )
        _ = try client.call(request) { (body) throws(WireError) in try OpenReply(.rlcreate, decoding: body) }
        #expect(try client.walk(root, to: client.newFid(), [name]).count == 1)
    }

    @Test("sixteen names in one walk")
    func sixteen() throws {
        let server = try TestServer()
        var path = "d"
        try server.tree.makeDirectory(path)
        for _ in 1..<16 {
            path += "/d"
            try server.tree.makeDirectory(path)
        }
        let (client, root) = try server.attached()
        let fid = client.newFid()
        #expect(try client.walk(root, to: fid, Array(repeating: Array("d".utf8), count: 16)).count == 16)
        #expect(try client.getAttributes(fid).qid.path == server.tree.status(path).inode)
    }

    @Test("walking through a symbolic link's fid is ENOTDIR; the server follows none", arguments: Link.oneAndMany)
    func symlinks(link: Link) throws {
        let server = try TestServer(link)
        try server.base.write("secret", "outside")
        try server.tree.makeDirectory("dir")
        try server.tree.write("dir/file", "")
        try server.tree.makeSymlink("out", to: "../secret")
        try server.tree.makeSymlink("absolute", to: server.base.path)
        try server.tree.makeSymlink("inner", to: "dir")
        let (client, root) = try server.attached()
        for name in ["out", "absolute", "inner"] {
            let fid = client.newFid()
            let walked = try client.rawWalk(root, to: fid, name)
            #expect(walked[0].kind == .symlink)
            #expect(try client.getAttributes(fid).mode & 0o170000 == 0o120000)
            expectRefusal(.ENOTDIR) { try client.rawWalk(fid, to: client.newFid(), "file") }
            expectRefusal(.ENOTDIR) { try client.rawWalk(fid, to: client.newFid(), "..") }
            expectRefusal(.ELOOP) { try client.open(fid) }
            expectRefusal(.ELOOP) { try client.open(fid, .readWrite) }
            expectRefusal(.EINVAL) { try client.set(fid, .size) }
            #expect(try client.rawWalk(root, to: client.newFid(), name, "secret").count == 1)
            expectRefusal(.ELOOP) { try client.created(root, name, .readWrite) }
            expectRefusal(.EEXIST) { try client.created(root, name, [.readWrite, .exclusive]) }
            expectRefusal(.EEXIST) { try client.makeDirectory(root, name, mode: 0o755) }
        }
        #expect(try client.readLink(client.walk(root, "out")) == "../secret")
        #expect(try server.base.read("secret") == Array("outside".utf8))
    }

    @Test("an unknown fid is EBADF in every request", arguments: Link.oneAndMany)
    func unknownFid(link: Link) throws {
        let server = try TestServer(link)
        try server.tree.write("file", "")
        let (client, root) = try server.attached()
        let unknown = Fid(rawValue: 4711)
        expectRefusal(.EBADF) { try client.rawWalk(unknown, to: client.newFid()) }
        expectRefusal(.EBADF) { try client.clunk(unknown) }
        expectRefusal(.EBADF) { try client.remove(unknown) }
        expectRefusal(.EBADF) { try client.open(unknown) }
        expectRefusal(.EBADF) { try client.create(unknown, "x", [], mode: 0) }
        expectRefusal(.EBADF) { try client.read(unknown, at: 0, count: 1) }
        expectRefusal(.EBADF) { try client.write(unknown, at: 0, [1]) }
        expectRefusal(.EBADF) { try client.synchronize(unknown) }
        expectRefusal(.EBADF) { try client.getAttributes(unknown) }
        expectRefusal(.EBADF) { try client.set(unknown, .mode) }
        expectRefusal(.EBADF) { try client.fileSystemStatus(unknown) }
        expectRefusal(.EBADF) { try client.readLink(unknown) }
        expectRefusal(.EBADF) { try client.readDirectory(unknown) }
        expectRefusal(.EBADF) { try client.makeDirectory(unknown, "x", mode: 0) }
        expectRefusal(.EBADF) { try client.makeNode(unknown, "x", mode: 0o10644) }
        expectRefusal(.EBADF) { try client.makeSymlink(unknown, "x", target: "y") }
        expectRefusal(.EBADF) { try client.link(unknown, client.walk(root, "file"), "x") }
        expectRefusal(.EBADF) { try client.link(root, unknown, "x") }
        expectRefusal(.EBADF) { try client.rename(unknown, to: root, "x") }
        expectRefusal(.EBADF) { try client.rename(client.walk(root, "file"), to: unknown, "x") }
        expectRefusal(.EBADF) { try client.rename(unknown, "x", to: root, "x") }
        expectRefusal(.EBADF) { try client.rename(root, "x", to: unknown, "x") }
        expectRefusal(.EBADF) { try client.unlink(unknown, "x") }
        expectRefusal(.EBADF) { try client.attribute(unknown, "user.x") }
        expectRefusal(.EBADF) { try client.lock(unknown, .read, start: 0, length: 0, processID: 1) }
        expectRefusal(.EBADF) { try client.getLock(unknown, .read, start: 0, length: 0, processID: 1) }
    }

    @Test("requests on a file as if it were a directory are ENOTDIR")
    func notADirectory() throws {
        let server = try TestServer()
        try server.tree.write("file", "")
        let (client, root) = try server.attached()
        let file = try client.walk(root, "file")
        expectRefusal(.ENOTDIR) { try client.create(file, "x", [], mode: 0) }
        expectRefusal(.ENOTDIR) { try client.makeDirectory(file, "x", mode: 0) }
        expectRefusal(.ENOTDIR) { try client.makeNode(file, "x", mode: 0o10644) }
        expectRefusal(.ENOTDIR) { try client.makeSymlink(file, "x", target: "y") }
        expectRefusal(.ENOTDIR) { try client.link(file, client.walk(root, "file"), "x") }
        expectRefusal(.ENOTDIR) { try client.rename(root, "file", to: file, "x") }
        expectRefusal(.ENOTDIR) { try client.unlink(file, "x") }
        expectRefusal(.ENOTDIR) { try client.open(file, .directory) }
    }
}

@Suite("Confinement")
struct ConfinementTests {
    @Test(".. of a directory that the host moved out of the export is ESTALE", arguments: Link.oneAndMany)
    func movedOut(link: Link) throws {
        let server = try TestServer(link)
        try server.tree.makeDirectory("a")
        try server.tree.makeDirectory("a/b")
        try server.base.makeDirectory("elsewhere")
        try server.base.write("elsewhere/secret", "outside")
        let (client, root) = try server.attached()
        let b = try client.walk(root, ["a", "b"])
        let a = try client.walk(root, "a")
        try server.base.rename("tree/a", to: "elsewhere/a")
        for fid in [a, b] {
            expectRefusal(.ESTALE) { try client.rawWalk(fid, to: client.newFid(), "..") }
            expectRefusal(.ESTALE) { try client.rename(fid, to: root, "back") }
            expectRefusal(.ESTALE) { try client.remove(client.walk(fid, [String]())) }
        }
        // The fid itself is still the directory that it was.
        #expect(try client.getAttributes(b).mode & 0o170000 == 0o040000)
        #expect(try server.base.names("elsewhere") == ["a", "secret"])
    }

    @Test("an Rreaddir tells nothing of what is above the attach point")
    func dotDotEntry() throws {
        let server = try TestServer()
        try server.tree.makeDirectory("a")
        let (client, root) = try server.attached()
        let top = try client.getAttributes(root).qid
        let entries = try client.readDirectory(client.opened(root, "."))
        #expect(entries.filter { $0.name == ".." }.map(\.qid) == [top])
        let inner = try client.readDirectory(client.opened(root, "a"))
        #expect(inner.filter { $0.name == ".." }.map(\.qid) == [top])
        #expect(inner.filter { $0.name == "." }.map(\.qid) == [try client.status(root, "a").qid])
    }

    @Test("a directory that turns into a symbolic link isn't followed")
    func swapped() throws {
        let server = try TestServer()
        try server.base.makeDirectory("outside")
        try server.base.write("outside/secret", "outside")
        try server.tree.makeDirectory("dir")
        let (client, root) = try server.attached()
        let directory = try client.walk(root, "dir")
        try server.tree.rename("dir", to: "old")
        try server.tree.makeSymlink("dir", to: "../outside")
        expectRefusal(.ENOENT) { try client.walk(directory, "secret") }
        #expect(try client.rawWalk(root, to: client.newFid(), "dir", "secret").count == 1)
        try client.clunk(client.created(directory, "new"))
        #expect(try server.base.names("outside") == ["secret"])
        #expect(try server.tree.names("old") == ["new"])
    }

    @Test("a symbolic link that names its own /proc entry is only a link")
    func magicLinks() throws {
        let server = try TestServer()
        try server.tree.makeSymlink("self", to: "/proc/self/root")
        let (client, root) = try server.attached()
        #expect(try client.rawWalk(root, to: client.newFid(), "self", "etc").count == 1)
    }
}
