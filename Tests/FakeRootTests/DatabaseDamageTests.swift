import FakeRoot
import Glibc
import LinuxFiles
import TestSupport
import Testing

/// Databases that lost their content, in whole or a byte of it.
@Suite struct DatabaseDamageTests {
    private let outer: TemporaryDirectory
    private let links = (0..<40).map { "l\($0)" }

    /// A tree with an import's list, whose links belong to users by its database; in one file.
    init() throws {
        outer = try TemporaryDirectory()
        try outer.makeDirectory("tree")
        let fixture = try TreeFixture(outer.subdirectory("tree"))
        for (index, name) in links.enumerated() { try fixture.createSymlink(name, to: "x", uid: UInt32(1000 + index)) }
        try fixture.make("su", "the program su", 0o4755)
        try fixture.with("su") { (file) throws(Errno) in
            try fixture.tree.setAttribute("user.big", of: file, to: [UInt8](repeating: 7, count: 50_000))
        }
        let writer = try fixture.tree.makeManifestWriter()
        for path in ["", "su"] + links {
            let file = try fixture.open(path: path)
            try writer.append(fixture.entry(path, file.raw), of: file.raw)
        }
        try writer.commit()
    }

    private func open(_ warnings: Warnings, checks: Bool = false) throws(Errno) -> FakeRootTree {
        try FakeRootTree(directory: outer.file("tree"), checksDatabase: checks) { warnings.add($0) }
    }

    private func expectLoss(_ reason: String) throws {
        for _ in 0..<2 {
            let warnings = Warnings()
            #expect(throws: Errno.EIO) { _ = try open(warnings) }
            #expect(warnings.all.count == 1, "\(warnings.all)")
            #expect(warnings.all.first?.contains(reason) ?? false, "\(warnings.all)")
            #expect(warnings.all.first?.contains("check --repair") ?? false)
        }
        _ = try FakeRootTree(directory: outer.file("tree"), acceptsLoss: true)
        _ = try open(Warnings())
    }

    @Test func emptiedFileIsNoticed() throws {
        try outer.write(".tree.usb9pfs.db", "")
        try expectLoss(".tree.usb9pfs.db was emptied: owners of at least 32 files and the import's list are lost")
    }

    @Test func missingFileIsNoticed() throws {
        outer.remove(".tree.usb9pfs.db")
        try expectLoss(".tree.usb9pfs.db is gone: owners of at least 32 files and the import's list are lost")
    }

    @Test func emptiedTablesAreNoticed() throws {
        let sql = "DELETE FROM node; DELETE FROM attribute"
        #expect(try run("sqlite3", outer.file(".tree.usb9pfs.db"), sql).status == 0)
        try expectLoss("owners of at least 32 files are lost")
    }

    @Test func emptiedDatabaseOfAnEarlierStartIsNoticed() throws {
        // The last row has gone by the board's own doing: nothing is lost.
        do {
            let fixture = try TreeFixture(outer.subdirectory("tree"))
            for name in links + ["su"] { try fixture.unlink(name) }
            #expect(outer.attribute("tree", "user.usb9pfs.db")?.contains(" 0 manifest") ?? false)
        }
        let fixture = try TreeFixture(outer.subdirectory("tree"))
        #expect(fixture.warnings.all == [])
        try fixture.createSymlink("new", to: "x", uid: 3)
        #expect(outer.attribute("tree", "user.usb9pfs.db")?.contains(" 1 manifest") ?? false)
    }

    /// The server went by what it had written itself: the tree was refused at its next start.
    @Test func rowsOfAnotherProcessThatAreRemovedHereAreNotLost() throws {
        func record() -> String? { outer.attribute("tree", "user.usb9pfs.db") }
        do {
            let server = try TreeFixture(outer.subdirectory("tree"))
            for name in links + ["su"] { try server.unlink(name) }
            let other = try TreeFixture(outer.subdirectory("tree"))
            for round in 0..<3 {
                try other.createSymlink("new", to: "x", uid: 5)
                #expect(record()?.contains(" 1 manifest") ?? false, "round \(round): \(record() ?? "none")")
                sleep(milliseconds: 150)
                try server.unlink("new")
                #expect(record()?.contains(" 0 manifest") ?? false, "round \(round): \(record() ?? "none")")
            }
        }
        let warnings = Warnings()
        _ = try open(warnings)
        #expect(warnings.all == [])
    }

    @Test func copyOfATreeHasLostNothing() throws {
        try run("cp", "-a", outer.file("tree"), outer.file("copy"))
        let warnings = Warnings()
        let tree = try FakeRootTree(directory: outer.file("copy")) { warnings.add($0) }
        #expect(tree.databasePath == nil)
        #expect(warnings.all.count == 1 && warnings.all[0].contains("copy of a tree"), "\(warnings.all)")
        #expect(try TreeFixture(outer.subdirectory("copy")).warnings.all == [])
    }

