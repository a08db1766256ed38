import FakeRoot
import LinuxFiles
import TestSupport
import Testing

/// A host's file system without user extended attributes, where the database holds everything: ramfs, as NFS before
/// 4.2 and User-mode Linux' hostfs are.
///
/// Only root can mount one: an ordinary user's run gets one that scripts/test has mounted.
@Suite(.serialized, .enabled(if: Ramfs.isPossible, "needs root, or a directory in USB9PFS_NO_XATTR_DIR"))
struct NoAttributesTests {
    private let ramfs: Ramfs
    private let fixture: TreeFixture

    init() throws {
        ramfs = try Ramfs()
        fixture = try TreeFixture(ramfs.tree)
    }

    @Test func isDetectedAndTold() throws {
        #expect(fixture.tree.storage == .database)
        #expect(try TreeFixture().tree.storage == .extendedAttributes)
        #expect(fixture.tree.databasePath == nil)
    }

    @Test func allKindsAndOwnersAreKept() throws {
        try fixture.create("f", uid: 1000, gid: 100, 0o4751)
        try fixture.create("plain", 0o644)
        try fixture.createDirectory("d", uid: 33, 0o1770)
        try fixture.createSpecial("s", .block(major: 8, minor: 1), 0o660)
        try fixture.createSymlink("l", to: "f", uid: 5, gid: 6)
        for tree in [fixture, try fixture.reopened()] {
            #expect(try tree.look("f") == "1000:100 104751")
            #expect(try tree.look("plain") == "0:0 100644")
            #expect(try tree.look("d") == "33:0 41770")
            #expect(try tree.look("s") == "0:0 60660")
            #expect(try tree.status("s").kind == .block(major: 8, minor: 1))
            #expect(try tree.look("l") == "5:6 120777")
            #expect(try tree.tree.kind(of: FileName("s"), in: tree.root).kind == .block(major: 8, minor: 1))
        }
        #expect(try rows() == 4)
        try fixture.change("f", uid: 0, gid: 0, 0o644)
        #expect(try fixture.look("f") == "0:0 100644")
        #expect(try rows() == 3)
        for name in ["f", "s", "l"] { try fixture.unlink(name) }
        try fixture.unlink("d", isDirectory: true)
        #expect(try rows() == 0)
    }

    private func rows() throws -> Int {
        var count = 0
        try fixture.tree.forEachLabelRow { (_, _) in count += 1 }
        return count
    }

    @Test func existingNameIsNotReplacedAndLeavesNoRow() throws {
        try fixture.create("f", uid: 1)
        #expect(throws: Errno.EEXIST) { try fixture.create("f", uid: 2) }
        #expect(throws: Errno.EEXIST) { try fixture.createDirectory("f", uid: 2) }
        #expect(throws: Errno.EEXIST) { try fixture.createSpecial("f", .pipe) }
        #expect(try rows() == 1)
        #expect(try fixture.host.names() == ["f"])
        #expect(try fixture.look("f") == "1:0 100644")
    }

    @Test func attributesAreKept() throws {
        try fixture.create("f")
        let file = try fixture.open("f")
        #expect(throws: Errno.ENODATA) { try fixture.tree.attribute("user.x", of: file.raw) }
        #expect(try fixture.tree.attributeNames(of: file.raw) == [])
        for name in ["user.x", "security.capability", "trusted.y"] {
            try fixture.tree.setAttribute(name, of: file.raw, to: Array(name.utf8))
        }
        try fixture.tree.setAttribute("user.big", of: file.raw, to: [UInt8](repeating: 7, count: 65_536))
        let other = try fixture.reopened()
        let same = try other.open("f")
        for name in ["user.x", "security.capability", "trusted.y"] {
            #expect(try other.tree.attribute(name, of: same.raw) == Array(name.utf8))
        }
        let names = try fixture.tree.attributeNames(of: file.raw).split(separator: 0).count
        #expect(names == 4)
        try fixture.tree.dropPrivileges(of: file.raw)
        #expect(throws: Errno.ENODATA) { try fixture.tree.attribute("security.capability", of: file.raw) }
    }

