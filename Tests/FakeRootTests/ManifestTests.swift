import FakeRoot
import LinuxFiles
import TestSupport
import Testing

/// Labels and capabilities that a tool on the host has lost, and the list they come back from.
@Suite struct ManifestTests {
    private static let capability: [UInt8] = [1, 0, 0, 2, 0, 0x20, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]

    /// A small root filesystem, as an import leaves it.
    private static func imported() throws -> TreeFixture {
        let fixture = try TreeFixture()
        for name in ["bin", "etc", "dev", "home"] { try fixture.createDirectory(name) }
        try fixture.createDirectory("home/user", uid: 1000, gid: 1000, 0o750)
        try fixture.make("bin/su", "the program su", 0o4755)
        try fixture.make("bin/ping", "the program ping", 0o755)
        try fixture.make("bin/ls", "the program ls", 0o755)
        try fixture.make("etc/shadow", "root:*:", gid: 42, 0o640)
        try fixture.with("bin/ping") { (file) throws(Errno) in
            try fixture.tree.setAttribute("security.capability", of: file, to: capability)
        }
        let dev = try fixture.open(path: "dev")
        let owner = Owner(uid: 0, gid: 5)
        let tty = NodeKind.character(major: 5, minor: 0)
        try fixture.tree.createSpecial(FileName("tty"), in: dev.raw, owner: owner, permissions: 0o666, kind: tty)
        try fixture.createSymlink("link", to: "bin", uid: 1000, gid: 1000)
        let writer = try fixture.tree.makeManifestWriter()
        for path in [
            "", "bin", "bin/su", "bin/ping", "bin/ls", "etc", "etc/shadow", "dev", "dev/tty", "home", "home/user",
            "link",
        ] {
            let file = try fixture.open(path: path)
            try writer.append(fixture.entry(path, file.raw), of: file.raw)
        }
        #expect(!fixture.tree.hasManifest)
        try writer.commit()
        #expect(fixture.tree.hasManifest)
        return fixture
    }

    @Test func keepsEveryFieldAndTheOrder() throws {
        let fixture = try Self.imported()
        var paths: [String] = []
        try fixture.reopened().tree.forEachManifestEntry { (entry, file) throws(Errno) in
            let path = String(decoding: entry.path, as: UTF8.self)
            paths.append(path)
            let opened = try fixture.open(path: path)
            #expect(try entry == fixture.entry(path, opened.raw))
            #expect(try file == fixture.tree.handle(of: opened.raw))
        }
        #expect(paths == paths.sorted() && paths.count == 12)
        #expect(try fixture.tree.manifestEntry(Array("bin/su".utf8))?.status.mode == 0o4755)
        #expect(try fixture.tree.manifestEntry(Array("bin/nothing".utf8)) == nil)
    }

    @Test(arguments: ["sed", "cp", "truncate", "python"])
    func ownerAndModeComeBackOnSight(_ tool: String) throws {
        let fixture = try Self.imported()
        let path = fixture.host.file("etc/shadow")
        switch tool {
        case "sed": try run("sed", "-i", "s/root/toor/", path)
        case "cp":
            try run("sh", "-c", "umask 027; cp \(path) \(path).new && mv \(path).new \(path)")
        case "python": try run("setfattr", "-x", "user.containers.override_stat", path)
        default: try run("sh", "-c", "echo >>\(path)")
        }
        #expect(try fixture.look("etc/shadow") == "0:42 100640")
        #expect(try fixture.hostLabel("etc/shadow") == "0:42:0640:file")
        #expect(fixture.warnings.all == [])
    }

    /// A tool's new file has the mode that the umask gives; only whether it can be run is a statement.
    @Test func modeIsTheImportsUnlessAProgramIsMadeOfIt() throws {
        let fixture = try Self.imported()
        try fixture.replace("etc/shadow", "new", 0o644)
        #expect(try fixture.look("etc/shadow") == "0:42 100640")
        try fixture.replace("etc/shadow", "#!/bin/sh", 0o750)
        #expect(try fixture.look("etc/shadow") == "0:42 100750")
        try fixture.replace("bin/su", "the program su", 0o644)
        #expect(try fixture.look("bin/su") == "0:0 104644")
    }

