import FakeRoot
import ImageEntries
import LinuxFiles
import TestSupport
import Testing

@testable import RootfsImage

@Suite struct DeviceTableTests {
    private static let table = """
        # name type mode uid gid major minor start inc count
        /dev d 755 0 0 - - - - -
        /dev/null c 666 root root 1 3 0 0 -
        /dev/hda b 640 0 disk 3 1 1 1 3
        /dev/step c 600 0 0 10 0 5 2 3
        /dev/initctl p 600 0 0 - - - - -
        /var/new/deep d 1777 0 0 - - - - -
        /home/u r -1 1000 users - - - - -
        /home/u/private f 600 1000 users - - - - -
        /bin/ping f 755 0 0 - - - - -
        \t|xattr cap_net_raw+p
        |xattr cap_net_raw+e
        /bin/su f 4755 root root - - - - -
        /bin/maybe F 4755 0 0 - - - - -

        """

    private func make(_ table: String = Self.table) throws -> ForeignFixture {
        let fixture = try ForeignFixture()
        try fixture.shell(
            """
            umask 022; mkdir -p root/bin root/etc root/home/u/d; cd root
            echo ping > bin/ping; echo su > bin/su; echo x > home/u/private; echo y > home/u/d/f; ln -s f home/u/d/l
            echo root:x:0:0::/:/bin/sh > etc/passwd
            printf 'root:x:0:\\ndisk:x:6:\\nusers:x:100:\\n' > etc/group
            echo > THIS_IS_NOT_YOUR_ROOT_FILESYSTEM
            """
        )
        try fixture.host.write("table", table)
        return fixture
    }

    @Test func linesOfATable() throws {
        let fixture = try make()
        let list = try fixture.entries(metadata: fixture.host.file("table"))
        #expect(list["dev"] == "755 0:0 dir" && list["dev/null"] == "666 0:0 c 1,3")
        #expect(list["dev/hda1"] == "640 0:6 b 3,1" && list["dev/hda3"] == "640 0:6 b 3,3" && list["dev/hda4"] == nil)
        #expect(list["dev/step5"] == "600 0:0 c 10,0" && list["dev/step7"] == "600 0:0 c 10,4")
        #expect(list["dev/initctl"] == "600 0:0 pipe")
        #expect(list["var"] == "755 0:0 dir" && list["var/new/deep"] == "1777 0:0 dir")
        #expect(list["home/u"] == "755 1000:100 dir" && list["home/u/d/f"] == "644 1000:100 file")
        #expect(list["home/u/d/l"] == "777 1000:100 -> f" && list["home/u/private"] == "600 1000:100 file")
        #expect(list["home"] == "755 0:0 dir" && list["bin/su"] == "4755 0:0 file")
        #expect(list.attribute("security.capability", of: "bin/ping") == ForeignFixture.netRaw)
        #expect(list[DeviceTableReader.marker] == nil)
        #expect(list.order == list.order.sorted { ($0 == "." ? "" : $0) < ($1 == "." ? "" : $1) })
    }

