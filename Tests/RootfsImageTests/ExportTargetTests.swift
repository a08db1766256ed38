import Archives
import FakeRoot
import ImageEntries
import LinuxFiles
import RootfsImage
import TestSupport
import Testing

@Suite struct ExportTargetTests {
    @Test func anExistingTargetIsReplacedOnlyOnDemand() throws {
        let fixture = try ExportFixture()
        try fixture.host.write("b.tar", "mine")
        let failure = try fixture.refusal("b.tar")
        #expect(failure.code == .badDestination && failure.hint?.contains("--force") == true)
        #expect(try fixture.host.read("b.tar") == Array("mine".utf8))
        try fixture.exporting("b.tar") { $0.replacesTarget = true }
        #expect(try fixture.shell("tar -tf b.tar") == "./\n")
        try fixture.host.makeDirectory("d.tar")
        #expect(try fixture.refusal("d.tar") { $0.replacesTarget = true }.code == .badDestination)
    }

    @Test func onlyALayoutIsReplacedByALayout() throws {
        let fixture = try ExportFixture()
        try fixture.host.makeDirectory("b.oci")
        try fixture.exporting("b.oci")
        #expect(try fixture.refusal("b.oci").code == .badDestination)
        try fixture.host.write("b.oci/more", "")
        try fixture.exporting("b.oci") { $0.replacesTarget = true }
        #expect(try fixture.host.names("b.oci") == ["blobs", "index.json", "oci-layout"])
        try fixture.host.makeDirectory("c.oci")
        try fixture.host.write("c.oci/mine", "")
        #expect(try fixture.refusal("c.oci") { $0.replacesTarget = true }.code == .badDestination)
        #expect(try fixture.host.names("c.oci") == ["mine"])
    }

    /// Root removes directories of any mode; an immutable file would stop it, too, but needs a file system
    /// that has such.
    @Test(.enabled(if: System.effectiveUser != 0)) func anOldLayoutThatCannotBeRemovedIsTold() throws {
        let fixture = try ExportFixture()
        try fixture.exporting("b.oci")
        try fixture.host.makeDirectory("b.oci/locked")
        try fixture.host.write("b.oci/locked/file", "")
        try fixture.shell("chmod 500 b.oci/locked")
        let summary = try fixture.exporting("b.oci") { $0.replacesTarget = true }
        #expect(try fixture.host.names("b.oci") == ["blobs", "index.json", "oci-layout"])
        let old = try #require(try fixture.host.names().first { $0.hasPrefix(".b.oci.exporting-") })
        #expect(summary.warnings.count == 1)
        #expect(summary.warnings.first?.contains("Permission denied") == true, "\(summary.warnings)")
        #expect(summary.warnings.first?.hasSuffix("it is \(old) beside it now") == true, "\(summary.warnings)")
        // The next export takes it away, once that can be.
        try fixture.shell("chmod 700 .b.oci.exporting-*/locked")
        #expect(try fixture.exporting("b.oci") { $0.replacesTarget = true }.warnings == [])
        #expect(try fixture.host.names().allSatisfy { !$0.hasPrefix(".b.oci.exporting-") })
    }

    @Test func aTargetInTheTreeIsRefused() throws {
        let fixture = try ExportFixture("add('d', D)")
        #expect(try fixture.refusal("root/b.tar").message.contains("lies in the tree"))
        #expect(try fixture.refusal("root/d/b.oci").message.contains("lies in the tree"))
        // A target beside the tree is not in it.
        try fixture.host.makeDirectory("root2")
        try fixture.exporting("root2/b.tar")
    }

    @Test func aNameThatSaysNothingIsRefused() throws {
        let fixture = try ExportFixture()
        #expect(try fixture.refusal("b.img").hint?.contains("--to") == true)
        #expect(try fixture.refusal("b.tar.gz") { $0.level = 12 }.message == "gzip has no level 12")
        #expect(try fixture.refusal("b.squashfs") { $0.compression = .bzip2 }.code == .badDestination)
        #expect(try fixture.refusal("b.oci") { $0.compression = .xz }.code == .badDestination)
        #expect(try fixture.refusal("b.oci") { $0.platform = "arm64" }.code == .badDestination)
        #expect(try fixture.refusal("no/b.tar").code == .notFound)
        #expect(try fixture.refusal("b.oci") { $0.platform = nil }.hint?.contains("--platform") == true)
    }

