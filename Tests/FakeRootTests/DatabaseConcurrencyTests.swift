@testable import FakeRoot
import Glibc
import LinuxFiles
import TestSupport
import Testing

/// Requests wait for no other process, and for no thread that does.
@Suite struct DatabaseConcurrencyTests {
    private let outer: TemporaryDirectory
    private let fixture: TreeFixture

    init() throws {
        outer = try TemporaryDirectory()
        try outer.makeDirectory("tree")
        fixture = try TreeFixture(outer.subdirectory("tree"))
    }

    /// The longest of many looks at a file, over some time: more than one of them looks for others' changes.
    private func longestLook(_ fixture: TreeFixture, _ name: String, seconds: Double = 0.7) throws -> Duration {
        var longest = Duration.zero
        let end = ContinuousClock.now + .seconds(seconds)
        while ContinuousClock.now < end {
            longest = max(longest, try ContinuousClock().measure { _ = try fixture.look(name) })
            sleep(milliseconds: 5)
        }
        return longest
    }

    /// A process that begins a transaction and keeps it.
    private func hold(_ begin: String, seconds: Int, _ database: String = ".tree.usb9pfs.db") throws -> RunningProgram {
        let ready = outer.file("ready")
        outer.remove("ready")
        let program = try RunningProgram([
            "sqlite3", outer.file(database), "\(begin);", ".shell touch \(ready); sleep \(seconds)",
            "COMMIT;",
        ])
        waitUntil { access(ready, F_OK) == 0 }
        return program
    }

    @Test func readerWaitedForAWriterThatWaitsForAnotherProcess() throws {
        try fixture.createSymlink("l", to: "x", uid: 5)
        let database = try #require(fixture.tree.metadata.database)
        let file = try fixture.with("l") { (file) throws(Errno) in try fixture.tree.handle(of: file) }
        let other = try hold("BEGIN IMMEDIATE", seconds: 2)
        let label = Label(uid: 6, gid: 0, mode: 0o777, kind: .symlink)
        try startThread { try? database.setLabel(file, label) }
        sleep(milliseconds: 100)
        var longest = Duration.zero
        for _ in 0..<100 {
            // A look for others' changes among them.
            var uid: UInt32?
            let time = try ContinuousClock().measure {
                _ = fixture.tree.metadata.holds
                uid = try database.label(file)?.uid
            }
            #expect(uid == 5)
            longest = max(longest, time)
            sleep(milliseconds: 5)
        }
        #expect(longest < .milliseconds(400), "\(longest)")
        _ = try other.wait()
        waitUntil { (try? database.label(file)?.uid) == 6 }
        #expect(try database.label(file)?.uid == 6)
    }

    /// Without shared memory whoever writes keeps readers out. Files without rows don't ask.
    @Test func lockedDatabaseWithoutALogStoppedAllRequests() throws {
        try outer.makeDirectory("other")
        try outer.write("other/plain", "")
        try outer.makeSymlink("other/l", to: "x")
        let top = try System.open("/", .path)
        let everything = try DirectoryID(of: top.raw)
        let server = try FakeRootTree(directory: outer.file("other"), avoiding: [everything])
        let link = try server.lookup(FileName("l"), in: server.root.raw)
        try server.change(link.raw, OwnerAndMode(uid: 5))
        #expect(server.metadata.database?.hasLog == false)
        let other = try hold("BEGIN EXCLUSIVE", seconds: 2, ".other.usb9pfs.db")
        var longest = Duration.zero
        for _ in 0..<100 {
            var uid: UInt32?
            let time = try ContinuousClock().measure {
                let file = try server.lookup(FileName("plain"), in: server.root.raw)
                uid = try server.status(of: file.raw).uid
            }
            #expect(uid == 0)
            longest = max(longest, time)
            sleep(milliseconds: 5)
        }
        #expect(longest < .milliseconds(500), "\(longest)")
        _ = try other.wait()
        #expect(try server.status(of: link.raw).uid == 5)
    }

    /// Another process keeps the parent locked, as an import does that finds a place for its database; and another tree's
    /// database has this one's name, and must not be looked at again and again.
    @Test func requestsWaitedForTheLockOfTheParent() throws {
        try outer.makeDirectory("other")
        try TreeFixture(outer.subdirectory("other")).createSymlink("l", to: "x", uid: 5)
        try outer.rename(".other.usb9pfs.db", to: ".tree.usb9pfs.db")
        try fixture.create("plain")
        let reopened = try fixture.reopened()
        let parent = try System.open(outer.path, [.readOnly, .directory])
        #expect(try System.tryLock(parent.raw))
        #expect(try longestLook(reopened, "plain") < .milliseconds(500))
        let time = ContinuousClock().measure { try? reopened.createSymlink("l", to: "x", uid: 6) }
        #expect(time < .milliseconds(1500), "\(time)")
        extendLifetime(parent)
    }

    @Test func anotherProcessRowsAreSeenBeforeAllAreReadAnew() throws {
        for index in 0..<50 { try fixture.createSymlink("l\(index)", to: "x") }
        try fixture.createSymlink("first", to: "x", uid: 9)
        let other = try fixture.reopened()
        for index in 0..<50 {
            #expect(try fixture.look("l\(index)") == "0:0 120777")
            try other.change("l\(index)", uid: 1000)
            sleep(milliseconds: 120)
            #expect(try fixture.look("l\(index)") == "1000:0 120777")
            if index == 10 { break }
        }
    }

    @Test func databaseMadeByAnotherProcessIsFound() throws {
        try fixture.create("plain")
        _ = try fixture.look("plain")
        let other = try fixture.reopened()
        try fixture.host.makeSymlink("l", to: "x")
        #expect(try fixture.look("l") == "0:0 120777")
        try other.change("l", uid: 1000)
        waitUntil { (try? fixture.look("l")) == "1000:0 120777" }
        #expect(try fixture.look("l") == "1000:0 120777")
    }

    /// Three system calls, a tenth of a second apart, while nothing changes beside the tree.
    @Test func treeWithoutADatabaseCostsNothing() throws {
        for index in 0..<300 { try outer.write(".n\(index).usb9pfs.db", "x") }
        try fixture.create("plain")
        let reopened = try fixture.reopened()
        _ = try reopened.look("plain")
        sleep(milliseconds: 200)
        _ = try reopened.look("plain")
        let time = try processorTime {
            for _ in 0..<20 {
                sleep(milliseconds: 11)
                _ = try reopened.look("plain")
            }
        }
        #expect(time < .milliseconds(20), "\(time)")
    }

    /// Tfsync of a file wrote its data to the disk, but not its label where that is a row.
    @Test func synchronizedFileHasItsLabelOnTheDisk() throws {
        try fixture.createSymlink("first", to: "x", uid: 5)
        try fixture.createSymlink("l", to: "x", uid: 5)
        let database = try #require(fixture.tree.metadata.database)
        #expect(database.hasUnsynchronizedChanges)
        try fixture.create("f")
        let file = try fixture.open("f")
        let opened = try fixture.tree.open(file.raw, .readWrite)
        try fixture.tree.synchronize(opened.raw, dataOnly: true)
        #expect(!database.hasUnsynchronizedChanges)
        try fixture.unlink("l")
        #expect(database.hasUnsynchronizedChanges)
    }
}
