import FakeRoot
import Glibc
import LinuxFiles
import TestSupport
import Testing

/// Files by a database's name that somebody has planted, swapped or damaged: never a write outside, never a hang, never
/// another tree's labels, and one clear line.
@Suite struct HostileDatabaseTests {
    private let outer: TemporaryDirectory
    private let database: String

    /// A tree whose link `l` belongs to user 5 by its database.
    init() throws {
        outer = try TemporaryDirectory()
        try outer.makeDirectory("tree")
        database = outer.file(".tree.usb9pfs.db")
        try TreeFixture(outer.subdirectory("tree")).createSymlink("l", to: "x", uid: 5)
    }

    private func shell(_ command: String) throws {
        let result = try run("sh", "-c", "cd \(outer.path) && \(command)")
        #expect(result.status == 0, "\(result.output)")
    }

    /// Opening the tree is refused with one line, fast, and nothing else is told.
    private func expectRefusal(_ reason: String) throws {
        let warnings = Warnings()
        let time = ContinuousClock().measure {
            #expect(throws: Errno.EIO) { _ = try FakeRootTree(directory: outer.file("tree")) { warnings.add($0) } }
        }
        #expect(time < .seconds(3), "\(time)")
        #expect(warnings.all.count == 1 && warnings.all[0].contains(reason), "\(warnings.all)")
    }

    @Test func linkInItsPlaceIsNotFollowed() throws {
        try shell("mv .tree.usb9pfs.db elsewhere && ln -s elsewhere .tree.usb9pfs.db")
        let before = try outer.read("elsewhere")
        try expectRefusal("is not a regular file")
        #expect(try outer.read("elsewhere") == before)
    }

    @Test(arguments: ["-wal", "-shm", "-journal"])
    func linkInThePlaceOfItsCompanionIsNotFollowed(_ suffix: String) throws {
        try outer.write("victim", "precious")
        try shell("ln -s victim .tree.usb9pfs.db\(suffix)")
        try expectRefusal("\(suffix) is not a regular file")
        #expect(try outer.read("victim") == Array("precious".utf8))
    }

    @Test(arguments: ["", "-wal", "-shm", "-journal"])
    func fifoInItsPlaceDoesNotBlock(_ suffix: String) throws {
        try shell("rm -f .tree.usb9pfs.db\(suffix) && mkfifo .tree.usb9pfs.db\(suffix)")
        try expectRefusal("is not a regular file")
    }

    @Test(arguments: ["", "-wal"])
    func hardLinkInItsPlaceIsNotWritten(_ suffix: String) throws {
        try outer.write("victim", "precious")
        if suffix.isEmpty {
            try shell("ln .tree.usb9pfs.db other")
        } else {
            try shell("ln victim .tree.usb9pfs.db-wal")
        }
        try expectRefusal("has several names")
        #expect(try outer.read("victim") == Array("precious".utf8))
    }

    @Test(.enabled(if: System.effectiveUser == 0, "only root gives files away"))
    func anotherUsersIsNotBelieved() throws {
        try shell("chown 4242 .tree.usb9pfs.db")
        try expectRefusal("belongs to another user")
    }

    @Test(arguments: [
        "CREATE VIEW v AS SELECT * FROM node", "CREATE TRIGGER t AFTER INSERT ON node BEGIN DELETE FROM manifest; END",
        "CREATE TABLE more (x)", "CREATE INDEX i ON node (uid)", "DROP INDEX manifest_handle", "DROP TABLE attribute",
        // What is asked for is a view that never ends.
        """
        DROP TABLE node; CREATE VIEW node AS WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r)
        SELECT x'00' AS handle, 0 AS uid, 0 AS gid, 0 AS mode, 'file' AS kind, 0 AS host_mode, NULL AS sum FROM r
        """,
    ])
    func otherTablesAreRefused(_ sql: String) throws {
        #expect(try run("sqlite3", database, sql).status == 0)
        try expectRefusal("other tables")
    }

    @Test func anotherVersionIsRefused() throws {
        #expect(try run("sqlite3", database, "PRAGMA user_version = 99").status == 0)
        try expectRefusal("version 99")
    }

    @Test func anotherTreesIsNotUsed() throws {
        try outer.makeDirectory("other")
        try run("ln", "-s", "x", outer.file("other/l"))
        try shell("cp .tree.usb9pfs.db .other.usb9pfs.db")
        let other = try TreeFixture(outer.subdirectory("other"))
        #expect(other.tree.databasePath == nil)
        #expect(try other.look("l") == "0:0 120777")
    }

    /// A rollback journal names a further file, which SQLite reads, and removes if it does not name this database.
    /// - Parameter isByDescriptor: the name is of the kind that our own files have.
    @Test(arguments: [false, true])
    func journalReachesNoOtherFile(isByDescriptor: Bool) throws {
        let path = try outer.write("victim", "precious")
        let held = try System.open(outer.path, .path)
        let victim = isByDescriptor ? "/proc/self/fd/\(held.raw)/victim" : path
        #expect(try run("sqlite3", database, "PRAGMA journal_mode = DELETE").status == 0)
        let size = try outer.read(".tree.usb9pfs.db").count
        let name = Array(victim.utf8)
        func big(_ number: Int) -> [UInt8] { (0..<4).map { UInt8(truncatingIfNeeded: number >> (24 - 8 * $0)) } }
        let magic: [UInt8] = [0xd9, 0xd5, 0x05, 0xf9, 0x20, 0xa1, 0x63, 0xd7]
        var journal = magic + big(0) + big(0) + big(size / 4096) + big(512) + big(4096)
        journal += [UInt8](repeating: 0, count: 512 - journal.count)
        journal += big(0x4000_0000 / 4096 + 1) + name + big(name.count) + big(name.reduce(0) { $0 + Int($1) }) + magic
        try outer.write(".tree.usb9pfs.db-journal", journal, mode: 0o600)
        _ = try? TreeFixture(outer.subdirectory("tree")).look("l")
        #expect(try outer.read("victim") == Array("precious".utf8))
    }

    /// In a directory that may be a part of a tree, as `p9serve stat etc/passwd` has it.
    @Test(arguments: [
        "head -c 100000 /dev/urandom > .etc.usb9pfs.db", "echo text > .etc.usb9pfs.db", "mkfifo .etc.usb9pfs.db",
        "ln -s .tree.usb9pfs.db .etc.usb9pfs.db", "mkdir .etc.usb9pfs.db",
        "sqlite3 .etc.usb9pfs.db 'CREATE TABLE t (x)'",
        "cp .tree.usb9pfs.db .etc.usb9pfs.db; dd if=/dev/zero of=.etc.usb9pfs.db bs=4096 seek=1 count=2 conv=notrunc",
    ])
    func plantedOneIsNoTree(_ command: String) throws {
        try outer.makeDirectory("etc")
        try outer.write("etc/passwd", "root")
        try shell(command)
        let time = try ContinuousClock().measure {
            #expect(!FakeRootTree.hasDatabase(directory: outer.file("etc")))
            let warnings = Warnings()
            let tree = try FakeRootTree(directory: outer.file("etc"), makesDatabase: false) { warnings.add($0) }
            let file = try tree.lookup(FileName("passwd"), in: tree.root.raw)
            #expect(try tree.status(of: file.raw).uid == 0)
            // Another tree's may be beside without a word.
            #expect(warnings.all.count == 1 || command.hasPrefix("cp"), "\(warnings.all)")
        }
        #expect(time < .seconds(3), "\(time)")
    }
}
