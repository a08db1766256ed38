import FakeRoot
import LinuxFiles
import TestSupport
import Testing

/// Owners and attributes of symbolic links, which no host file system keeps for an ordinary user.
@Suite struct SymlinkTests {
    @Test func ownerIsKeptThroughRenameAndHardLink() throws {
        let fixture = try TreeFixture()
        try fixture.createSymlink("l", to: "target", uid: 1000, gid: 100)
        #expect(try fixture.look("l") == "1000:100 120777")
        try fixture.rename("l", to: "m")
        #expect(try fixture.look("m") == "1000:100 120777")
        try fixture.with("m") { (file) throws(Errno) in
            try fixture.tree.link(file, as: FileName("n"), in: fixture.root)
        }
        try fixture.unlink("m")
        #expect(try fixture.look("n") == "1000:100 120777")
        #expect(try fixture.hostStatus("n").format == .symlink)
    }

    @Test func canBeChangedAndGivenBackToRoot() throws {
        let fixture = try TreeFixture()
        try fixture.createSymlink("l", to: "target")
        let before = try fixture.status("l").host.changeTime
        _ = try run("sleep", "0.02")
        try fixture.change("l", uid: 7)
        #expect(try fixture.look("l") == "7:0 120777")
        #expect(try fixture.status("l").host.changeTime != before)
        try fixture.change("l", gid: 8)
        #expect(try fixture.look("l") == "7:8 120777")
        try fixture.change("l", uid: 0, gid: 0)
        #expect(try fixture.look("l") == "0:0 120777")
        #expect(try rows(fixture) == 0)
        #expect(throws: Errno.EOPNOTSUPP) { try fixture.change("l", 0o600) }
    }

    private func rows(_ fixture: TreeFixture) throws -> Int {
        var count = 0
        try fixture.tree.forEachLabelRow { (_, _) in count += 1 }
        return count
    }

    /// ext4 gives the number of a removed inode to the next file.
    @Test func ownerNeverMovesToAFileThatGetsTheInodeNumber() throws {
        let fixture = try TreeFixture()
        for round in 0..<50 {
            try fixture.createSymlink("l", to: "target", uid: 1000)
            let inode = try fixture.hostStatus("l").inode
            // Behind the server's back: the row stays.
            fixture.host.remove("l")
            try run("ln", "-s", "target", fixture.host.file("m"))
            let isReused = try fixture.hostStatus("m").inode == inode
            #expect(try fixture.look("m") == "0:0 120777")
            fixture.host.remove("m")
            if isReused, round > 3 { return }
        }
    }

    @Test func lastNameTakesTheRowAway() throws {
        let fixture = try TreeFixture()
        try fixture.createSymlink("a", to: "x", uid: 1)
        try fixture.createSymlink("b", to: "x", uid: 2)
        try fixture.createSymlink("c", to: "x", uid: 3)
        let open = try fixture.open("a")
        try fixture.unlink("a")
        #expect(try rows(fixture) == 2)
        // Whoever has it open still sees whose it is.
        #expect(try fixture.tree.status(of: open.raw).uid == 1)
        try fixture.rename("b", to: "c")
        #expect(try rows(fixture) == 1)
        #expect(try fixture.status("c").uid == 2)
    }

    @Test func existingNameIsNotReplacedAndNothingIsLeft() throws {
        let fixture = try TreeFixture()
        try fixture.host.write("a", "x")
        #expect(throws: Errno.EEXIST) { try fixture.createSymlink("a", to: "x", uid: 5) }
        #expect(try fixture.host.names() == ["a"])
        #expect(try rows(fixture) == 0)
    }

    @Test func otherProcessSeesAChangeSoon() throws {
        let fixture = try TreeFixture()
        try fixture.createSymlink("l", to: "x")
        _ = try run("sleep", "0.3")
        let other = try fixture.reopened()
        #expect(try other.look("l") == "0:0 120777")
        #expect(try other.look("l") == "0:0 120777")
        try fixture.change("l", uid: 5)
        _ = try run("sleep", "0.15")
        #expect(try other.look("l") == "5:0 120777")
        // Not only now: what was remembered meanwhile must not come back.
        _ = try run("sleep", "0.4")
        #expect(try other.look("l") == "5:0 120777")
    }

    @Test func trustedAndSecurityAttributesAreKept() throws {
        let fixture = try TreeFixture()
        try fixture.createSymlink("l", to: "x")
        let link = try fixture.open("l")
        #expect(throws: Errno.ENODATA) { try fixture.tree.attribute("security.selinux", of: link.raw) }
        try fixture.tree.setAttribute("security.selinux", of: link.raw, to: [1, 2])
        try fixture.tree.setAttribute("trusted.x", of: link.raw, to: [])
        #expect(try fixture.tree.attribute("security.selinux", of: link.raw) == [1, 2])
        #expect(try fixture.reopened().tree.attribute("trusted.x", of: link.raw) == [])
        let names = try String(decoding: fixture.tree.attributeNames(of: link.raw), as: UTF8.self)
        #expect(names == "security.selinux\0trusted.x\0")
        #expect(throws: Errno.EPERM) { try fixture.tree.setAttribute("user.x", of: link.raw, to: [1]) }
        #expect(throws: Errno.EOPNOTSUPP) {
            try fixture.tree.setAttribute("system.posix_acl_access", of: link.raw, to: [1])
        }
    }
}
