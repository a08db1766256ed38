import FakeRoot
import LinuxFiles
import TestSupport
import Testing

/// Labels of devices and setuid programs on files that everybody on the host may write to: earlier versions made such
/// files, and a developer's chmod does.
@Suite("Labels that everybody could have written") struct WithheldLabelTests {
    private static let kvm = NodeKind.character(major: 10, minor: 232)
    private static let disk = NodeKind.block(major: 8, minor: 0)

    /// An imported tree whose host modes are as an earlier version left them.
    private static func olderTree() throws -> TreeFixture {
        let fixture = try TreeFixture()
        for name in ["dev", "bin"] { try fixture.createDirectory(name) }
        let dev = try fixture.open(path: "dev")
        for (name, kind, gid, mode) in [("kvm", kvm, 104, 0o666), ("sda", disk, 6, 0o660)]
            as [(String, NodeKind, UInt32, UInt32)]
        {
            try fixture.tree.createSpecial(
                FileName(name),
                in: dev.raw,
                owner: Owner(uid: 0, gid: gid),
                permissions: mode,
                kind: kind
            )
        }
        try fixture.make("bin/su", "the program su", 0o4777)
        try fixture.make("bin/all", "a program", 0o777)
        let writer = try fixture.tree.makeManifestWriter()
        for path in ["", "bin", "bin/all", "bin/su", "dev", "dev/kvm", "dev/sda"] {
            let file = try fixture.open(path: path)
            try writer.append(fixture.entry(path, file.raw), of: file.raw)
        }
        try writer.commit()
        try fixture.host.setMode("dev/kvm", 0o666)
        try fixture.host.setMode("bin/su", 0o777)
        return fixture
    }

    private static func findings(_ path: String, _ fixture: TreeFixture) throws -> [LabelFinding] {
        let file = try fixture.open(path)
        return try fixture.tree.findings(of: file.raw, at: Array(path.utf8))
    }

    @Test("the import's list confirms them: an older tree's devices and programs are there")
    func confirmed() throws {
        let fixture = try Self.olderTree()
        for _ in 0..<2 {
            #expect(try fixture.look("dev/kvm") == "0:104 20666")
            #expect(try fixture.status("dev/kvm").kind == Self.kvm)
            #expect(try fixture.look("bin/su") == "0:0 104777")
            #expect(try fixture.reopened().look("dev/kvm") == "0:104 20666")
            // Once more when it is old enough to be remembered.
            sleep(milliseconds: 300)
        }
        let dev = try fixture.open("dev")
        #expect(try fixture.tree.kind(of: FileName("kvm"), in: dev.raw).kind == Self.kvm)
        #expect(try Self.findings("dev/kvm", fixture) == [])
        #expect(try Self.findings("bin/su", fixture) == [])
        // Looking changes nothing.
        #expect(try fixture.host.mode("dev/kvm") == 0o666)
        #expect(try TreeFixture(fixture.host, isReadOnly: true).look("dev/kvm") == "0:104 20666")
    }

    @Test("a change of one that is confirmed takes others' right to write away on the host")
    func changeOfConfirmed() throws {
        let fixture = try Self.olderTree()
        try fixture.change("dev/kvm", gid: 105)
        #expect(try fixture.look("dev/kvm") == "0:105 20666")
        #expect(try fixture.host.mode("dev/kvm") == 0o664)
        #expect(try fixture.hostLabel("dev/kvm") == "0:105:0666:char-10-232")
        #expect(try fixture.tree.manifestEntry(Array("dev/kvm".utf8))?.status.gid == 105)
        try fixture.change("bin/su", uid: 5)
        #expect(try fixture.look("bin/su") == "5:0 104777")
        #expect(try fixture.host.mode("bin/su") == 0o775)
        #expect(try fixture.reopened().look("bin/su") == "5:0 104777")
    }

    @Test("chmod 666 on the host and then a chmod by the board: an imported device stays one")
    func hostChmodOfImported() throws {
        let fixture = try Self.olderTree()
        try fixture.host.setMode("dev/sda", 0o666)
        #expect(try fixture.look("dev/sda") == "0:6 60666")
        try fixture.change("dev/sda", 0o660)
        #expect(try fixture.look("dev/sda") == "0:6 60660")
        #expect(try fixture.host.mode("dev/sda") == 0o660)
        #expect(try fixture.hostLabel("dev/sda") == "0:6:0660:block-8-0")
        #expect(try Self.findings("dev/sda", fixture) == [])
    }

