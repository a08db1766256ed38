import FakeRoot
import LinuxFiles
import TestSupport
import Testing

/// No board reaches a database: none lies beneath an exported directory, or it can't be touched there by its name.
@Suite struct DatabasePlaceTests {
    private let outer: TemporaryDirectory

    init() throws {
        outer = try TemporaryDirectory()
        try outer.makeDirectory("tree")
        try outer.makeDirectory("tree/home")
        try outer.makeSymlink("tree/home/l", to: "x")
    }

    private static func id(_ path: String) throws(Errno) -> DirectoryID {
        let directory = try System.open(path, [.path, .directory])
        return try DirectoryID(of: directory.raw)
    }

    /// `serve tree --export home=tree/home`.
    private func nested(_ warnings: Warnings = Warnings()) throws -> FakeRootTree {
        let exported = [try Self.id(outer.file("tree")), try Self.id(outer.file("tree/home"))]
        return try FakeRootTree(directory: outer.file("tree/home"), avoiding: exported) { warnings.add($0) }
    }

    private func setOwner(_ tree: FakeRootTree, _ uid: UInt32) throws {
        let link = try tree.lookup(FileName("l"), in: tree.root.raw)
        try tree.change(link.raw, OwnerAndMode(uid: uid))
    }

    private func owner(_ tree: FakeRootTree) throws -> UInt32 {
        let link = try tree.lookup(FileName("l"), in: tree.root.raw)
        return try tree.status(of: link.raw).uid
    }

    private func remove(_ path: String) {
        for suffix in ["", "-wal", "-shm"] { _ = try? run("rm", "-f", path + suffix) }
    }

    @Test func databaseOfNestedExportWasBeneathTheOuterOne() throws {
        let tree = try nested()
        try setOwner(tree, 5)
        let path = try #require(tree.databasePath)
        defer { remove(path) }
        #expect(!path.hasPrefix(outer.path) && path.contains("/usb9pfs/"))
        #expect(try outer.names("tree") == ["home"])
        // A process without the list of exports finds it.
        #expect(try owner(FakeRootTree(directory: outer.file("tree/home"))) == 5)
        #expect(try FakeRootTree(directory: outer.file("tree")).databasePath == nil)
    }

    @Test func oneThatLiesBeneathAnExportIsMovedOut() throws {
        try setOwner(FakeRootTree(directory: outer.file("tree/home")), 5)
        #expect(try outer.names("tree") == [".home.usb9pfs.db", "home"])
        let tree = try nested()
        let path = try #require(tree.databasePath)
        defer { remove(path) }
        #expect(try outer.names("tree") == ["home"])
        #expect(try owner(tree) == 5)
        try setOwner(tree, 6)
        #expect(try owner(nested()) == 6)
    }

