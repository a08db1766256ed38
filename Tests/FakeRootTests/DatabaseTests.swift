import FakeRoot
import LinuxFiles
import TestSupport
import Testing

/// Where the metadata database is, and what happens to it.
@Suite struct DatabaseTests {
    private static func fixture() throws -> (outer: TemporaryDirectory, tree: TreeFixture) {
        let outer = try TemporaryDirectory()
        try outer.makeDirectory("rootfs")
        return (outer, try TreeFixture(outer.subdirectory("rootfs")))
    }

    @Test func noneIsMadeForWhatTheHostCanSay() throws {
        let (outer, fixture) = try Self.fixture()
        try fixture.create("a", uid: 1000, 0o4755)
        try fixture.createDirectory("d", uid: 3, 0o1777)
        try fixture.createSpecial("s", .character(major: 1, minor: 3))
        try fixture.createSymlink("l", to: "a")
        try fixture.with("a") { (file) throws(Errno) in try fixture.tree.setAttribute("user.x", of: file, to: [1]) }
        try fixture.unlink("a")
        #expect(try outer.names() == ["rootfs"])
        #expect(fixture.tree.databasePath == nil)
    }

    @Test func liesBesideTheTreeAndIsFoundAgain() throws {
        let (outer, fixture) = try Self.fixture()
        try fixture.createSymlink("l", to: "a", uid: 5, gid: 6)
        #expect(fixture.tree.databasePath == outer.file(".rootfs.usb9pfs.db"))
        #expect(try fixture.host.names() == ["l"])
        #expect(try fixture.reopened().look("l") == "5:6 120777")
    }

    @Test func followsARenamedTree() throws {
        let (outer, fixture) = try Self.fixture()
        try fixture.createSymlink("l", to: "a", uid: 5, gid: 6)
        try outer.rename("rootfs", to: "other")
        // The old process has it open: it stays where it is, and both see it.
        let shared = try TreeFixture(outer.subdirectory("other"))
        #expect(try shared.look("l") == "5:6 120777")
        try shared.change("l", uid: 7)
        #expect(try fixture.look("l") == "7:6 120777")
    }

    @Test func isRenamedWithTheTreeWhenNobodyHasItOpen() throws {
        let (outer, fixture) = try Self.fixture()
        try fixture.createSymlink("l", to: "a", uid: 5, gid: 6)
        try outer.rename("rootfs", to: "other")
        try fixture.tree.followRename()
        #expect(fixture.tree.databasePath == outer.file(".other.usb9pfs.db"))
        #expect(try outer.names().filter { $0.hasPrefix(".rootfs") } == [])
        #expect(try fixture.look("l") == "5:6 120777")
        try fixture.change("l", uid: 9)
        #expect(try TreeFixture(outer.subdirectory("other")).look("l") == "9:6 120777")
    }

    /// `rm -r rootfs; mkdir rootfs`, or a tree that was moved to another directory.
    @Test func ofAnotherTreeIsNotUsedAndNotLost() throws {
        let (outer, fixture) = try Self.fixture()
        try fixture.createSymlink("l", to: "a", uid: 5, gid: 6)
        try outer.makeDirectory("elsewhere")
        try outer.rename("rootfs", to: "elsewhere/rootfs")
        try outer.makeDirectory("rootfs")
        try run("ln", "-s", "a", outer.file("rootfs/l"))
        do {
            let second = try TreeFixture(outer.subdirectory("rootfs"))
            #expect(second.tree.databasePath == nil)
            #expect(try second.look("l") == "0:0 120777")
        }
        try outer.rename("elsewhere/rootfs", to: "first")
        #expect(try TreeFixture(outer.subdirectory("first")).look("l") == "5:6 120777")
    }

    @Test func makesRoomWhereAnotherTreesIs() throws {
        let outer = try TemporaryDirectory()
        try outer.makeDirectory("rootfs")
        do {
            let first = try TreeFixture(outer.subdirectory("rootfs"))
            try first.createSymlink("l", to: "a", uid: 5, gid: 6)
        }
        try outer.makeDirectory("elsewhere")
        try outer.rename("rootfs", to: "elsewhere/rootfs")
        try outer.makeDirectory("rootfs")
        do {
            let second = try TreeFixture(outer.subdirectory("rootfs"))
            try second.createSymlink("l", to: "a", uid: 7, gid: 8)
            #expect(try second.reopened().look("l") == "7:8 120777")
        }
        try outer.rename("elsewhere/rootfs", to: "first")
        #expect(try TreeFixture(outer.subdirectory("first")).look("l") == "5:6 120777")
    }

