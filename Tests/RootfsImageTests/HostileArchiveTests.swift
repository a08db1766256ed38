import FakeRoot
import LinuxFiles
import RootfsImage
import TestSupport
import Testing

/// Archives that must be refused, with the entry's name and with nothing left.
@Suite struct HostileArchiveTests {
    private func refusal(_ body: String, format: String = "PAX") throws -> ImageError {
        let fixture = try ImportFixture()
        return try fixture.refusal(fixture.archive("add('good')\n" + body, format: format))
    }

    @Test(arguments: [
        ("add('../evil')", "../evil"),
        ("add('a/../../evil')", "a/../../evil"),
        ("add('/../evil')", "/../evil"),
        ("add('..', D)", ".."),
        ("add('a/..', D)", "a/.."),
        ("add('l', S, linkname='/tmp'); add('l/evil')", "l/evil: l in its path is a symbolic link"),
        ("add('l', S, linkname='.'); add('l/a/b')", "l/a/b: l in its path is a symbolic link"),
        ("add('d', D); add('d/l', S, linkname='..'); add('d/l/x', D)", "d/l/x: l in its path is a symbolic link"),
        ("add('d', D); add('d/f'); add('d', S, linkname='/tmp')", "d: it would replace a directory"),
        ("add('f'); add('f/x')", "f/x: f in its path is not a directory"),
        ("add('p', P); add('p/x')", "p/x: p in its path is not a directory"),
        ("add('h', H, linkname='/etc/passwd')", "h: it is a hard link to etc/passwd, which is not in the archive"),
        ("add('h', H, linkname='../../etc/passwd')", "h: the target of the hard link"),
        ("add('h', H, linkname='later'); add('later')", "h: it is a hard link to later"),
        ("add('l', S, linkname='/etc'); add('h', H, linkname='l/passwd')", "h: it is a hard link to l/passwd, whose"),
        ("add('d', D); add('h', H, linkname='d')", "h: it is a hard link to d, a directory"),
        ("add('h', H, linkname='.')", "a directory"),
        ("add('x' * 256)", "longer than 255 bytes"),
        ("add('/'.join(['d' * 200] * 21))", "longer than 4095 bytes"),
        ("add('/'.join(['d'] * 600))", "more than 512 directories deep"),
        ("add('.usb9pfs-new.1.1')", "reserved"),
        ("add('d/.usb9pfs-new.x/y')", "reserved"),
        ("add('c', C, devmajor=5000, devminor=1)", "c: Linux has no such type of file or device number"),
        ("add('u', pax={'uid': '4294967295'})", "u: its owner or group"),
        ("add('u', pax={'gid': '99999999999'})", "u: its owner or group"),
        ("add('s', S, linkname='')", "s: it points nowhere"),
        ("add('./', S, linkname='/etc')", "the root must be a directory"),
        ("add('.', H, linkname='good')", "the root must be a directory"),
        ("add('evil\\x1b[2J/../x')", "evil\\x1b[2J/../x"),
    ])
    func refused(_ body: String, _ message: String) throws {
        let error = try refusal(body)
        #expect(error.code == .refusedEntry)
        #expect(error.message.contains(message), "\(error.message)")
        #expect(!error.message.utf8.contains(0x1b))
    }

    /// The symbolic link is made by the archive, replaced by a directory, and the other way round: nothing may be
    /// remembered wrongly.
    @Test func swappingDirectoriesAndLinksNeverLeavesTheTree() throws {
        let fixture = try ImportFixture()
        #expect(try run("mkdir", fixture.host.file("victim")).status == 0)
        try fixture.host.write("victim/keep", "kept")
        let archive = try fixture.archive(
            """
            add('d', D); add('e', D)
            add('d', S, linkname='\(fixture.host.path)/victim'); add('d', D); add('d/keep', data=b'mine')
            add('e', S, linkname='../victim'); add('e/keep', data=b'evil')
            """
        )
        let error = try fixture.refusal(archive)
        #expect(error.message.contains("e/keep"))
        #expect(try fixture.host.read("victim/keep") == Array("kept".utf8))
    }

    @Test func deepestAllowedTreeWorks() throws {
        let fixture = try ImportFixture()
        let archive = try fixture.archive("add('/'.join(['d'] * 511 + ['f'])); add('x')")
        #expect(try fixture.importing(archive).directories == 512)
    }

    @Test(.enabled(if: System.effectiveUser != 0)) func ordinaryUserCantWriteOutside() throws {
        let fixture = try ImportFixture()
        let archive = try fixture.archive("add('a', uid=0, mode=0o4755)")
        try fixture.importing(archive)
        #expect(try fixture.status("a").mode == 0o104755)
        #expect(try fixture.status("a").host.mode == 0o100755)
    }
}