    /// Of every page several bytes: each flip is harmless, or told; a label is the right one, or none is given.
    @Test(.disabled(if: isQuick, "it takes seconds")) func flippedByteIsNeverAnotherLabel() throws {
        let whole = try outer.read(".tree.usb9pfs.db")
        let pageSize = 4096
        var generator = SystemRandomNumberGenerator()
        var offsets = Array(0..<72)
        for page in 0..<(whole.count / pageSize) {
            // The page's own head, which says where all is, and the rest.
            offsets += (0..<8).map { page * pageSize + $0 }
            offsets += (0..<10).map { _ in page * pageSize + Int.random(in: 12..<pageSize, using: &generator) }
            offsets += (1..<6).map { page * pageSize + pageSize - $0 * 17 }
        }
        var told = 0
        for offset in offsets {
            var bytes = whole
            bytes[offset] ^= 1 << UInt8.random(in: 0..<8, using: &generator)
            for suffix in ["-wal", "-shm", "-journal"] { unlink(outer.file(".tree.usb9pfs.db\(suffix)")) }
            try outer.write(".tree.usb9pfs.db", bytes, mode: 0o600)
            let warnings = Warnings()
            do throws(Errno) {
                let tree = try open(warnings, checks: true)
                for (index, name) in links.enumerated() {
                    do throws(Errno) {
                        let file = try tree.lookup(FileName(name), in: tree.root.raw)
                        let uid = try tree.status(of: file.raw).uid
                        #expect(uid == UInt32(1000 + index), "byte \(offset) of \(whole.count): \(name) is \(uid)'s")
                    } catch .EIO {
                        told += 1
                    }
                }
            } catch {
                #expect(error == .EIO && warnings.all.count == 1, "byte \(offset): \(error) \(warnings.all)")
                told += 1
            }
        }
        #expect(told > 30)
        try outer.write(".tree.usb9pfs.db", whole, mode: 0o600)
        #expect(try open(Warnings(), checks: true).databaseProblems() == [])
    }

    @Test(arguments: [100, 512, 4096, 10_000, 20_000])
    func truncatedFileIsNoticed(_ size: Int) throws {
        let whole = try outer.read(".tree.usb9pfs.db")
        try #require(size < whole.count)
        try outer.write(".tree.usb9pfs.db", Array(whole[..<size]), mode: 0o600)
        let warnings = Warnings()
        #expect(throws: Errno.EIO) { _ = try open(warnings, checks: true) }
        #expect(warnings.all.count == 1, "\(warnings.all)")
    }

    /// A value that SQLite has nothing against.
    @Test func ownerChangedInTheFileIsDamage() throws {
        let sql = "UPDATE node SET uid = 0 WHERE uid = 1007"
        #expect(try run("sqlite3", outer.file(".tree.usb9pfs.db"), sql).status == 0)
        let warnings = Warnings()
        #expect(throws: Errno.EIO) { _ = try open(warnings) }
        #expect(warnings.all.count == 1 && warnings.all[0].contains("makes no sense"), "\(warnings.all)")
        let whole = "UPDATE node SET sum = NULL"
        #expect(try run("sqlite3", outer.file(".tree.usb9pfs.db"), whole).status == 0)
        #expect(try TreeFixture(outer.subdirectory("tree")).look("l7") == "0:0 120777")
    }

    private static let firstVersion = """
        ALTER TABLE node DROP COLUMN sum; ALTER TABLE attribute DROP COLUMN sum; ALTER TABLE manifest DROP COLUMN sum;
        PRAGMA user_version = 1
        """

