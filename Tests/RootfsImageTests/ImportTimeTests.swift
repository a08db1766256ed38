import FakeRoot
import ImageEntries
import LinuxFiles
import RootfsImage
import TestSupport
import Testing

/// What the moment of an import must not change.
@Suite struct ImportTimeTests {
    /// Directories without an entry had the time of the import, to the nanosecond: always "/" in Docker's layers.
    @Test func directoriesWithoutAnEntryHaveAFixedTime() throws {
        let fixture = try ImportFixture()
        let archive = try fixture.archive(
            """
            add('usr/bin/x', mtime=1000000000); add('usr/bin/y', H, linkname='usr/bin/x'); add('a/b/c', D, mtime=5)
            add('usr/bin/x', mtime=7); add('late/f'); add('late', D, mtime=9, mode=0o700); add('usr/l', S, linkname='x')
            """
        )
        try fixture.importing(archive)
        for path in [".", "usr", "usr/bin", "a", "a/b"] {
            let status = try fixture.status(path)
            #expect(status.host.modificationTime == FileTime(seconds: 0, nanoseconds: 0), "\(path)")
            #expect(status.mode == 0o40755 && status.uid == 0 && status.gid == 0, "\(path)")
            let row = path == "." ? "" : path
            #expect(try fixture.manifest()[row]?.modificationTime == FileTime(seconds: 0, nanoseconds: 0), "\(path)")
        }
        #expect(try fixture.status("a/b/c").host.modificationTime.seconds == 5)
        #expect(try fixture.status("late").host.modificationTime.seconds == 9)
    }

    /// As the page on exporting says; under another umask, too.
    @Test(arguments: ["b.tar", "b.cpio", "b.ext4", "b.oci.tar", "b.squashfs"])
    func twoImportsGiveTheSameExport(_ target: String) throws {
        guard target != "b.squashfs" || isInstalled("tar2sqfs") else { return }
        let fixture = try ExportFixture(
            "add('usr/bin/x', mtime=7); add('l', S, linkname='usr'); add('l/share/y', data=b'y'); add('d/n', C, devmajor=1)"
        )
        // Every time of the host is another one.
        System.sleep(milliseconds: 1100)
        try fixture.imported.importing(fixture.original, to: "second")
        try fixture.exporting(target)
        try fixture.exporting("second.\(target)", from: "second")
        #expect(try run("cmp", fixture.host.file(target), fixture.host.file("second.\(target)")).output == "")
    }
}
