import FakeRoot
import LinuxFiles
import TestSupport
import Testing

/// chown, chmod and extended attributes. Most of these mean something only where the tests don't run as root: then the
/// host's modes stand in the server's way, and the host's own chown is forbidden.
@Suite struct ChangeTests {
    @Test func chownKeepsTheModeAndChmodTheOwner() throws {
        let fixture = try TreeFixture()
        try fixture.create("a", 0o755)
        try fixture.change("a", uid: 1000)
        #expect(try fixture.label("a") == "1000:0:0755:file")
        try fixture.change("a", 0o4711)
        try fixture.change("a", gid: 20)
        #expect(try fixture.label("a") == "1000:20:04711:file")
        #expect(try fixture.hostStatus("a").mode == 0o100711)
    }

    @Test func labelGoesWhenNoLongerNeeded() throws {
        let fixture = try TreeFixture()
        try fixture.create("a", uid: 5, gid: 6, 0o444)
        try fixture.change("a", uid: 0, gid: 0)
        #expect(try fixture.label("a") == "0:0:0444:file")
        try fixture.change("a", 0o640)
        #expect(try fixture.label("a") == nil)
        #expect(try fixture.status("a").mode == 0o100640)
    }

    @Test func specialStaysSpecial() throws {
        let fixture = try TreeFixture()
        try fixture.createSpecial("s", .block(major: 8, minor: 1), 0o660)
        try fixture.change("s", gid: 6, 0o600)
        #expect(try fixture.label("s") == "0:6:0600:block-8-1")
        try fixture.change("s", gid: 0)
        #expect(try fixture.status("s").kind == .block(major: 8, minor: 1))
    }

    /// POSIX: a successful chown or chmod moves the change time, be the values new or not.
    @Test(
        arguments: [
            (nil, nil), (UInt32(0), nil), (7, nil), (nil, 0o644), (nil, 0o600), (nil, 0o4755),
        ] as [(UInt32?, UInt32?)]
    )
    func changeTimeMoves(_ uid: UInt32?, _ permissions: UInt32?) throws {
        let fixture = try TreeFixture()
        for (name, owner) in [("unlabelled", UInt32(0)), ("labelled", 7)] {
            try fixture.create(name, uid: owner, 0o644)
            let before = try fixture.status(name).host.changeTime
            _ = try run("sleep", "0.02")
            try fixture.change(name, uid: uid, permissions)
            #expect(try fixture.status(name).host.changeTime != before, "\(name)")
        }
    }

    @Test func hostsReadOnlyFileCanBeWrittenAndStaysReadOnlyForTheBoard() throws {
        let fixture = try TreeFixture()
        try fixture.host.write("a", "old", mode: 0o444)
        let file = try fixture.with("a") { (file) throws(Errno) in try fixture.tree.open(file, .readWrite) }
        #expect(try System.write(file.raw, Array("new".utf8).span.bytes, at: 0) == 3)
        #expect(try fixture.status("a").mode == 0o100444)
        #expect(try fixture.host.read("a") == Array("new".utf8))
        try fixture.host.write("b", "old", mode: 0o444)
        try fixture.with("b") { (file) throws(Errno) in try fixture.tree.truncate(file, to: 1) }
        try fixture.with("b") { (file) throws(Errno) in try fixture.tree.setAttribute("user.x", of: file, to: [1]) }
        #expect(try fixture.status("b").mode == 0o100444)
    }

    /// `chmod 000` on the host made every request for the file fail: a label can't be read from it.
    @Test(arguments: [0o000, 0o200, 0o100] as [UInt32])
    func hostFileWithoutReadPermissionCanBeSeen(_ mode: UInt32) throws {
        let fixture = try TreeFixture()
        try fixture.host.write("a", "text", mode: mode)
        #expect(try fixture.status("a").permissions == mode)
        #expect(try fixture.status("a").permissions == mode)
        try fixture.openAndClose("a", .readOnly)
        try fixture.createSpecial("s", .pipe, 0o640)
        #expect(try run("chmod", "000", fixture.host.file("s")).status == 0)
        #expect(try fixture.status("s").kind == .pipe)
        try fixture.create("c", uid: 9, 0o640)
        try fixture.with("c") { (file) throws(Errno) in try fixture.tree.setAttribute("user.x", of: file, to: [1]) }
        #expect(try run("chmod", "000", fixture.host.file("c")).status == 0)
        let kept = try fixture.with("c") { (file) throws(Errno) in try fixture.tree.attribute("user.x", of: file) }
        #expect(kept == [1])
        #expect(try fixture.status("c").uid == 9)
    }