    /// A release without records changes such a database, or removes it: the tree was refused then.
    @Test(arguments: ["emptied", "gone"])
    func recordBesideAFirstVersionAccusesNobody(_ fate: String) throws {
        let database = outer.file(".tree.usb9pfs.db")
        #expect(try run("sqlite3", database, Self.firstVersion).status == 0)
        // One that is there from before doesn't count either.
        for _ in 0..<2 {
            #expect(try TreeFixture(outer.subdirectory("tree")).look("l3") == "1003:0 120777")
            #expect(outer.attribute("tree", "user.usb9pfs.db") == nil)
        }
        if fate == "gone" {
            outer.remove(".tree.usb9pfs.db")
        } else {
            #expect(
                try run(
                    "sqlite3",
                    database,
                    "DELETE FROM node; DELETE FROM attribute; DELETE FROM meta WHERE key = 'manifest'"
                ).status == 0
            )
        }
        let warnings = Warnings()
        _ = try open(warnings)
        #expect(warnings.all == [])
    }

    @Test func recordBeginsWithTheSecondVersion() throws {
        let database = outer.file(".tree.usb9pfs.db")
        #expect(try run("sqlite3", database, Self.firstVersion).status == 0)
        try TreeFixture(outer.subdirectory("tree")).change("l3", uid: 77)
        #expect(outer.attribute("tree", "user.usb9pfs.db")?.hasSuffix(" 1 manifest") ?? false)
        outer.remove(".tree.usb9pfs.db")
        try expectLoss("is gone: owners of at least 1 file and the import's list are lost")
    }

    /// `mv b sub/b` leaves the database behind.
    @Test func databaseLeftBehindByAMoveIsToBeMovedAlong() throws {
        try outer.makeDirectory("sub")
        try outer.rename("tree", to: "sub/tree")
        let warnings = Warnings()
        #expect(throws: Errno.EIO) { _ = try FakeRootTree(directory: outer.file("sub/tree")) { warnings.add($0) } }
        let hint = "move its database along: from beside its old place, where it is called .OLDNAME.usb9pfs.db, to "
        let text = warnings.all.first ?? ""
        #expect(text.contains("\(hint)\(outer.file("sub/.tree.usb9pfs.db"))"), "\(text)")
        try outer.rename(".tree.usb9pfs.db", to: "sub/.tree.usb9pfs.db")
        #expect(try TreeFixture(outer.subdirectory("sub/tree")).look("l3") == "1003:0 120777")
    }

    @Test func firstVersionIsReadAndBroughtUpToDateByAChange() throws {
        let database = outer.file(".tree.usb9pfs.db")
        #expect(try run("sqlite3", database, Self.firstVersion).status == 0)
        func version() throws -> String { try run("sqlite3", database, "PRAGMA user_version").output }
        do {
            let fixture = try TreeFixture(outer.subdirectory("tree"))
            #expect(try fixture.look("l3") == "1003:0 120777")
            #expect(try version() == "1\n")
            try fixture.change("l3", uid: 77)
            #expect(try fixture.look("l3") == "77:0 120777")
        }
        #expect(try version() == "2\n")
        let fixture = try TreeFixture(outer.subdirectory("tree"))
        #expect(try fixture.look("l3") == "77:0 120777" && fixture.look("l4") == "1004:0 120777")
        #expect(try fixture.tree.databaseProblems() == [])
    }
}

/// A disk without room, which is a small tmpfs.
@Suite(.enabled(if: System.effectiveUser == 0, "only root mounts"))
struct FullDiskTests {
    @Test func fullDiskIsThatRequestsErrorAndNothingElse() throws {
        let outer = try TemporaryDirectory()
        try outer.makeDirectory("disk")
        let mount = try run("mount", "-t", "tmpfs", "-o", "size=400k,mode=755", "none", outer.file("disk"))
        try #require(mount.status == 0, "\(mount.output)")
        defer { _ = try? run("umount", "-l", outer.file("disk")) }
        try outer.makeDirectory("disk/tree")
        let fixture = try TreeFixture(outer.subdirectory("disk/tree"))
        try fixture.createSymlink("kept", to: "x", uid: 5)
        try run("sh", "-c", "head -c 1000000 /dev/zero > \(outer.file("disk/filler"))")
        var failures: Set<Errno> = []
        for index in 0..<200 {
            do throws(Errno) { try fixture.createSymlink("l\(index)", to: "x", uid: 6) } catch {
                failures.insert(error)
            }
        }
        #expect(failures == [.ENOSPC], "\(failures)")
        #expect(try fixture.look("kept") == "5:0 120777")
        outer.remove("disk/filler")
        try fixture.createSymlink("after", to: "x", uid: 7)
        #expect(try fixture.look("after") == "7:0 120777")
        #expect(try fixture.reopened().look("kept") == "5:0 120777")
        #expect(try fixture.tree.databaseProblems() == [])
    }

    /// The shared memory beside the database found no room, and the tree was refused.
    @Test func treeIsOpenedWithoutRoom() throws {
        let outer = try TemporaryDirectory()
        try outer.makeDirectory("disk")
        let mount = try run("mount", "-t", "tmpfs", "-o", "size=400k,mode=755", "none", outer.file("disk"))
        try #require(mount.status == 0, "\(mount.output)")
        defer { _ = try? run("umount", "-l", outer.file("disk")) }
        try outer.makeDirectory("disk/tree")
        try TreeFixture(outer.subdirectory("disk/tree")).createSymlink("kept", to: "x", uid: 5)
        try run("sh", "-c", "head -c 1000000 /dev/zero > \(outer.file("disk/filler"))")
        for mayWrite in [false, true] {
            let tree = try FakeRootTree(
                directory: outer.file("disk/tree"),
                mayRaiseModes: mayWrite,
                checksDatabase: true
            )
            let link = try tree.lookup(FileName("kept"), in: tree.root.raw)
            #expect(try tree.status(of: link.raw).uid == 5)
            #expect(try tree.databaseProblems() == [])
            guard mayWrite else { continue }
            #expect(throws: Errno.ENOSPC) { try tree.change(link.raw, OwnerAndMode(uid: 6)) }
            #expect(try tree.status(of: link.raw).uid == 5)
            outer.remove("disk/filler")
            try tree.change(link.raw, OwnerAndMode(uid: 6))
            #expect(try tree.status(of: link.raw).uid == 6)
        }
        #expect(try TreeFixture(outer.subdirectory("disk/tree")).look("kept") == "6:0 120777")
    }
}