    @Test func setuidComesBackWithTheSameContentOnly() throws {
        let fixture = try Self.imported()
        try fixture.replace("bin/su", "the program su", 0o755)
        #expect(try fixture.look("bin/su") == "0:0 104755")
        try fixture.replace("bin/su", "the program s!", 0o755, old: true)
        #expect(try fixture.look("bin/su") == "0:0 100755")
        #expect(fixture.warnings.all.count == 1 && fixture.warnings.all[0].contains("bin/su"))
        #expect(fixture.warnings.all.first?.contains("setuid") == true)
        #expect(try fixture.look("bin/su") == "0:0 100755")
        #expect(fixture.warnings.all.count == 1)
        // The old version is checked out again.
        try fixture.replace("bin/su", "the program su", 0o755)
        #expect(try fixture.look("bin/su") == "0:0 104755")
        #expect(try fixture.reopened().look("bin/su") == "0:0 104755")
    }

    /// A copy is seen while it is being written: that must not cost the setuid bit for good.
    @Test func fileThatIsStillBeingWrittenIsWaitedFor() throws {
        // What was last written to more than a second ago may be taken for finished: on a busy machine it takes more tries.
        for _ in 0..<60 {
            let fixture = try Self.imported()
            let start = System.monotonicMilliseconds
            try fixture.replace("bin/su", "the prog", 0o755)
            let half = try fixture.look("bin/su")
            guard System.monotonicMilliseconds - start < 900 else { continue }
            #expect(half == "0:0 100755")
            #expect(try fixture.hostLabel("bin/su") == "0:0:0755:file")
            try fixture.host.write("bin/su", "the program su", mode: 0o755)
            #expect(try fixture.look("bin/su") == "0:0 104755")
            #expect(fixture.warnings.all == [])
            return
        }
        Issue.record("no file was looked at within a second")
    }

    @Test func capabilityComesBackWithTheSameContentOnly() throws {
        let fixture = try Self.imported()
        func capability() throws -> [UInt8]? {
            let file = try fixture.open(path: "bin/ping")
            return try? fixture.tree.attribute("security.capability", of: file.raw)
        }
        try fixture.replace("bin/ping", "the program ping", 0o755)
        #expect(try capability() == Self.capability)
        #expect(try fixture.look("bin/ping") == "0:0 100755")
        try fixture.replace("bin/ping", "another program!", 0o755, old: true)
        #expect(try capability() == nil)
        #expect(fixture.warnings.all.count == 1)
        try fixture.replace("bin/ping", "the program ping", 0o755)
        #expect(try capability() == Self.capability)
        // The board's own removal is final.
        let file = try fixture.open(path: "bin/ping")
        try fixture.tree.removeAttribute(Array("security.capability".utf8).span.bytes, of: file.raw)
        #expect(try capability() == nil)
        try fixture.replace("bin/ping", "the program ping", 0o755)
        #expect(try capability() == nil)
        #expect(try fixture.reopened().look("bin/ping") == "0:0 100755")
    }

    @Test func specialComesBackOnlyAsAnEmptyFile() throws {
        let fixture = try Self.imported()
        try fixture.replace("dev/tty", "", 0o644)
        let dev = try fixture.open(path: "dev")
        // A listing shows it too.
        #expect(try fixture.tree.kind(of: FileName("tty"), in: dev.raw).kind == .character(major: 5, minor: 0))
        #expect(try fixture.look("dev/tty") == "0:5 20666")
        try fixture.replace("dev/tty", "log of a program that took it for a file", 0o644)
        #expect(try fixture.look("dev/tty") == "0:0 100644")
    }

