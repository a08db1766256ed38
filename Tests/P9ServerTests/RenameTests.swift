import LinuxFiles
import P9Client
import P9Wire
import TestSupport
import Testing

@Suite("Rename, link, remove")
struct RenameTests {
    private let server: TestServer
    private let client: Client
    private let root: Fid

    init() throws {
        server = try TestServer()
        try server.tree.makeDirectory("a")
        try server.tree.makeDirectory("a/b")
        try server.tree.write("a/b/file", "text")
        try server.tree.makeDirectory("c")
        (client, root) = try server.attached()
    }

    @Test("fids beneath a renamed directory go on, and their .. is where they are now")
    func directoryRename() throws {
        let file = try client.walk(root, ["a", "b", "file"])
        let open = try client.opened(root, "a")
        let directory = try client.walk(root, ["a", "b"])
        let c = try client.walk(root, "c")
        try client.rename(root, "a", to: c, "moved")
        #expect(try client.getAttributes(file).size == 4)
        #expect(try client.readAll(client.opened(directory, "file")) == Array("text".utf8))
        try client.clunk(client.created(directory, "new"))
        #expect(try server.tree.names("c/moved/b") == ["file", "new"])
        #expect(try client.readDirectory(open).count == 3)
        let up = try client.walk(directory, ["..", ".."])
        #expect(try client.getAttributes(up).qid == client.getAttributes(c).qid)
        #expect(try client.getAttributes(client.walk(up, ["..", ".."])).qid == client.getAttributes(root).qid)
    }

    @Test("Trename moves the fid's file, wherever it is by then")
    func renameByFid() throws {
        let file = try client.walk(root, ["a", "b", "file"])
        let c = try client.walk(root, "c")
        try client.rename(file, to: c, "first")
        try server.tree.rename("c/first", to: "c/by-the-host")
        try client.rename(file, to: root, "second")
        #expect(try server.tree.names() == ["a", "c", "second"])
        #expect(try server.tree.names("c").isEmpty)
        expectRefusal(.EBUSY) { try client.rename(root, to: c, "root") }
        try client.unlink(root, "second")
        expectRefusal(.ENOENT) { try client.rename(file, to: root, "third") }
    }

    @Test("Trename and .. find their file while another session renames the directory above it all the time")
    func renameBelowRename() throws {
        let (file, directory) = try (client.walk(root, ["a", "b", "file"]), client.walk(root, ["a", "b"]))
        let state = Monitor((isWanted: true, isDone: false, count: 0))
        let server = server
        try startThread {
            if let (other, top) = try? server.attached() {
                var name = "a"
                while state.update({ $0.isWanted }) {
                    let new = name == "a" ? "x" : "a"
                    guard (try? other.rename(top, name, to: top, new)) != nil else { break }
                    state.update { $0.count += 1 }
                    name = new
                }
            }
            state.update { $0.isDone = true }
        }
        defer {
            state.update { $0.isWanted = false }
            state.wait { $0.isDone ? () : nil }
        }
        state.wait { $0.count > 0 || $0.isDone ? () : nil }
        for index in 0..<2000 {
            try client.rename(file, to: directory, "file-\(index)")
            try client.clunk(client.walk(directory, ".."))
        }
        #expect(state.update { $0.count } > 100)
    }

    @Test("a file whose name ends in \" (deleted)\" is what it is")
    func deletedSuffix() throws {
        try server.tree.write("file (deleted)", "text")
        let file = try client.walk(root, "file (deleted)")
        try client.rename(file, to: root, "moved")
        #expect(try server.tree.names().contains("moved"))
        try server.tree.write("gone", "1")
        try server.tree.write("gone (deleted)", "another")
        let gone = try client.walk(root, "gone")
        server.tree.remove("gone")
        #expect(throws: ClientError.self) { try client.rename(gone, to: root, "stolen") }
        #expect(throws: ClientError.self) { try client.remove(gone) }
        #expect(try server.tree.read("gone (deleted)") == Array("another".utf8))
    }

