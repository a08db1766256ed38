import FakeRoot
import LinuxFiles
import TestSupport
import Testing

@Suite struct CreateTests {
    @Test func rootsFileNeedsNoLabel() throws {
        let fixture = try TreeFixture()
        try fixture.create("a", 0o755)
        try fixture.createDirectory("d", 0o750)
        #expect(try fixture.label("a") == nil)
        #expect(try fixture.label("d") == nil)
        #expect(try fixture.status("a").mode == 0o100755)
        #expect(try fixture.status("d").mode == 0o40750)
    }

    @Test(arguments: [0o444, 0o000, 0o200, 0o111, 0o4755, 0o2755, 0o1777, 0o7777] as [UInt32])
    func oddModesGetALabelAndTheFloor(_ mode: UInt32) throws {
        let fixture = try TreeFixture()
        try fixture.create("a", mode)
        try fixture.createDirectory("d", mode)
        let file = try fixture.status("a")
        #expect(file.permissions == mode)
        // Who may write to a file may write its label too: others don't, where that gives privileges.
        #expect(file.host.mode == 0o100600 | mode & (mode & 0o6000 == 0 ? 0o777 : 0o775))
        #expect(try fixture.label("a") == "0:0:0\(String(mode, radix: 8)):file")
        let directory = try fixture.status("d")
        #expect(directory.permissions == mode)
        #expect(directory.host.mode == 0o40700 | mode & 0o1777)
    }

    @Test(arguments: [
        NodeKind.pipe, .socket, .block(major: 8, minor: 17), .character(major: 204, minor: 64),
        .character(major: 4095, minor: 1_048_575),
    ])
    func specialsAreLabelledEmptyFiles(_ kind: NodeKind) throws {
        let fixture = try TreeFixture()
        try fixture.createSpecial("s", kind, 0o620)
        let status = try fixture.status("s")
        #expect(status.kind == kind)
        #expect(status.mode == kind.format.rawValue | 0o620)
        #expect(status.host.format == .regular && status.host.size == 0)
        #expect(try fixture.tree.kind(of: FileName("s"), in: fixture.root).kind == kind)
        #expect(throws: Errno.ENXIO) { try fixture.openAndClose("s", .readOnly) }
        #expect(throws: Errno.EINVAL) {
            try fixture.with("s") { (file) throws(Errno) in try fixture.tree.truncate(file, to: 1) }
        }
    }

    @Test func existingNamesAreNeverReplaced() throws {
        let fixture = try TreeFixture()
        try fixture.host.write("a", "content")
        #expect(throws: Errno.EEXIST) { try fixture.create("a") }
        #expect(throws: Errno.EEXIST) { try fixture.create("a", uid: 5) }
        #expect(throws: Errno.EEXIST) { try fixture.createDirectory("a") }
        #expect(throws: Errno.EEXIST) { try fixture.createDirectory("a", uid: 5) }
        #expect(throws: Errno.EEXIST) { try fixture.createSpecial("a", .pipe) }
        #expect(throws: Errno.EEXIST) { try fixture.tree.createSymlink(FileName("a"), in: fixture.root, target: "b") }
        #expect(try fixture.host.read("a") == Array("content".utf8))
        #expect(try fixture.host.names() == ["a"])
    }

    /// Two servers may have the same process number, in two containers; and a killed one leaves names behind.
    @Test func stagingNameTakenByAnotherServerIsSkippedAndKept() throws {
        let fixture = try TreeFixture()
        for serial in 1...3 {
            _ = try run("mkdir", fixture.host.file(".usb9pfs-new.\(System.processID).\(serial)"))
        }
        try fixture.createDirectory("d", uid: 5)
        #expect(try fixture.status("d").uid == 5)
        #expect(try fixture.host.names().count == 4)
    }

    /// With O_TMPFILE and linkat, or a staging name and renameat2, the name never shows a file without its label.
    @Test func noNameEverShowsAnUnlabelledSpecial() throws {
        let fixture = try TreeFixture()
        let done = Monitor(false)
        let seen = Monitor<[NodeKind]>([])
        try startThread {
            while done.wait(seconds: 0, { $0 ? true : nil }) == nil {
                guard let status = try? fixture.status("flickering") else { continue }
                seen.update { $0.append(status.kind) }
            }
            seen.update { $0.append(.symlink) }
        }
        for _ in 0..<500 {
            try fixture.createSpecial("flickering", .character(major: 1, minor: 3))
            try fixture.tree.unlink(FileName("flickering"), in: fixture.root, isDirectory: false)
        }
        done.update { $0 = true }
        let kinds = seen.wait { $0.last == .symlink ? $0 : nil }
        #expect(kinds.dropLast().allSatisfy { $0 == .character(major: 1, minor: 3) })
        #expect(try fixture.host.names() == [])
    }

    /// A developer's shared directory: g+s, or with a default ACL.
    @Test func inheritedSetgidBitIsNotTheBoards() throws {
        let fixture = try TreeFixture()
        #expect(try run("chmod", "g+s", fixture.host.path).status == 0)
        try fixture.createDirectory("d", 0o755)
        #expect(try fixture.status("d").mode == 0o40755)
    }

    @Test(.enabled(if: isInstalled("setfacl"))) func defaultACLDoesNotChangeTheBoardsMode() throws {
        let fixture = try TreeFixture()
        #expect(try run("setfacl", "-d", "-m", "u::rwx,g::rx,o::-", fixture.host.path).status == 0)
        try fixture.createDirectory("d", 0o777)
        try fixture.create("f", 0o666)
        #expect(try fixture.status("d").mode == 0o40777)
        #expect(try fixture.status("f").mode == 0o100666)
    }

    @Test func hardLinksShareTheLabel() throws {
        let fixture = try TreeFixture()
        try fixture.create("a", uid: 5, 0o4755)
        try fixture.with("a") { (file) throws(Errno) in
            try fixture.tree.link(file, as: FileName("b"), in: fixture.root)
        }
        try fixture.change("b", uid: 6)
        #expect(try fixture.status("a").uid == 6)
        #expect(try fixture.status("a").host.linkCount == 2)
    }
}
