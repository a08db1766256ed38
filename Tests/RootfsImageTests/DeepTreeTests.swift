import FakeRoot
import ImageEntries
import LinuxFiles
import TestSupport
import Testing

@testable import RootfsImage

/// A board can nest directories as deep as it likes: nothing may overflow, become quadratic or run out of descriptors.
@Suite struct DeepTreeTests {
    /// Makes a chain of directories.
    private func make(_ path: String, depth: Int, name: String = "d") throws(Errno) {
        let name = try FileName(name)
        var current = try System.open(path, [.path, .directory])
        for _ in 0..<depth {
            current = try name.withCString { [raw = current.raw] (name) throws(Errno) in
                try System.makeDirectory(at: raw, name, mode: 0o755)
                return try System.open(at: raw, name, [.path, .directory])
            }
        }
    }

    private func remove(_ fixture: ImportFixture, _ name: String) throws(Errno) {
        let parent = try System.open(fixture.host.path, [.path, .directory])
        try System.removeTree(at: parent.raw, FileName(name))
    }

    @Test(
        .disabled(if: isQuick, "it takes seconds"),
        .timeLimit(.minutes(2)),
        arguments: [("d", 10_000), (String(repeating: "n", count: 250), 4000)]
    )
    func nestedDirectories(_ name: String, _ depth: Int) throws {
        let fixture = try ImportFixture()
        try fixture.importing(fixture.archive("add('etc', D, mode=0o750, uid=5)"))
        try make(fixture.host.file("root"), depth: depth, name: name)
        let start = ContinuousClock.now

        let report = try TreeCheck(directory: fixture.host.file("root")).run()
        #expect(report.files == depth + 2 && report.drift?.added.count == depth && !report.hasProblems)
        #expect(report.drift?.added.allSatisfy { $0.utf8.count <= 4096 } == true)
        var options = TreeCheck.Options()
        options.repairs = true
        // Something to mend, so that there is a second walk.
        try fixture.shell("setfattr -n user.containers.override_stat -v nonsense root/etc")
        let repaired = try TreeCheck(directory: fixture.host.file("root"), options: options).run()
        #expect(repaired.findings.count == 1 && !repaired.hasProblems)

        for target in ["a.tar", "a.cpio", "a.ext4", "a.squashfs", "a.oci", "a.oci.tar"] {
            var options = Exporter.Options()
            options.platform = "linux/arm64"
            let before = try fixture.host.names()
            var failure: ImageError?
            do throws(ImageError) {
                let root = fixture.host.file("root")
                _ = try Exporter(directory: root, target: fixture.host.file(target), options: options).run()
            } catch {
                failure = error
            }
            #expect(failure?.code == .refusedEntry && failure?.hint?.contains("--exclude") == true, "\(target)")
            #expect(try fixture.host.names() == before, "\(target)")
        }
        for kind in TreeConversion.targets where kind != .overrideStat {
            var failure: ImageError?
            do throws(ImageError) {
                let root = fixture.host.file("root")
                _ = try TreeConversion(root, TreeConversion.Options(to: kind)).run()
            } catch {
                failure = error
            }
            #expect(failure?.code == .refusedEntry, "\(kind): \(String(describing: failure))")
            #expect(TreeArgument.conversion(of: fixture.host.file("root")) == nil)
        }
        #expect(try fixture.refusal(fixture.host.file("root"), to: "copy").code == .refusedEntry)
        try remove(fixture, "root")
        #expect(try !fixture.host.names().contains("root"))
        #expect(ContinuousClock.now - start < .seconds(60))
    }

    /// What lies as deep as an import goes is exported, and comes back; one more, and neither takes it.
    @Test func exportAndImportHaveTheSameLimits() throws {
        let fixture = try ImportFixture()
        let name = String(repeating: "n", count: 100)
        func outcome(_ work: () throws(ImageError) -> Void) -> ImageError.Code? {
            do throws(ImageError) {
                try work()
                return nil
            } catch {
                return error.code
            }
        }
        // 512 names; and 40 names of 100 bytes, where 41 are too long.
        for (number, (component, count)) in [("d", 512), ("d", 513), (name, 40), (name, 41)].enumerated() {
            let root = "root\(number)"
            try fixture.shell("mkdir \(root)")
            try make(fixture.host.file(root), depth: count, name: component)
            let isAllowed = number % 2 == 0
            let tar = fixture.host.file("\(root).tar")
            let export = outcome { () throws(ImageError) in
                _ = try Exporter(directory: fixture.host.file(root), target: tar).run()
            }
            #expect(export == (isAllowed ? nil : .refusedEntry), "\(count) of \(component)")
            let copy = outcome { () throws(ImageError) in
                try fixture.importing(fixture.host.file(root), to: "copy\(number)")
            }
            #expect(copy == (isAllowed ? nil : .refusedEntry), "\(count) of \(component)")
            if isAllowed { try fixture.importing(tar, to: "back\(number)") }
            // With its own tar, which has no such limits.
            try fixture.shell("tar -cf \(root).gnu.tar -C \(root) .")
            let foreign = outcome { () throws(ImageError) in
                try fixture.importing(fixture.host.file("\(root).gnu.tar"), to: "foreign\(number)")
            }
            #expect(foreign == (isAllowed ? nil : .refusedEntry), "\(count) of \(component)")
        }
    }

    /// An older tree may have a number that no import takes.
    @Test func exportNamesTheFileThatNoImportTakes() throws {
        let fixture = try ImportFixture()
        try fixture.shell(
            """
            mkdir root; : > root/device
            setfattr -n user.containers.override_stat -v 0:0:0644:char-5000-1 root/device
            """
        )
        var failure: ImageError?
        do throws(ImageError) {
            _ = try Exporter(directory: fixture.host.file("root"), target: fixture.host.file("a.tar")).run()
        } catch {
            failure = error
        }
        // Or it is seen as a plain file, if such a label is not believed.
        #expect(failure == nil || failure?.message.contains("refused device: Linux has no such type") == true)
    }

    @Test func databasesAreNotExported() throws {
        let fixture = try ImportFixture()
        try fixture.shell(
            "mkdir -p root/home; touch root/home/.a.usb9pfs.db root/home/.a.usb9pfs.db-wal root/home/file"
        )
        let summary = try Exporter(directory: fixture.host.file("root"), target: fixture.host.file("a.tar")).run()
        #expect(summary.notices == ["2 files of a tree's database left out: home/.a.usb9pfs.db"])
        #expect(summary.entries == 3)
    }
}