    @Test func developersChmodCounts() throws {
        try fixture.create("f", uid: 7, 0o4755)
        try fixture.host.setMode("f", 0o700)
        #expect(try fixture.look("f") == "7:0 104700")
        try fixture.host.setMode("f", 0)
        #expect(try fixture.look("f") == "7:0 104000")
        try fixture.openAndClose("f", .readWrite)
        #expect(try fixture.look("f") == "7:0 104000")
        try fixture.change("f", 0o2711)
        #expect(try fixture.look("f") == "7:0 102711")
        #expect(try fixture.reopened().look("f") == "7:0 102711")
    }

    @Test func fileMadeBehindTheServerIsRoots() throws {
        for round in 0..<20 {
            try fixture.create("f", uid: 7, 0o600)
            fixture.host.remove("f")
            try fixture.host.write("f", "new", mode: 0o644)
            #expect(try fixture.look("f") == "0:0 100644", "\(round)")
            fixture.host.remove("f")
        }
    }

    @Test func removedFileKeepsItsOwnerForWhoHasItOpen() throws {
        try fixture.create("f", uid: 7, 0o600)
        let file = try fixture.open("f")
        try fixture.unlink("f")
        #expect(try fixture.tree.status(of: file.raw).uid == 7)
        try fixture.tree.change(file.raw, OwnerAndMode(uid: 8))
        #expect(try fixture.tree.status(of: file.raw).uid == 8)
        #expect(try rows() == 0)
    }

    /// A rename to the same name does nothing; the server took it for the end of the directory that was there.
    @Test func directoryRenamedToItselfKeepsItsRow() throws {
        try fixture.createDirectory("d", uid: 7, 0o750)
        try fixture.rename("d", to: "d")
        #expect(try fixture.look("d") == "7:0 40750")
        try fixture.createDirectory("e", uid: 8, 0o700)
        try fixture.rename("d", to: "e")
        #expect(try fixture.look("e") == "7:0 40750")
        #expect(try rows() == 1)
    }

    /// Where there are no attributes the record is a file beside the database.
    @Test func emptiedDatabaseIsNoticed() throws {
        try fixture.create("f", uid: 7)
        let path = try #require(fixture.tree.databasePath)
        let tree = fixture.host.path
        let copy = try TemporaryDirectory()
        try run("sh", "-c", "cp \(path) \(copy.path)/whole; : > \(path); rm -f \(path)-wal \(path)-shm")
        let warnings = Warnings()
        #expect(throws: Errno.EIO) { _ = try FakeRootTree(directory: tree) { warnings.add($0) } }
        #expect(warnings.all.count == 1 && warnings.all[0].contains("was emptied"), "\(warnings.all)")
        try run("rm", path)
        #expect(throws: Errno.EIO) { _ = try FakeRootTree(directory: tree) }
        _ = try FakeRootTree(directory: tree, acceptsLoss: true)
        #expect(try fixture.reopened().look("f") == "0:0 100600" || fixture.reopened().look("f") == "0:0 100644")
    }

    @Test func lastRowsRemovalIsNoLoss() throws {
        try fixture.create("f", uid: 7)
        try fixture.unlink("f")
        #expect(try fixture.reopened().warnings.all == [])
    }

    @Test func lostRowComesBack() throws {
        try fixture.create("f", uid: 7, gid: 8, 0o640)
        let writer = try fixture.tree.makeManifestWriter()
        try fixture.with("f") { (file) throws(Errno) in try writer.append(fixture.entry("f", file), of: file) }
        try writer.commit()
        try fixture.replace("f", "new", 0o640)
        #expect(try fixture.look("f") == "7:8 100640")
    }
}
