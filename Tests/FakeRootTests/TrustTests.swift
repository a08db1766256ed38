import FakeRoot
import LinuxFiles
import TestSupport
import Testing

private let isRoot = System.effectiveUser == 0
private let labelName = "user.containers.override_stat"
private let capabilityName = "user.containers.override_security.capability"
private let capability: [UInt8] = [1, 0, 0, 2, 0, 0x20, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]
private let neighbour = "1001"

/// What other users of the host put into an exported directory, such as the board's /tmp.
@Suite("Files of other users of the host", .enabled(if: isRoot)) struct TrustTests {
    private func expectHarmless(_ name: String, _ mode: UInt32, in fixture: TreeFixture) throws {
        let status = try fixture.status(name)
        #expect(status.uid == 0 && status.gid == 0)
        #expect(status.mode == mode, "\(String(status.mode, radix: 8))")
        #expect(try fixture.tree.kind(of: FileName(name), in: fixture.root).kind == status.kind)
    }

    @Test(
        "a planted label says nothing",
        arguments: [
            "0:0:04755:file", "5:6:0640:file", "0:0:0666:block-8-0", "0:0:0666:char-1-1", "0:0:0600:pipe", "0:0:04755",
            "0:0:04755:file:0755",
        ]
    )
    func plantedLabel(_ label: String) throws {
        let fixture = try TreeFixture()
        try fixture.host.write("a", "", mode: 0o755)
        try fixture.setHostAttribute(labelName, "a", label)
        try run("chown", neighbour, fixture.host.file("a"))
        try expectHarmless("a", 0o100755, in: fixture)
        // Nor once it is old enough to be remembered.
        sleep(milliseconds: 300)
        for _ in 0..<3 { try expectHarmless("a", 0o100755, in: fixture) }
        let file = try fixture.open("a")
        let reasons = try fixture.tree.findings(of: file.raw, at: Array("a".utf8))
        #expect(reasons == [.notBelieved(.strangersFile(1001))])
        // It counts from when the file is ours.
        try run("chown", "0", fixture.host.file("a"))
        #expect(try fixture.look("a") != "0:0 100755")
    }

    @Test("the host's setuid and setgid bits, sticky of a file", arguments: [0o4755, 0o2755, 0o6755, 0o1755, 0o7777])
    func plantedSetuidBit(_ mode: UInt32) throws {
        let fixture = try TreeFixture()
        try fixture.host.write("a", "#!", mode: 0o755)
        try fixture.host.makeDirectory("d")
        try run("chown", neighbour, fixture.host.file("a"), fixture.host.file("d"))
        try fixture.host.setMode("a", mode)
        try fixture.host.setMode("d", mode)
        try expectHarmless("a", 0o100000 | mode & 0o777, in: fixture)
        try expectHarmless("d", 0o40000 | mode & 0o1777, in: fixture)
    }

    @Test("special nodes of the host are plain files, and are not opened", arguments: ["b 8 0", "c 1 1", "p"])
    func plantedNode(_ node: String) throws {
        let fixture = try TreeFixture()
        let words = node.split(separator: " ").map(String.init)
        let path = fixture.host.file("a")
        let made =
            words.count == 1
            ? try run("mkfifo", "-m", "666", path) : try run("mknod", "-m", "666", path, words[0], words[1], words[2])
        try #require(made.status == 0)
        try run("chown", neighbour, fixture.host.file("a"))
        try expectHarmless("a", 0o100666, in: fixture)
        #expect(throws: Errno.ENXIO) { try fixture.openAndClose("a", .readOnly) }
    }

    @Test("capabilities, ACLs and trusted attributes: not read, not listed, not written")
    func plantedAttributes() throws {
        let fixture = try TreeFixture()
        try fixture.create("a", 0o755)
        let file = try fixture.open("a")
        let list = AccessControlList([
            .init(.owner, permissions: 7), .init(.user, permissions: 7, id: 1000), .init(.owningGroup, permissions: 5),
            .init(.mask, permissions: 7), .init(.other, permissions: 5),
        ])
        let names = ["security.capability", "trusted.x", "system.posix_acl_access"]
        try fixture.tree.setAttribute(names[0], of: file.raw, to: capability)
        try fixture.tree.setAttribute(names[1], of: file.raw, to: [1])
        try fixture.tree.setAttribute(names[2], of: file.raw, to: try #require(list).attribute)
        try fixture.tree.setAttribute("user.mine", of: file.raw, to: [2])
        try run("chown", neighbour, fixture.host.file("a"))
        // chown(2) takes no user.* attributes away.
        try fixture.setHostAttribute(capabilityName, "a", "x")
        for name in names {
            #expect(throws: Errno.ENODATA) { try fixture.tree.attribute(name, of: file.raw) }
            #expect(throws: Errno.EPERM) { try fixture.tree.setAttribute(name, of: file.raw, to: capability) }
            #expect(throws: Errno.EPERM) {
                try fixture.tree.removeAttribute(Array(name.utf8).span.bytes, of: file.raw)
            }
        }
        #expect(try fixture.tree.attributeNames(of: file.raw) == Array("user.mine\0".utf8))
        #expect(try fixture.tree.attribute("user.mine", of: file.raw) == [2])
    }

    @Test("writing a label is EPERM, and leaves nothing behind")
    func changes() throws {
        let fixture = try TreeFixture()
        try fixture.host.write("a", "x", mode: 0o755)
        try fixture.host.makeSymlink("l", to: "a")
        try run("chown", "-h", neighbour, fixture.host.file("a"), fixture.host.file("l"))
        #expect(throws: Errno.EPERM) { try fixture.change("a", uid: 5) }
        #expect(throws: Errno.EPERM) { try fixture.change("a", 0o4755) }
        #expect(throws: Errno.EPERM) { try fixture.change("l", uid: 5) }
        #expect(fixture.host.attribute("a", labelName) == nil)
        #expect(try fixture.host.mode("a") == 0o755)
        #expect(fixture.tree.databasePath == nil)
        // Moving and removing it is a matter of the directory.
        try fixture.rename("a", to: "b")
        try fixture.unlink("b")
    }

    @Test("a row of the database is not believed either")
    func row() throws {
        let fixture = try TreeFixture()
        try fixture.createSymlink("l", to: "x", uid: 5)
        #expect(try fixture.look("l") == "5:0 120777")
        try run("chown", "-h", neighbour, fixture.host.file("l"))
        #expect(try fixture.look("l") == "0:0 120777")
        let link = try fixture.open("l")
        #expect(try fixture.tree.findings(of: link.raw, at: [0x6c]) == [.notBelieved(.strangersFile(1001))])
    }

    @Test("the import's list gives nothing to what somebody else has put in a file's place")
    func restoring() throws {
        let fixture = try TreeFixture()
        try fixture.createDirectory("bin", 0o1777)
        try fixture.make("bin/su", "the program su", 0o4755)
        let writer = try fixture.tree.makeManifestWriter()
        let file = try fixture.open(path: "bin/su")
        try writer.append(fixture.entry("bin/su", file.raw), of: file.raw)
        try writer.commit()
        try fixture.replace("bin/su", "the program su", 0o755, old: true)
        try run("chown", neighbour, fixture.host.file("bin/su"))
        #expect(try fixture.look("bin/su") == "0:0 100755")
        #expect(fixture.host.attribute("bin/su", labelName) == nil)
        try run("chown", "0", fixture.host.file("bin/su"))
        #expect(try fixture.look("bin/su") == "0:0 104755")
    }

    @Test("root serves a developer's tree: both are believed, a third is not")
    func ownerOfTheTree() throws {
        let directory = try TemporaryDirectory()
        for (name, owner) in [("root", "0"), ("developer", "1000"), ("stranger", neighbour)] {
            try directory.write(name, "x", mode: 0o755)
            try directory.setAttribute(name, labelName, "7:8:04755:file")
            try run("chown", owner, directory.file(name))
        }
        try run("chown", "1000", directory.path)
        let fixture = try TreeFixture(directory)
        #expect(try fixture.look("root") == "7:8 104755")
        #expect(try fixture.look("developer") == "7:8 104755")
        #expect(try fixture.look("stranger") == "0:0 100755")
        try fixture.change("developer", uid: 9)
        #expect(try fixture.look("developer") == "9:8 104755")
    }

    @Test("a FUSE file system in the tree says of its files what it likes", .enabled(if: StallingFileSystem.isPossible))
    func mount() throws {
        let fixture = try TreeFixture()
        let place = try TemporaryDirectory()
        let mounted = try StallingFileSystem(files: ["a"], directory: place)
        try mounted.setAttribute("a", labelName, "0:0:04755:file")
        try mounted.setMode("a", 0o755)
        // Another user's daemon could claim that the file is root's.
        let directory = try System.open(mounted.path, [.path, .directory])
        let file = try fixture.tree.lookup(FileName("a"), in: directory.raw)
        #expect(try fixture.tree.status(of: file.raw).mode == 0o100755)
        #expect(throws: Errno.EPERM) { try fixture.tree.change(file.raw, OwnerAndMode(uid: 1)) }
        let whole = try TreeFixture(mounted)
        #expect(try whole.look("a") == "0:0 104755")
    }
}