    @Test(
        "a label that the list does not confirm is not believed, and no change of the board's destroys it",
        arguments: [
            "0:104:0666:char-10-233", "0:104:0666:block-10-232", "0:5:0666:char-10-232", "0:104:04666:char-10-232",
        ]
    )
    func unconfirmedDevice(_ text: String) throws {
        let fixture = try Self.olderTree()
        try fixture.setHostAttribute("user.containers.override_stat", "dev/kvm", text)
        #expect(try fixture.status("dev/kvm").kind == .file)
        let file = try fixture.open("dev/kvm")
        #expect(throws: Errno.EPERM) { try fixture.change("dev/kvm", 0o660) }
        #expect(throws: Errno.EPERM) { try fixture.change("dev/kvm", uid: 7) }
        let list = AccessControlList([
            .init(.owner, permissions: 6), .init(.user, permissions: 6, id: 1000), .init(.owningGroup, permissions: 4),
            .init(.mask, permissions: 6), .init(.other, permissions: 4),
        ])
        #expect(throws: Errno.EPERM) {
            try fixture.tree.setAttribute(
                "system.posix_acl_access",
                of: file.raw,
                to: try #require(list).attribute
            )
        }
        let findings = try Self.findings("dev/kvm", fixture)
        let bytes = Array(text.utf8)
        let label = try #require(bytes.withUnsafeBytes { Label(parsing: $0) })
        #expect(findings == [.notBelieved(.writableByEverybody(label))])
        #expect(throws: Errno.EPERM) { try fixture.tree.repair(file.raw, findings) }
        #expect(try fixture.hostLabel("dev/kvm") == text)
        #expect(try fixture.host.mode("dev/kvm") == 0o666)
        // A new capability does not change the label, and the list keeps its entry.
        try fixture.tree.setAttribute(
            "security.capability",
            of: file.raw,
            to: [1, 0, 0, 2] + [UInt8](repeating: 0, count: 16)
        )
        #expect(try fixture.hostLabel("dev/kvm") == text)
        #expect(try fixture.tree.manifestEntry(Array("dev/kvm".utf8))?.status.kind == Self.kvm)
        // The way that `check` tells.
        try run("chmod", "o-w", fixture.host.file("dev/kvm"))
        #expect(try fixture.status("dev/kvm").kind.isSpecial)
        try run("chmod", "o+w", fixture.host.file("dev/kvm"))
        try run("setfattr", "-x", "user.containers.override_stat", fixture.host.file("dev/kvm"))
        #expect(try fixture.status("dev/kvm").kind == Self.kvm)
    }

    @Test("a device that no import made: the label outlives a developer's chmod 666 and what the board tries")
    func unlistedDevice() throws {
        let fixture = try TreeFixture()
        try fixture.createSpecial("sda", Self.disk, 0o660)
        try fixture.host.setMode("sda", 0o666)
        #expect(try fixture.look("sda") == "0:0 100666")
        #expect(throws: Errno.EPERM) { try fixture.change("sda", 0o660) }
        #expect(try fixture.hostLabel("sda") == "0:0:0660:block-8-0")
        let label = Label(uid: 0, gid: 0, mode: 0o660, kind: Self.disk)
        #expect(try Self.findings("sda", fixture) == [.notBelieved(.writableByEverybody(label))])
        // As little does a mode under which the label can't be read.
        try fixture.host.setMode("sda", 0o002)
        _ = try fixture.status("sda")
        #expect(try fixture.hostLabel("sda")?.hasSuffix(":block-8-0") == true)
        try fixture.host.setMode("sda", 0o660)
        #expect(try fixture.status("sda").kind == Self.disk)
        try fixture.change("sda", 0o600)
        #expect(try fixture.look("sda") == "0:0 60600")
    }

    @Test("setuid is confirmed only with the import's content, and only where the import had it")
    func programs() throws {
        let fixture = try Self.olderTree()
        try fixture.host.write("bin/su", "the program s!", mode: 0o777)
        #expect(try fixture.look("bin/su") == "0:0 100777")
        try fixture.host.write("bin/su", "the program su", mode: 0o777)
        #expect(try fixture.look("bin/su") == "0:0 104777")
        try fixture.setHostAttribute("user.containers.override_stat", "bin/su", "0:0:06777:file")
        #expect(try fixture.look("bin/su") == "0:0 100777")
        try fixture.setHostAttribute("user.containers.override_stat", "bin/all", "0:0:04777:file")
        #expect(try fixture.look("bin/all") == "0:0 100777")
        // Of a plain file a change goes on.
        try fixture.change("bin/all", 0o755)
        #expect(try fixture.look("bin/all") == "0:0 100755")
        // The list has no entry for the path to which the file was moved on the host.
        try fixture.setHostAttribute("user.containers.override_stat", "bin/su", "0:0:04777:file")
        try fixture.host.rename("bin/su", to: "bin/other")
        #expect(try fixture.look("bin/other") == "0:0 100777")
    }
}