    @Test func oneThatOthersHaveOpenStaysUntilTheyDoNot() throws {
        do {
            let other = try FakeRootTree(directory: outer.file("tree/home"))
            try setOwner(other, 5)
            #expect(try owner(nested()) == 5)
            #expect(try outer.names("tree").contains(".home.usb9pfs.db"))
        }
        let tree = try nested()
        #expect(try outer.names("tree") == ["home"])
        #expect(try owner(tree) == 5)
        remove(try #require(tree.databasePath))
    }

    /// `serve /`, or `serve $HOME`: there is no place outside.
    @Test func withoutAPlaceOutsideThereIsNoSharedMemory() throws {
        let everything = [try Self.id("/")]
        let tree = try FakeRootTree(directory: outer.file("tree/home"), avoiding: everything)
        try setOwner(tree, 5)
        #expect(try outer.names("tree") == [".home.usb9pfs.db", "home"])
        // Beside the server others work as usual.
        let other = try FakeRootTree(directory: outer.file("tree/home"))
        #expect(try owner(other) == 5)
        try setOwner(other, 6)
        #expect(try owner(FakeRootTree(directory: outer.file("tree/home"), mayRaiseModes: false)) == 6)
        #expect(try outer.names("tree") == [".home.usb9pfs.db", "home"])
        waitUntil { (try? owner(tree)) == 6 }
        #expect(try owner(tree) == 6)
    }

    @Test func sharedMemoryGoesWhereItWasBefore() throws {
        try setOwner(FakeRootTree(directory: outer.file("tree/home")), 5)
        let tree = try FakeRootTree(directory: outer.file("tree/home"), avoiding: [Self.id("/")])
        #expect(try owner(tree) == 5)
        #expect(try outer.names("tree") == [".home.usb9pfs.db", "home"])
    }

    /// In the state directory earlier releases called it HANDLE.db, which the board finds like any other file.
    @Test func nameOfAnEarlierReleaseIsNotLeftWhereClientsReachIt() throws {
        try setOwner(nested(), 5)
        let path = try #require(try nested().databasePath)
        let old = String(path.dropLast(".usb9pfs.db".count)) + ".db"
        #expect(try run("mv", path, old).status == 0)
        let tree = try FakeRootTree(directory: outer.file("tree/home"), avoiding: [Self.id("/")])
        let new = try #require(tree.databasePath)
        defer { remove(new) }
        #expect(new.hasSuffix(".usb9pfs.db") && (try? System.open(old, .path)) == nil, "\(new)")
        #expect(try owner(tree) == 5)
    }

    /// Whoever only looked took it away from the earlier release, for which all was root's then.
    @Test func firstVersionKeepsTheNameThatEarlierReleasesKnow() throws {
        try setOwner(nested(), 5)
        let new = try #require(try nested().databasePath)
        let old = String(new.dropLast(".usb9pfs.db".count)) + ".db"
        defer { for path in [new, old] { remove(path) } }
        #expect(try run("mv", new, old).status == 0)
        let sql = """
            ALTER TABLE node DROP COLUMN sum; ALTER TABLE attribute DROP COLUMN sum; ALTER TABLE manifest DROP COLUMN sum;
            PRAGMA user_version = 1
            """
        #expect(try run("sqlite3", old, sql).status == 0)
        for _ in 0..<2 {
            let tree = try nested()
            #expect(try owner(tree) == 5)
            #expect(tree.databasePath == old)
        }
        try setOwner(nested(), 6)
        let tree = try nested()
        #expect(try tree.databasePath == new && owner(tree) == 6)
    }

    @Test func twoDatabasesOfOneTreeAreTold() throws {
        try setOwner(nested(), 5)
        let new = try #require(try nested().databasePath)
        let old = String(new.dropLast(".usb9pfs.db".count)) + ".db"
        defer { for path in [new, old] { remove(path) } }
        #expect(try run("cp", new, old).status == 0)
        let sql = """
            ALTER TABLE node DROP COLUMN sum; ALTER TABLE attribute DROP COLUMN sum; ALTER TABLE manifest DROP COLUMN sum;
            PRAGMA user_version = 1; UPDATE node SET uid = 9
            """
        #expect(try run("sqlite3", old, sql).status == 0)
        func expect(_ used: String) throws {
            for _ in 0..<2 {
                let warnings = Warnings()
                let tree = try nested(warnings)
                #expect(try tree.databasePath == used && owner(tree) == 5)
                #expect(warnings.all.count == 1 && warnings.all[0].contains("\(used) is used"), "\(warnings.all)")
            }
        }
        try expect(new)
        #expect(try run("sh", "-c", "mv \(new) \(new)-x; mv \(old) \(new); mv \(new)-x \(old)").status == 0)
        try expect(old)
    }

    /// By (device, inode), not by the text of paths.
    @Test func exportUnderAnotherNameIsKnown() throws {
        try outer.makeSymlink("alias", to: "tree")
        let exported = [try Self.id(outer.file("alias"))]
        let tree = try FakeRootTree(directory: outer.file("tree/home"), avoiding: exported)
        try setOwner(tree, 5)
        let path = try #require(tree.databasePath)
        defer { remove(path) }
        #expect(!path.hasPrefix(outer.path))
    }

    @Test func databaseIsForItsOwnerAlone() throws {
        let tree = try FakeRootTree(directory: outer.file("tree/home"))
        try setOwner(tree, 5)
        for name in try outer.names("tree") where name.hasPrefix(".") {
            #expect(try outer.mode("tree/\(name)") == 0o600, "\(name)")
        }
    }

    @Test func laxModesOfEarlierReleasesAreTightened() throws {
        try setOwner(FakeRootTree(directory: outer.file("tree/home")), 5)
        try outer.setMode("tree/.home.usb9pfs.db", 0o644)
        _ = try FakeRootTree(directory: outer.file("tree/home"), mayRaiseModes: false)
        #expect(try outer.mode("tree/.home.usb9pfs.db") == 0o644)
        let tree = try FakeRootTree(directory: outer.file("tree/home"))
        #expect(try outer.mode("tree/.home.usb9pfs.db") == 0o600)
        #expect(try owner(tree) == 5)
    }

    /// The directory that a database lies in is renamed, and another one or a link takes its name.
    @Test func parentSwappedForALinkLeadsNowhere() throws {
        let tree = try FakeRootTree(directory: outer.file("tree/home"))
        try setOwner(tree, 5)
        try outer.makeDirectory("target")
        try outer.rename("tree", to: "moved")
        try outer.makeSymlink("tree", to: "target")
        for uid: UInt32 in 6..<20 { try setOwner(tree, uid) }
        #expect(try outer.names("target") == [])
        #expect(tree.databasePath == outer.file("moved/.home.usb9pfs.db"))
        #expect(try owner(FakeRootTree(directory: outer.file("moved/home"))) == 19)
    }

    @Test(arguments: [
        ".usb9pfs-new.1.2", ".tree.usb9pfs.db", "a.usb9pfs.db", ".usb9pfs.db", ".tree.usb9pfs.db.old",
        ".tree.usb9pfs.db-wal", ".tree.usb9pfs.db-shm", ".tree.usb9pfs.db-journal", ".tree.usb9pfs.db.old-journal",
        ".tree.usb9pfs.db-record", ".tree.usb9pfs.db-mj0123ABCD9", "0001ab.usb9pfs.db",
    ])
    func reservedNameDoesNotExist(_ name: String) throws {
        #expect(try FakeRootTree.isReservedName(FileName(name)))
        try outer.write("tree/\(name)", "mine")
        let fixture = try TreeFixture(outer.subdirectory("tree"))
        try fixture.create("f")
        #expect(throws: Errno.ENOENT) { try fixture.look(name) }
        #expect(throws: Errno.EINVAL) { try fixture.create(name) }
        #expect(throws: Errno.EINVAL) { try fixture.createDirectory(name) }
        #expect(throws: Errno.EINVAL) { try fixture.createSymlink(name, to: "/etc/passwd") }
        #expect(throws: Errno.EINVAL) { try fixture.createSpecial(name, .pipe) }
        #expect(throws: Errno.EINVAL) { try fixture.rename("f", to: name) }
        #expect(throws: Errno.ENOENT) { try fixture.rename(name, to: "g") }
        #expect(throws: Errno.ENOENT) { try fixture.unlink(name) }
        #expect(throws: Errno.EINVAL) {
            try fixture.with("f") { (file) throws(Errno) in
                try fixture.tree.link(file, as: FileName(name), in: fixture.root)
            }
        }
        #expect(try outer.read("tree/\(name)") == Array("mine".utf8))
    }

    @Test(arguments: ["a.db", "usb9pfs.db.txt", "a.usb9pfs.dbx", "a.usb9pfs.db-", "a.usb9pfs.db.old.old", "b", "x.db"])
    func otherNamesAreTheBoards(_ name: String) throws {
        #expect(try !FakeRootTree.isReservedName(FileName(name)))
    }

    @Test func directoryWithADatabaseInItIsNotEmpty() throws {
        try setOwner(FakeRootTree(directory: outer.file("tree/home")), 5)
        let fixture = try TreeFixture(outer.subdirectory("tree"))
        try outer.makeDirectory("tree/d")
        try outer.rename("tree/.home.usb9pfs.db", to: "tree/d/.x.usb9pfs.db")
        #expect(throws: Errno.ENOTEMPTY) { try fixture.unlink("d", isDirectory: true) }
        #expect(try outer.names("tree/d") == [".x.usb9pfs.db"])
    }
}