    @Test(arguments: ["tar", "tar.zst", "cpio", "squashfs", "oci", "oci.tar"])
    func aCancelledExportLeavesNothing(_ suffix: String) throws {
        let fixture = try ExportFixture("for i in range(50): add(f'{i}', data=b'x' * 99999)")
        let before = try fixture.names()
        let cancellation = Cancellation()
        var options = Exporter.Options()
        options.platform = "linux/amd64"
        let exporter = Exporter(
            directory: fixture.host.file("root"),
            target: fixture.host.file("b.\(suffix)"),
            options: options,
            cancellation: cancellation
        )
        let failure = #expect(throws: ImageError.self) {
            try exporter.run { if $0.entries == 20 { cancellation.request() } }
        }
        #expect(failure?.code == .cancelled)
        #expect(try fixture.names() == before)
    }

    /// What SIGKILL left is removed by the next export to the same place.
    @Test func leftoversOfKilledExportsAreRemoved() throws {
        let fixture = try ExportFixture()
        try fixture.host.write(".b.tar.exporting-abc123", "half")
        try fixture.host.makeDirectory(".b.tar.exporting-abc124")
        try fixture.host.write(".b.tar.exporting-abc124/file", "half")
        try fixture.exporting("b.tar")
        #expect(try fixture.host.names().filter { $0.contains("exporting") } == [])
    }

    /// Two exports to one target both went on, and the later one's work was lost at its end.
    @Test(arguments: ["b.tar", "b.oci", "b.oci.tar"]) func secondExportToOneTargetIsToldAtOnce(_ target: String) throws
    {
        let fixture = try ExportFixture()
        let name = ".\(target).exporting-locked"
        try fixture.host.write(name, "busy")
        let busy = try System.open(fixture.host.file(name), .readOnly)
        #expect(try System.tryLock(busy.raw))
        let before = try fixture.host.names()
        let failure = #expect(throws: ImageError.self) { try fixture.exporting(target) }
        #expect(failure?.code == .busy && failure?.message.contains("another p9serve is making") == true)
        #expect(try fixture.host.names() == before)
        extendLifetime(busy)
        _ = consume busy
        // The other one is gone: what it left is nobody's, once no program that another test starts just now has a copy of
        // the descriptor.
        waitUntil { (try? fixture.exporting(target)) != nil }
        #expect(try fixture.host.names().filter { $0.contains("exporting") } == [])
    }

    @Test func aFullDiskIsSaidAndLeavesNothing() throws {
        let fixture = try ExportFixture("import os; add('a', data=os.urandom(3000000))")
        let program = try ExportFixture.program
        let full = try run("bash", "-c", "\(program) export \"$1\" - > /dev/full", "bash", fixture.host.file("root"))
        #expect(full.status == 1 && full.output.contains("No space left on device"), "\(full.output)")
        for suffix in ["tar", "tar.xz", "squashfs", "oci", "oci.tar"] {
            let script = "cd \"$1\"; ulimit -f 1000; \(program) export root b.\(suffix) --platform linux/arm64"
            let limited = try run("bash", "-c", script, "bash", fixture.host.path)
            #expect(limited.status == 1, "\(suffix): \(limited.output)")
            #expect(try fixture.names() == ["a.tar", "make.py", "root"], "\(suffix)")
        }
    }

    @Test func aStreamIsTheSameAsAFile() throws {
        let fixture = try ExportFixture(ExportFixture.everything)
        try fixture.exporting("b.tar")
        let program = try ExportFixture.program
        try fixture.shell("\(program) export root - 2>/dev/null | cmp - b.tar")
        try fixture.shell("\(program) export root - --compress gzip -q | gzip -dc | cmp - b.tar")
        let refused = try run(program, "export", fixture.host.file("root"), "-", "--to", "squashfs")
        #expect(refused.status == 64, "\(refused.output)")
    }

    @Test func eventsAreLinesOfJSON() throws {
        let fixture = try ExportFixture("add('a', data=b'x')")
        let program = try ExportFixture.program
        let events = try fixture.shell(
            """
            \(program) export root b.tar --json | python3 -c 'import json, sys
            for line in sys.stdin:
                e = json.loads(line); print(e["version"], e["event"], e.get("entries"), e.get("kind"))'
            """
        )
        #expect(events == "1 start None None\n1 done 2 tar\n")
        let failed = try run(program, "export", fixture.host.file("root"), fixture.host.file("b.tar"), "--json")
        #expect(failed.status == 64 && failed.output.contains(#""event":"error","exit_code":64"#), "\(failed.output)")
    }

    @Test func aTreeThatIsWrittenToIsAnError() throws {
        let fixture = try ExportFixture(
            "add('d', D); add('d/a', data=b'x' * 2000000); add('d/b'); add('d/c', H, linkname='d/b')"
        )
        let changes: [(name: String, change: String, found: String)] = [
            ("a file grows while it is read", "echo more >> root/d/a", "d/a"),
            ("a file gets shorter while it is read", "truncate -s 1000000 root/d/a", "d/a"),
            ("a name is added", "touch root/d/new", "d "),
            ("a name is removed", "rm root/d/c", "d/"),
        ]
        for (name, change, found) in changes {
            let fixture2 = fixture
            let exporter = Exporter(directory: fixture.host.file("root"), target: fixture.host.file("b.tar"))
            var isDone = false
            let failure = #expect(throws: ImageError.self, "\(name)") {
                try exporter.run { progress in
                    guard progress.contentBytes > 0, !isDone else { return }
                    isDone = true
                    _ = try? fixture2.shell(change)
                }
            }
            #expect(failure?.message.hasPrefix(found) == true || failure?.message.contains(found) == true, "\(name)")
            #expect(failure?.hint != nil, "\(name)")
        }
        #expect(try fixture.names() == ["a.tar", "make.py", "root"])
    }

    @Test(.enabled(if: System.effectiveUser != 0)) func whatCannotBeReadIsNamed() throws {
        let fixture = try ExportFixture(
            "add('d', D); add('d/f', mode=0o4755); add('d/null', C, devmajor=1, devminor=3)"
        )
        for path in ["d/f", "d/null", "d"] {
            let mode = try fixture.host.mode("root/\(path)")
            try fixture.host.setMode("root/\(path)", 0)
            let failure = try fixture.refusal("b.tar")
            #expect(failure.code == .permission && failure.message.contains("can't read \(path):"), "\(failure)")
            #expect(failure.hint?.contains("chmod") == true)
            try fixture.host.setMode("root/\(path)", mode)
        }
        try fixture.exporting("b.tar")
        #expect(try fixture.shell("tar -tvf b.tar").contains("-rwsr-xr-x"))
    }
}