    @Test func directoriesAndLinksComeBack() throws {
        let fixture = try Self.imported()
        try run(
            "sh",
            "-c",
            "cd \(fixture.host.path) && umask 022 && rm -r home link && mkdir -p home/user && ln -s bin link"
        )
        #expect(try fixture.look("home/user") == "1000:1000 40750")
        #expect(try fixture.look("link") == "1000:1000 120777")
        #expect(try fixture.look("home") == "0:0 40755")
    }

    @Test func rootsOwnLabelComesBackAtTheStart() throws {
        let fixture = try TreeFixture()
        try fixture.tree.change(fixture.root, OwnerAndMode(uid: 3, gid: 4, permissions: 0o1777))
        let writer = try fixture.tree.makeManifestWriter()
        try writer.append(fixture.entry("", fixture.root), of: fixture.root)
        try writer.commit()
        try run("setfattr", "-x", "user.containers.override_stat", fixture.host.path)
        let status = try fixture.reopened().tree.status(of: fixture.root)
        #expect(status.uid == 3 && status.gid == 4 && status.permissions == 0o1777)
    }

    @Test func nothingIsImposedOnWhatTheBoardMade() throws {
        let fixture = try Self.imported()
        let bin = try fixture.open(path: "bin")
        let etc = try fixture.open(path: "etc")
        let root = Owner(uid: 0, gid: 0)
        // Removed and made anew.
        try fixture.tree.unlink(FileName("su"), in: bin.raw, isDirectory: false)
        _ = try fixture.tree.createFile(FileName("su"), in: bin.raw, owner: root, permissions: 0o755)
        #expect(try fixture.look("bin/su") == "0:0 100755")
        #expect(try fixture.reopened().look("bin/su") == "0:0 100755")
        // Another one moved over it, as dpkg does.
        _ = try fixture.tree.createFile(FileName("shadow-"), in: etc.raw, owner: root, permissions: 0o644)
        try fixture.tree.rename(FileName("shadow-"), in: etc.raw, to: FileName("shadow"), in: etc.raw)
        #expect(try fixture.look("etc/shadow") == "0:0 100644")
        #expect(try fixture.reopened().look("etc/shadow") == "0:0 100644")
        // And when that one's label is lost, it is not the import's that comes back.
        try fixture.replace("etc/shadow", "x", 0o644)
        #expect(try fixture.look("etc/shadow") == "0:0 100644")
        // A hard link at the place of a device.
        let dev = try fixture.open(path: "dev")
        try fixture.tree.unlink(FileName("tty"), in: dev.raw, isDirectory: false)
        let shadow = try fixture.open(path: "etc/shadow")
        try fixture.tree.link(shadow.raw, as: FileName("tty"), in: dev.raw)
        #expect(try fixture.look("dev/tty") == "0:0 100644")
    }

    @Test func boardsChangesAreWhatComesBack() throws {
        let fixture = try Self.imported()
        try fixture.change("etc/shadow", uid: 7, 0o600)
        try fixture.replace("etc/shadow", "x", 0o600)
        #expect(try fixture.look("etc/shadow") == "7:42 100600")
        // Of a file that needed no label at its import.
        try fixture.change("bin/ls", uid: 8, 0o2755)
        try fixture.replace("bin/ls", "the program ls", 0o755)
        #expect(try fixture.look("bin/ls") == "8:0 102755")
        // Given back to root: nothing is expected any more, and the label says so.
        try fixture.change("etc/shadow", uid: 0, gid: 0, 0o644)
        #expect(try fixture.hostLabel("etc/shadow") == "0:0:0644:file")
        try fixture.replace("etc/shadow", "x", 0o644)
        #expect(try fixture.reopened().look("etc/shadow") == "0:0 100644")
    }

