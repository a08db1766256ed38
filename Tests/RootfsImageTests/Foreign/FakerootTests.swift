import ImageEntries
import LinuxFiles
import TestSupport
import Testing

@testable import RootfsImage

@Suite(.enabled(if: isInstalled("fakeroot"))) struct FakerootTests {
    private static let script = """
        umask 022; mkdir root; cd root
        fakeroot -s ../save sh -ec '
            mkdir -p bin dev; echo hi > bin/su; chown 10:20 bin/su; chmod 4755 bin/su; ln bin/su bin/sudo
            mknod dev/null c 1 3; mknod dev/sda1 b 8 1; mkfifo dev/pipe; chown 7:8 dev/pipe
            ln -s su bin/lnk; chown -h 5:6 bin/lnk; echo x > plain'
        cd ..
        """

    @Test func whatFakerootSavedIsRead() throws {
        let fixture = try ForeignFixture()
        try fixture.shell(Self.script)
        let list = try fixture.entries(metadata: fixture.host.file("save"))
        #expect(list["bin/su"] == "4755 10:20 file" && list["bin/sudo"] == "== bin/su")
        #expect(list["bin/lnk"] == "777 5:6 -> su" && list["plain"] == "644 0:0 file")
        #expect(list["dev/null"] == "644 0:0 c 1,3" && list["dev/sda1"] == "644 0:0 b 8,1")
        #expect(list["dev/pipe"] == "644 7:8 pipe")
        let shown = try fixture.shell("cd root; fakeroot -i ../save find . -printf '%P %m %U:%G\\n'")
        for line in shown.split(separator: "\n") where !line.hasPrefix(" ") && !line.contains("sudo") {
            let fields = line.split(separator: " ", maxSplits: 1)
            #expect(list[String(fields[0])]?.hasPrefix(fields[1]) == true, "\(line)")
        }
    }

    /// fakeroot shows a text file as a block device when it got the number of one; we must not.
    @Test func inodeNumberUsedAgainIsNoticed() throws {
        let fixture = try ForeignFixture()
        try fixture.shell(Self.script)
        let inode = try fixture.host.status("root/dev/null").inode
        // A file that is not a device, was there before the save, and has the number: as if it were used again.
        let other = try fixture.host.status("root/plain").inode
        try fixture.shell("sed s/ino=\(inode),/ino=\(other),/ save > swapped")
        let failure = try fixture.refusal(metadata: fixture.host.file("swapped"))
        #expect(failure.message.contains("plain") && failure.message.contains("another type"), "\(failure)")
        // One that was made later gets nothing.
        try fixture.shell("sleep 0.02; echo new > root/young")
        let young = try fixture.host.status("root/young").inode
        try fixture.shell("touch -r save stamp; sed s/ino=\(inode),/ino=\(young),/ save > later; touch -r stamp later")
        let list = try fixture.entries(metadata: fixture.host.file("later"))
        #expect(list["young"] == "644 0:0 file")
        #expect(list.notices.contains { $0.hasPrefix("1 files are younger than") }, "\(list.notices)")
    }

    @Test func saveOfAnotherTreeIsRefused() throws {
        let fixture = try ForeignFixture()
        try fixture.shell(Self.script + "\ncp -r root copy; rm -r root")
        let failure = try fixture.refusal("copy", .fakeroot, metadata: fixture.host.file("save"))
        #expect(failure.message.contains("another directory"), "\(failure)")
        try fixture.host.write("bad", "dev=1,ino=2,mode=xyz\n")
        #expect(try fixture.refusal("copy", metadata: fixture.host.file("bad")).message.hasPrefix("line 1 of "))
    }
}
