import FakeRoot
import LinuxFiles
import TestSupport
import Testing

/// What Linux doesn't have, and no import or export can carry.
@Suite("Refusals") struct RefusalTests {
    private let fixture: TreeFixture

    init() throws {
        fixture = try TreeFixture()
    }

    @Test("the owner or group 4294967295", arguments: [(UInt32.max, UInt32(0)), (0, .max), (.max, .max)])
    func nobody(_ uid: UInt32, _ gid: UInt32) throws {
        #expect(throws: Errno.EINVAL) { try fixture.create("a", uid: uid, gid: gid) }
        #expect(throws: Errno.EINVAL) { try fixture.createDirectory("d", uid: uid, gid: gid) }
        #expect(throws: Errno.EINVAL) { try fixture.createSymlink("l", to: "x", uid: uid, gid: gid) }
        #expect(throws: Errno.EINVAL) {
            try fixture.tree.createSpecial(
                FileName("s"),
                in: fixture.root,
                owner: Owner(uid: uid, gid: gid),
                permissions: 0o600,
                kind: .pipe
            )
        }
        try fixture.create("b")
        try fixture.createSymlink("m", to: "x")
        for name in ["b", "m"] {
            #expect(throws: Errno.EINVAL) { try fixture.change(name, uid: uid, gid: gid) }
            #expect(throws: Errno.EINVAL) {
                try fixture.change(name, uid: uid == .max ? uid : nil, gid: gid == .max ? gid : nil)
            }
        }
        #expect(try fixture.host.names() == ["b", "m"])
        #expect(try fixture.look("b") == "0:0 100644")
    }

    @Test(
        "device numbers over 4095 and 1048575",
        arguments: [
            NodeKind.block(major: 4096, minor: 0), .character(major: 0, minor: 1 << 20),
            .character(major: .max, minor: .max),
        ]
    )
    func device(_ kind: NodeKind) throws {
        #expect(throws: Errno.EINVAL) { try fixture.createSpecial("a", kind) }
        #expect(try fixture.host.names() == [])
    }

    @Test(
        "a label that says so already is none, and check tells and removes it",
        arguments: [
            "4294967295:0:04755:file", "0:4294967295:0755:file", "4294967295:0:0755", "0:0:0600:char-4096-0",
            "0:0:0600:block-8-1048576",
        ]
    )
    func label(_ text: String) throws {
        try fixture.host.write("a", "", mode: 0o640)
        try fixture.setHostAttribute("user.containers.override_stat", "a", text)
        #expect(try fixture.look("a") == "0:0 100640")
        let file = try fixture.open("a")
        let found = try fixture.tree.findings(of: file.raw, at: [])
        #expect(found == [.malformed(Array(text.utf8))])
        try fixture.tree.repair(file.raw, found)
        #expect(try fixture.label("a") == nil)
    }

    @Test(
        "user.* on a FIFO, socket or device, as Linux",
        arguments: [
            NodeKind.pipe, .socket, .character(major: 1, minor: 3), .block(major: 8, minor: 0),
        ]
    )
    func userAttributeOfASpecial(_ kind: NodeKind) throws {
        try fixture.createSpecial("a", kind)
        // An older version let it through.
        try fixture.setHostAttribute("user.older", "a", "x")
        let file = try fixture.open("a")
        #expect(throws: Errno.EPERM) { try fixture.tree.setAttribute("user.x", of: file.raw, to: [1]) }
        #expect(throws: Errno.EPERM) {
            try fixture.tree.setAttribute("user.x", of: file.raw, to: [UInt8](repeating: 1, count: 60_000))
        }
        #expect(throws: Errno.EPERM) {
            try fixture.tree.removeAttribute(Array("user.older".utf8).span.bytes, of: file.raw)
        }
        #expect(throws: Errno.ENODATA) { try fixture.tree.attribute("user.older", of: file.raw) }
        #expect(try fixture.tree.attributeNames(of: file.raw) == [])
        try fixture.tree.setAttribute("security.x", of: file.raw, to: [1])
        #expect(try fixture.tree.attributeNames(of: file.raw) == Array("security.x\0".utf8))
        // An empty file is one.
        try fixture.create("b")
        let empty = try fixture.open("b")
        try fixture.tree.setAttribute("user.x", of: empty.raw, to: [1])
        #expect(try fixture.tree.attributeNames(of: empty.raw) == Array("user.x\0".utf8))
    }

    @Test("an attribute that is a class without a name", arguments: ["user.", "security.", "trusted."])
    func nameless(_ name: String) throws {
        try fixture.create("a")
        let file = try fixture.open("a")
        #expect(throws: Errno.EINVAL) { try fixture.tree.setAttribute(name, of: file.raw, to: [1]) }
    }

    /// A board set `user.usb9pfs.convert` on its root; afterwards all tools refused the tree.
    @Test(
        "this program's own notes are hidden",
        arguments: ["user.usb9pfs.convert", "user.usb9pfs.", "user.usb9pfs.x"]
    )
    func ownNotes(_ name: String) throws {
        for isRoot in [false, true] {
            try fixture.create("a\(isRoot)")
            let file = try isRoot ? System.open(fixture.host.path, [.path]) : fixture.open("afalse")
            if name != "user.usb9pfs." {
                try run("setfattr", "-n", name, "-v", "1", fixture.host.file(isRoot ? "." : "afalse"))
            }
            #expect(throws: Errno.ENODATA) { try fixture.tree.attribute(name, of: file.raw) }
            #expect(throws: Errno.EPERM) { try fixture.tree.setAttribute(name, of: file.raw, to: [1]) }
            #expect(throws: Errno.EPERM) {
                try fixture.tree.removeAttribute(Array(name.utf8).span.bytes, of: file.raw)
            }
            #expect(try fixture.tree.attributeNames(of: file.raw) == [])
            try fixture.tree.setAttribute("user.usb9pfs", of: file.raw, to: [1])
            try fixture.tree.removeAttribute(Array("user.usb9pfs".utf8).span.bytes, of: file.raw)
        }
    }

    /// A path from an archive reached the terminal raw.
    @Test func warningOfAReplacedProgramHasNoEscapeSequence() throws {
        try fixture.make("su\u{1b}[2J\u{202e}", "the program su", 0o4755)
        let writer = try fixture.tree.makeManifestWriter()
        let path = "su\u{1b}[2J\u{202e}"
        let file = try fixture.open(path: path)
        try writer.append(fixture.entry(path, file.raw), of: file.raw)
        try writer.commit()
        try fixture.replace(path, "another program", 0o755, old: true)
        _ = try fixture.open(path)
        #expect(fixture.warnings.all.count == 1)
        #expect(fixture.warnings.all.first?.hasPrefix(#"/su\x1b[2J\u{202e} was replaced"#) == true)
    }
}
