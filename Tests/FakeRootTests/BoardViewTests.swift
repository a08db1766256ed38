import FakeRoot
import LinuxFiles
import TestSupport
import Testing

/// What the board sees of host files, and of labels on them.
@Suite struct BoardViewTests {
    @Test func unlabelledFilesAreRootsWithTheHostsMode() throws {
        let fixture = try TreeFixture()
        try fixture.host.write("plain", "x", mode: 0o640)
        let status = try fixture.status("plain")
        #expect(status.uid == 0 && status.gid == 0)
        #expect(status.mode == 0o100640)
        #expect(status.host.size == 1)
    }

    @Test func threeFieldLabelKeepsTheHostsKind() throws {
        let fixture = try TreeFixture()
        try fixture.host.write("a", "x")
        try fixture.setHostAttribute("user.containers.override_stat", "a", "7:8:0100711")
        let status = try fixture.status("a")
        #expect(status.uid == 7 && status.gid == 8)
        #expect(status.mode == 0o100711)
    }

    @Test(arguments: ["junk", "0:0:0755:dir:", "-1:0:0:file"])
    func unreadableLabelIsNone(_ text: String) throws {
        let fixture = try TreeFixture()
        try fixture.host.write("a", "x", mode: 0o600)
        try fixture.setHostAttribute("user.containers.override_stat", "a", text)
        #expect(try fixture.status("a").mode == 0o100600)
        #expect(try fixture.status("a").uid == 0)
    }

    @Test func labelTooLongIsNone() throws {
        let fixture = try TreeFixture()
        try fixture.host.write("a", "x", mode: 0o600)
        let text = "0:0:0755:char-1-3" + String(repeating: "0", count: 300)
        try fixture.setHostAttribute("user.containers.override_stat", "a", text)
        #expect(try fixture.status("a").kind == .file)
    }

    @Test func labelCannotTurnAFileIntoADirectoryOrBack() throws {
        let fixture = try TreeFixture()
        try fixture.host.write("file", "")
        try fixture.createDirectory("directory")
        try fixture.setHostAttribute("user.containers.override_stat", "file", "1:2:0755:dir")
        try fixture.setHostAttribute("user.containers.override_stat", "directory", "1:2:0755:char-1-3")
        #expect(try fixture.status("file").kind == .file)
        #expect(try fixture.status("directory").kind == .directory)
        #expect(try fixture.status("directory").uid == 1)
    }

    /// `kind` looks at labels of empty files only; `status` must agree with it.
    @Test func deviceLabelOnAFileWithContentIsIgnoredEverywhere() throws {
        let fixture = try TreeFixture()
        try fixture.host.write("a", "content")
        try fixture.setHostAttribute("user.containers.override_stat", "a", "0:0:0666:block-8-0")
        #expect(try fixture.status("a").kind == .file)
        #expect(try fixture.tree.kind(of: FileName("a"), in: fixture.root).kind == .file)
    }

    @Test func hostSymlinkIsNeverFollowed() throws {
        let fixture = try TreeFixture()
        let outside = try TreeFixture()
        try outside.host.write("secret", "secret")
        #expect(try run("ln", "-s", outside.host.path, fixture.host.file("escape")).status == 0)
        #expect(try run("ln", "-s", outside.host.file("secret"), fixture.host.file("link")).status == 0)
        #expect(try fixture.status("link").kind == .symlink)
        let escape = try fixture.open("escape")
        #expect(throws: Errno.ENOTDIR) { _ = try fixture.tree.lookup(FileName("secret"), in: escape.raw) }
        #expect(throws: Errno.ELOOP) { try fixture.openAndClose("link", .readOnly) }
        #expect(throws: Errno.ELOOP) { _ = try fixture.tree.open(escape.raw, [.readOnly, .directory]) }
        #expect(throws: (any Error).self) {
            try fixture.with("link") { (file) throws(Errno) in try fixture.tree.truncate(file, to: 0) }
        }
        #expect(throws: Errno.EOPNOTSUPP) { try fixture.change("link", 0o600) }
        #expect(try outside.host.read("secret") == Array("secret".utf8))
        #expect(try outside.hostStatus("secret").mode == 0o100644)
    }

    @Test func stagingNamesAreInvisible() throws {
        let fixture = try TreeFixture()
        let name = ".usb9pfs-new.1.1"
        try fixture.host.write(name, "x")
        #expect(throws: Errno.ENOENT) { _ = try fixture.open(name) }
        #expect(throws: Errno.EINVAL) { try fixture.create(name) }
        #expect(throws: Errno.EINVAL) { try fixture.createDirectory(name) }
        #expect(throws: Errno.ENOENT) {
            try fixture.tree.unlink(FileName(name), in: fixture.root, isDirectory: false)
        }
        try fixture.create("a")
        #expect(throws: Errno.EINVAL) {
            try fixture.tree.rename(FileName("a"), in: fixture.root, to: FileName(name), in: fixture.root)
        }
    }

    /// A server was killed while it made something: what is left must not keep the board from removing the directory.
    @Test func directoryWithNothingButStagedFilesCanBeRemoved() throws {
        let fixture = try TreeFixture()
        try fixture.createDirectory("d")
        try fixture.host.write("d/.usb9pfs-new.77.1", "")
        _ = try run("mkdir", "-p", fixture.host.file("d/.usb9pfs-new.77.2/inner"))
        try fixture.tree.unlink(FileName("d"), in: fixture.root, isDirectory: true)
        #expect(try fixture.host.names() == [])

        try fixture.createDirectory("e")
        try fixture.host.write("e/.usb9pfs-new.77.1", "")
        try fixture.host.write("e/kept", "")
        #expect(throws: Errno.ENOTEMPTY) {
            try fixture.tree.unlink(FileName("e"), in: fixture.root, isDirectory: true)
        }
        #expect(try fixture.host.names("e") == [".usb9pfs-new.77.1", "kept"])
    }
}