    /// Where `convert --to device-table` writes it.
    @Test func tableBesideTheDirectoryIsFound() throws {
        let fixture = try make()
        try fixture.shell("mv table root.devtable")
        let evidence = try MetadataEvidence(fixture.host.file("root"))
        #expect(evidence.kind == .deviceTable && evidence.file == fixture.host.file("root.devtable"))
        #expect(try fixture.entries("root")["bin/su"] == "4755 0:0 file")
        let failure = #expect(throws: ImageError.self) {
            try TreeArgument.verify(fixture.host.file("root"), isForeignAccepted: false)
        }
        #expect(failure?.message.contains("a device table") == true)
    }

    /// Buildroot's own place for the whole table.
    @Test func tableOfBuildrootIsFound() throws {
        let fixture = try make()
        try fixture.shell(
            "mkdir -p build/buildroot-fs; mv table build/buildroot-fs/full_devices_table.txt; mv root target"
        )
        let evidence = try MetadataEvidence(fixture.host.file("target"))
        #expect(evidence.kind == .deviceTable)
        #expect(try fixture.entries("target")["bin/su"] == "4755 0:0 file")
    }

    @Test(
        arguments: [
            ("/bin/none f 755 0 0 - - - - -", "line 1 ", "no bin/none"),
            ("/etc f 755 0 0 - - - - -", "line 1 ", "another type"),
            ("/bin/su d 755 0 0 - - - - -", "line 1 ", "another type"),
            ("/bin/su c 755 0 0 1 2 - - -", "line 1 ", "another type"),
            ("/bin/su f 755 nobody 0 - - - - -", "line 1 ", "nobody"),
            ("\n/bin/su f 999 0 0 - - - - -", "line 2 ", "not a mode"),
            ("/bin/su x 755 0 0 - - - - -", "line 1 ", "not a type"),
            ("/bin/../su f 755 0 0 - - - - -", "line 1 ", "\"..\""),
            ("|xattr cap_net_raw+ep", "line 1 ", "must follow"),
            ("/bin/su f 755 0 0 - - - - -\n|xattr cap_bogus+ep", "line 2 ", "cap_bogus"),
            ("/dev/x c 600 0 0 1 0 0 1 1048575\n/dev/y c 600 0 0 1 0 0 1 1048575", "line 2 ", "too many"),
            ("/dev/x c 600 0 0 1 5000000 - - -", "line 1 ", "5000000"),
            ("/dev/x c 600 0 0 1 1048575 0 1 2", "line 1 ", "1048576"),
            ("/bin/su", "line 1 ", "type"),
        ]
    )
    func badTablesAreRefused(_ table: String, _ line: String, _ reason: String) throws {
        let fixture = try make(table)
        let failure = try fixture.refusal("root", .deviceTable, metadata: fixture.host.file("table"))
        #expect(failure.message.contains(line) && failure.message.contains(reason), "\(failure.message)")
    }

    /// genext2fs reads the same table as we do.
    @Test(.enabled(if: isInstalled("genext2fs") && isInstalled("debugfs"))) func genext2fsMakesTheSameOfIt() throws {
        // It lacks names, -1, r, F and |xattr, and takes COUNT for the number to stop before, which is the same only from 0.
        let table = """
            /dev d 755 0 0 - - - - -
            /dev/null c 666 0 0 1 3 0 0 -
            /dev/hda b 640 0 6 3 1 0 1 3
            /dev/initctl p 600 0 0 - - - - -
            /bin/su f 4755 3 4 - - - - -
            /home/u d 750 1000 100 - - - - -

            """
        let fixture = try make(table)
        let list = try fixture.entries(metadata: fixture.host.file("table"))
        try fixture.shell("genext2fs -N 200 -b 4096 -d root -D table image >/dev/null 2>&1")
        for path in ["dev", "dev/null", "dev/hda0", "dev/hda1", "dev/hda2", "dev/initctl", "bin/su", "home/u"] {
            let text = try fixture.shell("debugfs -R 'stat /\(path)' image 2>/dev/null")
            let words = text.split(whereSeparator: { " \n\t".contains($0) }).map(String.init)
            func after(_ word: String) -> String { words.firstIndex(of: word).map { words[$0 + 1] } ?? "" }
            var expected = "\(after("Mode:").drop { $0 == "0" }) \(after("User:")):\(after("Group:"))"
            // debugfs: "Device major/minor number: 03:01 (hex 03:01)".
            if let index = words.firstIndex(of: "number:") {
                let numbers = words[index + 1].split(separator: ":").compactMap { Int($0) }
                expected += " \(text.contains("Type: block") ? "b" : "c") \(numbers[0]),\(numbers[1])"
                #expect(list[path] == expected)
            } else {
                #expect(list[path]?.hasPrefix(expected + " ") == true, "\(path): \(expected)")
            }
        }
    }
}