    @Test func renamesAreFollowed() throws {
        let fixture = try Self.imported()
        try fixture.rename("etc", to: "config")
        try fixture.replace("config/shadow", "x", 0o640)
        #expect(try fixture.look("config/shadow") == "0:42 100640")
        let directory = try fixture.open(path: "config")
        try fixture.tree.rename(FileName("shadow"), in: directory.raw, to: FileName("gshadow"), in: directory.raw)
        try fixture.replace("config/gshadow", "y", 0o640)
        #expect(try fixture.look("config/gshadow") == "0:42 100640")
        // Whatever a developer puts at the old place is a new file.
        try fixture.host.makeDirectory("etc")
        try fixture.host.write("etc/shadow", "z", mode: 0o640)
        try fixture.host.write("config/shadow", "z", mode: 0o640)
        #expect(try fixture.look("etc/shadow") == "0:0 100640")
        #expect(try fixture.look("config/shadow") == "0:0 100640")
    }

    @Test func readOnlyTreeRestoresNothing() throws {
        let fixture = try Self.imported()
        try fixture.replace("etc/shadow", "x", 0o640)
        let reader = try TreeFixture(fixture.host, isReadOnly: true)
        #expect(try reader.look("etc/shadow") == "0:0 100640")
        #expect(try reader.hostLabel("etc/shadow") == nil)
    }

    @Test func tenThousandRowsAreWrittenFast() throws {
        let fixture = try TreeFixture()
        try fixture.create("a")
        let file = try fixture.open("a")
        var entry = try fixture.entry("a", file.raw)
        let took = try processorTime {
            let writer = try fixture.tree.makeManifestWriter()
            for index in 0..<10_000 {
                entry.path = Array("usr/share/doc/package-\(index / 10)/file-\(index)".utf8)
                try writer.append(entry, of: file.raw)
            }
            try writer.commit()
        }
        // 100 ms in a release build; this is a debug build.
        #expect(took < .seconds(3), "\(took)")
        var count = 0
        try fixture.tree.forEachManifestEntry { (_, _) throws(Errno) in count += 1 }
        #expect(count == 10_000)
    }
}

extension TreeFixture {
    /// A file several directories down.
    func open(path: String) throws(Errno) -> OwnedDescriptor {
        var file = try System.open(at: root, ".", [.path, .directory])
        for name in path.split(separator: "/") { file = try tree.lookup(FileName(String(name)), in: file.raw) }
        return file
    }

    func make(_ path: String, _ content: String, uid: UInt32 = 0, gid: UInt32 = 0, _ permissions: UInt32) throws(Errno)
    {
        let parts = path.split(separator: "/").map(String.init)
        let directory = try open(path: parts.dropLast().joined(separator: "/"))
        let owner = Owner(uid: uid, gid: gid)
        let name = try FileName(parts[parts.count - 1])
        let file = try tree.createFile(name, in: directory.raw, owner: owner, permissions: permissions)
        _ = try System.write(file.raw, Array(content.utf8).span.bytes, at: 0)
    }

    /// Puts another file in the place of one, as a tool on the host without labels does.
    /// - Parameter old: it was written a while ago.
    func replace(_ path: String, _ content: String, _ mode: UInt32, old: Bool = false) throws(Errno) {
        try host.write("replacement", content, mode: mode)
        if old { _ = try run("touch", "-d", "-1 hour", host.file("replacement")) }
        try host.rename("replacement", to: path)
    }

    func hostLabel(_ path: String) throws(Errno) -> String? {
        host.attribute(path, "user.containers.override_stat")
    }

    func entry(_ path: String, _ file: CInt) throws(Errno) -> ManifestEntry {
        let status = try tree.status(of: file)
        var entry = ManifestEntry(
            path: Array(path.utf8),
            status: Label(uid: status.uid, gid: status.gid, mode: status.permissions, kind: status.kind),
            size: status.host.size,
            modificationTime: status.host.modificationTime
        )
        if status.kind == .file {
            let opened = try tree.open(file, .readOnly)
            entry.hash = try SHA256.hash(contentOf: opened.raw)
            entry.capability = try? tree.attribute("security.capability", of: file)
        }
        if status.kind == .symlink { entry.linkTarget = Array("bin".utf8) }
        return entry
    }
}