    @Test(arguments: [0, 100, 5000])
    func damagedIsRefusedWithAReason(_ start: Int) throws {
        let (outer, fixture) = try Self.fixture()
        try fixture.createSymlink("l", to: "a", uid: 5, gid: 6)
        try fixture.tree.followRename()
        let path = try #require(fixture.tree.databasePath)
        var bytes = try outer.read(".rootfs.usb9pfs.db")
        for index in start..<min(bytes.count, start + 8000) { bytes[index] = 0xa5 }
        try outer.makeDirectory("copy")
        try run("cp", "-a", fixture.host.path, outer.file("copy/rootfs"))
        let warnings = Warnings()
        // A database that says it is this tree's, but is not whole.
        try outer.rename("rootfs", to: "whole")
        try outer.rename("whole", to: "rootfs")
        remove(path)
        try outer.write(".rootfs.usb9pfs.db", bytes)
        for suffix in ["-wal", "-shm"] { remove(path + suffix) }
        do throws(Errno) {
            let tree = try FakeRootTree(directory: fixture.host.path) { warnings.add($0) }
            // SQLite looks at a page when it needs it.
            #expect(try tree.databaseProblems() != [] || start >= 5000)
        } catch {
            #expect(error == .EIO)
            #expect(warnings.all.joined().contains(path))
        }
    }

    private func remove(_ path: String) { _ = try? run("rm", "-f", path) }

    @Test(arguments: [
        ("PRAGMA user_version = 3", "version 3"), ("PRAGMA application_id = 1", "is not a metadata database"),
    ])
    func laterVersionsAndForeignFilesAreRefused(_ sql: String, _ reason: String) throws {
        let (outer, fixture) = try Self.fixture()
        try fixture.createSymlink("l", to: "a", uid: 5, gid: 6)
        #expect(try run("sqlite3", outer.file(".rootfs.usb9pfs.db"), sql).status == 0)
        let warnings = Warnings()
        #expect(throws: Errno.EIO) { _ = try FakeRootTree(directory: fixture.host.path) { warnings.add($0) } }
        #expect(warnings.all.count == 1 && warnings.all[0].contains(reason), "\(warnings.all)")
    }

    @Test func textInItsPlaceIsRefused() throws {
        let outer = try TemporaryDirectory()
        try outer.makeDirectory("rootfs")
        try outer.write(".rootfs.usb9pfs.db", String(repeating: "not a database ", count: 1000))
        let warnings = Warnings()
        #expect(throws: Errno.EIO) { _ = try FakeRootTree(directory: outer.file("rootfs")) { warnings.add($0) } }
        #expect(warnings.all.count == 1 && warnings.all[0].contains("not a database"))
    }

    /// A process was killed between making the file and its tables.
    @Test func emptyFileIsFilled() throws {
        let (outer, fixture) = try Self.fixture()
        try outer.write(".rootfs.usb9pfs.db", "")
        try fixture.createSymlink("l", to: "a", uid: 5)
        #expect(try fixture.reopened().look("l") == "5:0 120777")
    }

    @Test(.enabled(if: System.effectiveUser != 0, "nothing is read-only for root"))
    func goesToTheUsersStateWhereTheParentIsReadOnly() throws {
        let outer = try TemporaryDirectory()
        try outer.makeDirectory("parent")
        try outer.makeDirectory("parent/rootfs")
        try outer.setMode("parent", 0o555)
        defer { try? outer.setMode("parent", 0o755) }
        let fixture = try TreeFixture(outer.subdirectory("parent/rootfs"))
        try fixture.createSymlink("l", to: "a", uid: 5)
        let path = try #require(fixture.tree.databasePath)
        #expect(path.contains("/usb9pfs/") && path.hasSuffix(".db"))
        #expect(try fixture.reopened().look("l") == "5:0 120777")
        for suffix in ["", "-wal", "-shm"] { remove(path + suffix) }
    }

    @Test func readOnlyTreeUsesItAndWritesNothing() throws {
        let (outer, fixture) = try Self.fixture()
        try fixture.createSymlink("l", to: "a", uid: 5)
        let reader = try TreeFixture(fixture.host, isReadOnly: true)
        #expect(try reader.look("l") == "5:0 120777")
        #expect(throws: Errno.EROFS) { try reader.change("l", uid: 6) }
        #expect(try outer.names().filter { !$0.hasPrefix(".rootfs") } == ["rootfs"])
    }
}
