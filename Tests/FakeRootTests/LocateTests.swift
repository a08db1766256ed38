import FakeRoot
import LinuxFiles
import TestSupport
import Testing

@Suite struct LocateTests {
    private func path(_ fixture: TreeFixture, _ descriptor: CInt) throws(Errno) -> String {
        _ = try fixture.tree.locate(descriptor, beneath: fixture.root)
        let root = try System.currentPath(of: fixture.root)
        return String(decoding: try System.currentPath(of: descriptor).dropFirst(root.count + 1), as: UTF8.self)
    }

    @Test func followsRenames() throws {
        let fixture = try TreeFixture()
        try fixture.create("a")
        try fixture.createDirectory("d")
        let file = try fixture.open("a")
        #expect(try path(fixture, file.raw) == "a")
        #expect(try run("mv", fixture.host.file("a"), fixture.host.file("d/b")).status == 0)
        #expect(try path(fixture, file.raw) == "d/b")
        #expect(try run("mv", fixture.host.file("d"), fixture.host.file("e")).status == 0)
        let place = try fixture.tree.locate(file.raw, beneath: fixture.root)
        #expect(place.name.hasPrefix("b") && place.name.count == 1)
        #expect(try System.status(of: place.directory.raw).inode == fixture.hostStatus("e").inode)
    }

    @Test func removedFileIsGone() throws {
        let fixture = try TreeFixture()
        try fixture.create("a")
        let file = try fixture.open("a")
        #expect(try run("rm", fixture.host.file("a")).status == 0)
        #expect(throws: Errno.ENOENT) { try path(fixture, file.raw) }
        // /proc shows "a (deleted)" for it, which may be another file's real name.
        try fixture.create("a (deleted)")
        #expect(throws: Errno.ESTALE) { try path(fixture, file.raw) }
        // And a file of that name that was not removed is found.
        let other = try fixture.open("a (deleted)")
        #expect(try path(fixture, other.raw) == "a (deleted)")
    }

    @Test func fileThatLeftTheTreeIsStale() throws {
        let fixture = try TreeFixture()
        let elsewhere = try TemporaryDirectory()
        try fixture.createDirectory("d")
        try fixture.host.write("d/a", "")
        let directory = try fixture.open("d")
        let file = try fixture.tree.lookup(FileName("a"), in: directory.raw)
        #expect(try run("mv", fixture.host.file("d"), elsewhere.path).status == 0)
        #expect(throws: Errno.ESTALE) { try path(fixture, file.raw) }
        #expect(throws: Errno.ESTALE) { try path(fixture, directory.raw) }
    }

    /// "/tree-2/a" begins with "/tree", and is not in it.
    @Test func neighbourWithTheSamePrefixIsNotInTheTree() throws {
        let outer = try TemporaryDirectory()
        #expect(try run("mkdir", outer.file("tree"), outer.file("tree-2")).status == 0)
        try outer.write("tree-2/a", "")
        let tree = try FakeRootTree(directory: outer.file("tree"))
        let file = try System.open(outer.file("tree-2/a"), .path)
        #expect(throws: Errno.ESTALE) { try tree.locate(file.raw, beneath: tree.root.raw).name.count }
    }

    @Test func treeMayBeRenamedWhileServed() throws {
        let outer = try TemporaryDirectory()
        #expect(try run("mkdir", outer.file("tree")).status == 0)
        try outer.write("tree/a", "")
        let tree = try FakeRootTree(directory: outer.file("tree"))
        let file = try tree.lookup(FileName("a"), in: tree.root.raw)
        #expect(try run("mv", outer.file("tree"), outer.file("new")).status == 0)
        #expect(try tree.locate(file.raw, beneath: tree.root.raw).name.count == 1)
    }
}