    @Test("Trenameat replaces, as rename(2)")
    func replace() throws {
        try server.tree.write("old", "old")
        try server.tree.write("new", "new")
        let replaced = try client.opened(root, "old", .readWrite)
        try client.rename(root, "new", to: root, "old")
        #expect(try server.tree.read("old") == Array("new".utf8))
        #expect(try client.readAll(replaced) == Array("old".utf8))
        expectRefusal(.EISDIR) { try client.rename(root, "old", to: root, "a") }
        expectRefusal(.ENOTDIR) { try client.rename(root, "c", to: root, "old") }
        expectRefusal(.ENOTEMPTY) { try client.rename(root, "c", to: root, "a") }
        expectRefusal(.EINVAL) { try client.rename(root, "a", to: client.walk(root, ["a", "b"]), "x") }
        expectRefusal(.ENOENT) { try client.rename(root, "none", to: root, "x") }
    }

    @Test("hard links: one file, one qid, a count of two; labels go with the file")
    func links() throws {
        let file = try client.created(root, "file", mode: 0o4755, gid: 5)
        try client.link(client.walk(root, "c"), file, "linked")
        let linked = try client.walk(root, ["c", "linked"])
        #expect(try client.getAttributes(linked) == client.getAttributes(file))
        #expect(try client.getAttributes(linked).linkCount == 2)
        expectRefusal(.EEXIST) { try client.link(root, file, "file") }
        expectRefusal(.EPERM) { try client.link(root, client.walk(root, "a"), "dir") }
        _ = try client.makeSymlink(root, "symlink", target: "nowhere")
        try client.link(root, client.walk(root, "symlink"), "symlink2")
        #expect(try client.readLink(client.walk(root, "symlink2")) == "nowhere")
        _ = try client.makeNode(root, "node", mode: 0o020600, major: 1, minor: 3)
        try client.link(root, client.walk(root, "node"), "node2")
        #expect(try client.status(root, "node2").mode == 0o020600)
        try client.unlink(root, "file")
        #expect(try client.getAttributes(linked).linkCount == 1)
        try client.unlink(client.walk(root, "c"), "linked")
        expectRefusal(.ENOENT) { try client.link(root, file, "again") }
    }

    @Test("Tunlinkat tells files from directories")
    func unlink() throws {
        try server.tree.write("file", "")
        expectRefusal(.EISDIR) { try client.unlink(root, "a") }
        expectRefusal(.ENOTDIR) { try client.unlink(root, "file", isDirectory: true) }
        expectRefusal(.ENOTEMPTY) { try client.unlink(root, "a", isDirectory: true) }
        expectRefusal(.ENOENT) { try client.unlink(root, "none") }
        try client.unlink(root, "file")
        try client.unlink(root, "c", isDirectory: true)
        #expect(try server.tree.names() == ["a"])
    }

    @Test("Tremove removes, and the fid is gone even when it can't", arguments: Link.oneAndMany)
    func remove(link: Link) throws {
        let server = try TestServer(link)
        try server.tree.makeDirectory("full")
        try server.tree.write("full/file", "")
        let (client, root) = try server.attached()
        let full = try client.walk(root, "full")
        expectRefusal(.ENOTEMPTY) { try client.remove(full) }
        expectRefusal(.EBADF) { try client.clunk(full) }
        let file = try client.opened(root, "full")
        try client.clunk(file)
        try client.remove(client.walk(root, ["full", "file"]))
        try client.remove(client.walk(root, "full"))
        #expect(try server.tree.names().isEmpty)
        let top = try client.walk(root, [String]())
        expectRefusal(.EBUSY) { try client.remove(top) }
        expectRefusal(.EBADF) { try client.clunk(top) }
    }

    @Test("an open file removed by Tremove takes its fid along")
    func removeOpen() throws {
        let file = try client.created(root, "file")
        try client.remove(file)
        expectRefusal(.EBADF) { try client.getAttributes(file) }
        expectRefusal(.ENOENT) { try client.walk(root, "file") }
    }
}

@Suite("A read-only export")
struct ReadOnlyTests {
    private let server: TestServer
    private let client: Client
    private let root: Fid

