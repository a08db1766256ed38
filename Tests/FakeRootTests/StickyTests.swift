import FakeRoot
import LinuxFiles
import TestSupport
import Testing

/// The sticky bit was in the label only: other users of the host could rename and remove what isn't theirs in an
/// exported /tmp.
@Suite("The sticky bit of directories") struct StickyTests {
    @Test("the host's directory has it", arguments: [0o1777, 0o1770, 0o1755, 0o1000, 0o7777] as [UInt32])
    func onTheHost(_ mode: UInt32) throws {
        let fixture = try TreeFixture()
        for (name, uid) in [("a", UInt32(0)), ("b", 5)] {
            try fixture.createDirectory(name, uid: uid, mode)
            try fixture.createDirectory("changed-\(name)", uid: uid)
            try fixture.change("changed-\(name)", mode)
            for name in [name, "changed-\(name)"] {
                #expect(try fixture.host.mode(name) == mode & 0o1777 | 0o700)
                #expect(try fixture.status(name).permissions == mode)
            }
        }
        try fixture.change("b", 0o755)
        #expect(try fixture.host.mode("b") == 0o755)
        try fixture.create("file", 0o1644)
        #expect(try fixture.host.mode("file") == 0o644)
        #expect(try fixture.status("file").permissions == 0o1644)
    }

    @Test("the developer's chmod +t and -t count", arguments: [UInt32(0), 5])
    func chmod(_ uid: UInt32) throws {
        let fixture = try TreeFixture()
        try fixture.createDirectory("d", uid: uid, 0o1777)
        #expect(try run("chmod", "-t", fixture.host.file("d")).status == 0)
        #expect(try fixture.look("d") == "\(uid):0 40777")
        #expect(try run("chmod", "+t", fixture.host.file("d")).status == 0)
        #expect(try fixture.look("d") == "\(uid):0 41777")
        #expect(try run("chmod", "755", fixture.host.file("d")).status == 0)
        #expect(try fixture.look("d") == "\(uid):0 40755")
        try fixture.change("d", gid: 7)
        #expect(try fixture.look("d") == "\(uid):7 40755")
        #expect(try run("chmod", "+t", fixture.host.file("d")).status == 0)
        #expect(try fixture.look("d") == "\(uid):7 41755")
    }

    @Test("a tree of an older version: the bit that lacks on the host is nobody's chmod")
    func olderTree() throws {
        let fixture = try TreeFixture()
        try fixture.host.makeDirectory("d", mode: 0o777)
        try fixture.setHostAttribute("user.containers.override_stat", "d", "0:0:01777:dir")
        #expect(try fixture.look("d") == "0:0 41777")
        // A chmod of the other bits leaves it alone; the next change mirrors it.
        try fixture.host.setMode("d", 0o755)
        #expect(try fixture.look("d") == "0:0 41755")
        try fixture.change("d", uid: 5)
        #expect(try fixture.look("d") == "5:0 41755")
        #expect(try fixture.host.mode("d") == 0o1755)
        #expect(try run("chmod", "-t", fixture.host.file("d")).status == 0)
        #expect(try fixture.look("d") == "5:0 40755")
    }

    @Test("other tools read the mode of the label as before")
    func label() throws {
        let fixture = try TreeFixture()
        try fixture.createDirectory("d", uid: 5, 0o1777)
        let text = try #require(try fixture.label("d"))
        #expect(text == "5:0:001777:dir")
        #expect(Array(text.utf8).withUnsafeBytes { Label(parsing: $0)?.text } == "5:0:01777:dir")
    }

    @Test(
        "a neighbour can't rename what isn't theirs",
        .enabled(if: System.effectiveUser == 0 && isInstalled("setpriv"))
    )
    func neighbour() throws {
        let fixture = try TreeFixture()
        try fixture.createDirectory("tmp", 0o1777)
        try run("chmod", "755", fixture.host.path)
        try fixture.host.write("tmp/a", "x")
        func neighbour(_ command: String) throws -> CInt {
            let program = "cd \(fixture.host.file("tmp")) && \(command)"
            return try run("setpriv", "--reuid", "1001", "--regid", "1001", "--clear-groups", "sh", "-c", program)
                .status
        }
        try #require(neighbour("touch theirs") == 0, "the way there is closed to other users")
        #expect(try neighbour("mv a b") != 0)
        #expect(try neighbour("rm -f a") != 0)
        #expect(try fixture.look("tmp/a") == "0:0 100644")
    }
}