    /// The board is root: no mode of a directory keeps it out.
    @Test(arguments: [0o000, 0o400, 0o600, 0o500] as [UInt32])
    func hostDirectoryWithoutPermissionsCanBeUsed(_ mode: UInt32) throws {
        let fixture = try TreeFixture()
        try fixture.createDirectory("d")
        try fixture.host.write("d/a", "")
        #expect(try run("chmod", String(mode, radix: 8), fixture.host.file("d")).status == 0)
        let directory = try fixture.open("d")
        _ = try fixture.tree.lookup(FileName("a"), in: directory.raw)
        _ = try fixture.tree.kind(of: FileName("a"), in: directory.raw)
        _ = try fixture.tree.open(directory.raw, [.readOnly, .directory])
        let owner = Owner(uid: 0, gid: 0)
        _ = try fixture.tree.createFile(FileName("b"), in: directory.raw, owner: owner, permissions: 0o644)
        try fixture.tree.unlink(FileName("a"), in: directory.raw, isDirectory: false)
        #expect(try fixture.status("d").permissions == mode)
    }

    @Test func capabilitiesAndTrustedAttributesAreKept() throws {
        let fixture = try TreeFixture()
        try fixture.create("ping", 0o755)
        let file = try fixture.open("ping")
        let capability: [UInt8] = [1, 0, 0, 2, 0, 0x20, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]
        try fixture.tree.setAttribute("security.capability", of: file.raw, to: capability)
        try fixture.tree.setAttribute("trusted.overlay.opaque", of: file.raw, to: [0x79])
        try fixture.tree.setAttribute("user.mine", of: file.raw, to: [])
        #expect(try fixture.tree.attribute("security.capability", of: file.raw) == capability)
        #expect(try fixture.tree.attribute("user.mine", of: file.raw) == [])
        #expect(
            try fixture.hostAttribute("user.containers.override_security.capability", "ping") == capability
        )
        let names = try fixture.tree.attributeNames(of: file.raw).split(separator: 0)
            .map { String(decoding: $0, as: UTF8.self) }
        #expect(names.sorted() == ["security.capability", "trusted.overlay.opaque", "user.mine"])
        try fixture.tree.removeAttribute(Array("security.capability".utf8).span.bytes, of: file.raw)
        #expect(throws: Errno.ENODATA) { try fixture.tree.attribute("security.capability", of: file.raw) }
    }

    @Test(arguments: [
        "user.containers.override_stat", "user.containers.override_security.capability", "user.virtfs.uid",
        "user.rsync.%stat", "user.rootlesscontainers", "user.containers.override_",
    ])
    func metadataNamesAreHidden(_ name: String) throws {
        let fixture = try TreeFixture()
        try fixture.create("a", uid: 5)
        if name != "user.containers.override_" { try fixture.setHostAttribute(name, "a", "0:0:04755:file") }
        let file = try fixture.open("a")
        #expect(throws: Errno.ENODATA) { try fixture.tree.attribute(name, of: file.raw) }
        #expect(throws: Errno.EPERM) { try fixture.tree.setAttribute(name, of: file.raw, to: [1]) }
        #expect(throws: Errno.EPERM) {
            try fixture.tree.removeAttribute(Array(name.utf8).span.bytes, of: file.raw)
        }
        let names = String(decoding: try fixture.tree.attributeNames(of: file.raw), as: UTF8.self)
        #expect(!names.contains(name))
    }

    @Test func unknownClassesAndBadNamesAreRefused() throws {
        let fixture = try TreeFixture()
        try fixture.create("a")
        let file = try fixture.open("a")
        for name in ["system.nfs4_acl", "btrfs.compression", "nodot", ""] {
            #expect(throws: Errno.EOPNOTSUPP) { try fixture.tree.setAttribute(name, of: file.raw, to: [1]) }
        }
        let long = "security." + String(repeating: "x", count: 247)
        #expect(throws: Errno.ERANGE) { try fixture.tree.setAttribute(long, of: file.raw, to: [1]) }
        #expect(throws: Errno.E2BIG) {
            try fixture.tree.setAttribute("user.x", of: file.raw, to: [UInt8](repeating: 0, count: 65_537))
        }
    }
}