/// Who may write to a file may write its `user.*` attributes, even if the file is somebody else's.
@Suite("Files that everybody on the host may write to") struct WritableByEverybodyTests {
    @Test(
        "a label there gives no privileges",
        arguments: [
            ("0:0:04755:file", 0o100777), ("0:0:06777:file", 0o100777), ("0:0:0666:block-8-0", 0o100777),
            ("0:0:0777:char-1-1", 0o100777), ("0:0:0777:char-1-3", 0o020777), ("0:0:0777:pipe", 0o010777),
            ("5:6:0777:file", 0o100777),
        ] as [(String, UInt32)]
    )
    func plantedLabel(_ label: String, _ mode: UInt32) throws {
        let fixture = try TreeFixture()
        try fixture.create("a", 0o777)
        try fixture.setHostAttribute(labelName, "a", label)
        #expect(try fixture.status("a").mode == mode)
    }

    @Test("nor does a capability, and neither comes to life when the board closes the file", arguments: [false, true])
    func plantedCapability(_ hasLabel: Bool) throws {
        let fixture = try TreeFixture()
        try fixture.create("a", uid: hasLabel ? 5 : 0, 0o777)
        try fixture.setHostAttribute(capabilityName, "a", "planted")
        let file = try fixture.open("a")
        #expect(throws: Errno.ENODATA) { try fixture.tree.attribute("security.capability", of: file.raw) }
        #expect(try fixture.tree.attributeNames(of: file.raw) == [])
        try fixture.change("a", 0o755)
        #expect(throws: Errno.ENODATA) { try fixture.tree.attribute("security.capability", of: file.raw) }
        #expect(fixture.host.attribute("a", capabilityName) == nil)
    }

