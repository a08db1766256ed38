import FakeRoot
import Glibc
import LinuxFiles
import TestSupport
import Testing

/// What went wrong once where two parties work on one tree, or a developer's tools between them.
@Suite struct MetadataRaceTests {
    private static func list(_ fixture: TreeFixture, _ paths: [String]) throws {
        let writer = try fixture.tree.makeManifestWriter()
        for path in paths {
            let file = try fixture.open(path: path)
            try writer.append(fixture.entry(path, file.raw), of: file.raw)
        }
        try writer.commit()
    }

    @Test func setuidThatTheBoardTookAwayFromACopyStaysAway() throws {
        let fixture = try TreeFixture()
        try fixture.createDirectory("bin")
        try fixture.make("bin/su", "the program su", 0o4755)
        try Self.list(fixture, ["", "bin", "bin/su"])
        let path = fixture.host.file("bin/su")
        // With its label, but another file.
        try run("sh", "-c", "cp -a \(path) \(path).new && mv \(path).new \(path)")
        #expect(try fixture.look("bin/su") == "0:0 104755")
        let file = try fixture.open(path: "bin/su")
        try fixture.tree.change(file.raw, OwnerAndMode(permissions: 0o755))
        try fixture.replace("bin/su", "the program su", 0o755)
        #expect(try fixture.look("bin/su") == "0:0 100755")
    }

    @Test func chmodOfADeveloperReachesTheAccessList() throws {
        let fixture = try TreeFixture()
        try fixture.create("a", 0o660)
        let file = try fixture.open("a")
        let list = try #require(
            AccessControlList([
                AccessControlList.Entry(.owner, permissions: 6),
                AccessControlList.Entry(.user, permissions: 6, id: 1000),
                AccessControlList.Entry(.owningGroup, permissions: 4), AccessControlList.Entry(.mask, permissions: 6),
                AccessControlList.Entry(.other, permissions: 0),
            ])
        )
        try fixture.tree.setAttribute("system.posix_acl_access", of: file.raw, to: list.attribute)
        try fixture.host.setMode("a", 0o640)
        #expect(try fixture.look("a") == "0:0 100640")
        let now = try fixture.tree.attribute("system.posix_acl_access", of: file.raw)
        #expect(AccessControlList(attribute: now)?.modeBits == 0o640)
    }

    @Test func secondProcessChangesWhatTheFirstHasJustWritten() throws {
        let first = try TreeFixture()
        try first.createSymlink("other", to: "x", uid: 3)
        let second = try first.reopened()
        try first.createSymlink("l", to: "x", uid: 0)
        _ = try second.look("l")
        try first.change("l", uid: 1000)
        try second.change("l", gid: 5)
        #expect(try first.reopened().look("l") == "1000:5 120777")
    }

    @Test func oversizedAttributeLeavesTheHostsSetuidBit() throws {
        let fixture = try TreeFixture()
        try fixture.host.write("a", "x", mode: 0o4755)
        let file = try fixture.open("a")
        try fixture.tree.setAttribute("user.big", of: file.raw, to: [UInt8](repeating: 1, count: 60_000))
        #expect(try fixture.look("a") == "0:0 104755")
    }

    /// Another process' chown, seen by two requests at once after an idle time.
    @Test func ownerByAnotherProcessIsSeenInTheEnd() throws {
        let first = try TreeFixture()
        try first.createSymlink("other", to: "x", uid: 3)
        let second = try first.reopened()
        for index in 0..<5 {
            try first.createSymlink("l\(index)", to: "x")
            try second.change("l\(index)", uid: 1000)
            usleep(400_000)
            let looker = first
            try startThread { _ = try? looker.look("other") }
            for _ in 0..<50 { _ = try first.look("l\(index)") }
            usleep(300_000)
            _ = try first.look("other")
            #expect(try first.look("l\(index)") == "1000:0 120777")
        }
    }

    @Test func strangersDatabaseIsNotBelieved() throws {
        let outer = try TemporaryDirectory()
        try outer.makeDirectory("rootfs")
        do {
            let fixture = try TreeFixture(outer.subdirectory("rootfs"))
            try fixture.createSymlink("l", to: "x", uid: 5)
        }
        // Anybody may have written to it.
        try outer.setMode(".rootfs.usb9pfs.db", 0o666)
        let warnings = Warnings()
        #expect(throws: Errno.EIO) { _ = try FakeRootTree(directory: outer.file("rootfs")) { warnings.add($0) } }
        #expect(warnings.all.count == 1 && warnings.all[0].contains("may be written by others"), "\(warnings.all)")
        let tree = try FakeRootTree(directory: outer.file("rootfs"), acceptsLoss: true)
        #expect(tree.databasePath == nil)
        #expect(try TreeFixture(outer.subdirectory("rootfs")).look("l") == "0:0 120777")
    }
}