    init() throws {
        server = try TestServer(exports: ["rw": "rw"], isReadOnly: true)
        try server.tree.write("file", "text", mode: 0o644)
        try server.tree.makeDirectory("dir")
        try server.tree.setAttribute("file", "user.note", "x")
        try server.base.write("rw/file", "other")
        (client, root) = try server.attached()
    }

    @Test("every request that would change something is EROFS")
    func everyChange() throws {
        let before = try server.tree.status("file")
        let file = try client.walk(root, "file")
        let dir = try client.walk(root, "dir")
        for flags in [.writeOnly, .readWrite, .truncate, OpenFlags(rawValue: 3)] as [OpenFlags] {
            expectRefusal(.EROFS) { try client.open(client.walk(root, "file"), flags) }
        }
        expectRefusal(.EROFS) { try client.created(root, "new") }
        expectRefusal(.EROFS) { try client.created(root, "file", []) }
        expectRefusal(.EROFS) { try client.makeDirectory(root, "new", mode: 0o755) }
        expectRefusal(.EROFS) { try client.makeNode(root, "new", mode: 0o010644) }
        expectRefusal(.EROFS) { try client.makeSymlink(root, "new", target: "x") }
        expectRefusal(.EROFS) { try client.link(root, file, "new") }
        expectRefusal(.EROFS) { try client.rename(file, to: dir, "new") }
        expectRefusal(.EROFS) { try client.rename(root, "file", to: dir, "new") }
        expectRefusal(.EROFS) { try client.unlink(root, "file") }
        expectRefusal(.EROFS) { try client.unlink(root, "dir", isDirectory: true) }
        expectRefusal(.EROFS) { try client.setAttribute(file, "user.note", [1]) }
        expectRefusal(.EROFS) { try client.setAttribute(file, "user.note", [], flags: 2) }
        for valid in [.mode, .uid, .gid, .size, .accessTime, .modificationTime, []] as [SetattrMask] {
            expectRefusal(.EROFS) { try client.set(file, valid) }
        }
        let open = try client.opened(root, "file")
        expectRefusal(.EROFS) { try client.write(open, at: 0, [1]) }
        let removed = try client.walk(root, "file")
        expectRefusal(.EROFS) { try client.remove(removed) }
        expectRefusal(.EBADF) { try client.clunk(removed) }
        let after = try server.tree.status("file")
        #expect(before.changeTime == after.changeTime && before.mode == after.mode)
        #expect(try server.tree.names() == ["dir", "file"])
    }

    @Test("nothing moves or is linked into it, or out of it")
    func fromElsewhere() throws {
        let other = try client.attach(aname: "rw")
        let file = try client.walk(other, "file")
        expectRefusal(.EROFS) { try client.rename(other, "file", to: root, "new") }
        expectRefusal(.EROFS) { try client.rename(file, to: root, "new") }
        expectRefusal(.EROFS) { try client.link(root, file, "new") }
        expectRefusal(.EROFS) { try client.rename(root, "file", to: other, "new") }
        expectRefusal(.EROFS) { try client.link(other, client.walk(root, "file"), "new") }
        try client.clunk(client.created(other, "new"))
    }

    @Test("a mode that forbids reading to its owner stays as it is")
    func modesStay() throws {
        try server.tree.write("closed", "text", mode: 0o200)
        _ = try? client.opened(root, "closed")
        #expect(try server.tree.status("closed").mode & 0o7777 == 0o200)
    }

    @Test("reading, listing, locking and syncing work")
    func reading() throws {
        let file = try client.opened(root, "file")
        #expect(try client.readAll(file) == Array("text".utf8))
        #expect(try client.readDirectory(client.opened(root, ".")).count == 4)
        #expect(try client.attribute(file, "user.note") == Array("x".utf8))
        #expect(try client.lock(file, .write, start: 0, length: 0, processID: 1) == .success)
        try client.synchronize(file)
        #expect(try client.fileSystemStatus(root).blocks > 0)
    }
}