    @Test("the board's own privileges stay: others may not write on the host then")
    func ownPrivileges() throws {
        let fixture = try TreeFixture()
        try fixture.create("a", uid: 5, 0o666)
        for mode in [0o4777, 0o666, 0o6777, 0o777, 0o2757, 0o644] as [UInt32] {
            try fixture.change("a", mode)
            #expect(try fixture.status("a").permissions == mode)
            #expect(try fixture.reopened().status("a").permissions == mode)
            #expect(try fixture.host.mode("a") & 0o002 == (mode & 0o6000 == 0 ? mode & 0o002 : 0))
        }
        try fixture.createSpecial("disk", .block(major: 8, minor: 0), 0o666)
        #expect(try fixture.look("disk") == "0:0 60666")
        #expect(try fixture.host.mode("disk") == 0o664)
        let file = try fixture.open("a")
        try fixture.tree.setAttribute("security.capability", of: file.raw, to: capability)
        for mode in [0o777, 0o755, 0o777] as [UInt32] {
            try fixture.change("a", mode)
            #expect(try fixture.tree.attribute("security.capability", of: file.raw) == capability)
        }
        try fixture.tree.removeAttribute(Array("security.capability".utf8).span.bytes, of: file.raw)
        try fixture.change("a", 0o755)
        #expect(throws: Errno.ENODATA) { try fixture.tree.attribute("security.capability", of: file.raw) }
    }

    @Test("the devices of older trees that Linux gives to everybody stay devices; what doesn't is told by check")
    func olderTrees() throws {
        let fixture = try TreeFixture()
        for (name, label) in [
            ("null", "0:0:0666:char-1-3"), ("tty", "0:5:0666:char-5-0"), ("sda", "0:6:0660:block-8-0"),
        ] {
            try fixture.host.write(name, "", mode: name == "sda" ? 0o660 : 0o666)
            try fixture.setHostAttribute(labelName, name, label)
        }
        #expect(try fixture.look("null") == "0:0 20666")
        #expect(try fixture.look("tty") == "0:5 20666")
        #expect(try fixture.look("sda") == "0:6 60660")
        try fixture.host.write("su", "x", mode: 0o777)
        try fixture.setHostAttribute(labelName, "su", "0:0:04777:file")
        let file = try fixture.open("su")
        let label = Label(uid: 0, gid: 0, mode: 0o4777, kind: .file)
        #expect(try fixture.tree.findings(of: file.raw, at: []) == [.notBelieved(.writableByEverybody(label))])
        try fixture.change("su", 0o4777)
        #expect(try fixture.look("su") == "0:0 104777")
        #expect(try fixture.tree.findings(of: file.raw, at: []) == [])
    }
}
