import FakeRoot
import ImageEntries
import LinuxFiles
import TestSupport
import Testing

@testable import RootfsImage

/// The attribute that says how far a conversion is, set by somebody else: no label may go because of it.
@Suite struct ConversionMarkTests {
    private static let mark = "user.usb9pfs.convert"

    /// A tree with what only labels say.
    private func make(_ fixture: ForeignFixture) throws {
        try fixture.shell("mkdir root; echo x > plain; chmod 600 plain; cp plain root/plain")
        let tree = try FakeRootTree(directory: fixture.host.file("root"))
        func label(_ name: String, _ kind: NodeKind, _ mode: UInt32, _ owner: Owner) throws(Errno) {
            let name = try FileName(name)
            switch kind {
            case .file: _ = try tree.createFile(name, in: tree.root.raw, owner: owner, permissions: mode)
            case .directory: try tree.createDirectory(name, in: tree.root.raw, owner: owner, permissions: mode)
            case .symlink: try tree.createSymlink(name, in: tree.root.raw, target: "su", owner: owner)
            default: try tree.createSpecial(name, in: tree.root.raw, owner: owner, permissions: mode, kind: kind)
            }
        }
        try label("su", .file, 0o4755, Owner(uid: 0, gid: 0))
        try label("shadow", .file, 0o640, Owner(uid: 0, gid: 42))
        try label("tmp", .directory, 0o1777, Owner(uid: 0, gid: 0))
        try label("null", .character(major: 1, minor: 3), 0o666, Owner(uid: 0, gid: 0))
        try label("link", .symlink, 0o777, Owner(uid: 5, gid: 6))
        let su = try System.open(fixture.host.file("root/su"), .path)
        let capability = ForeignFixture.netRaw
        try tree.setAttribute(
            Array("security.capability".utf8).span.bytes,
            of: su.raw,
            to: capability.span.bytes,
            flags: 0
        )
    }

    private func description(_ fixture: ForeignFixture, _ kind: MetadataKind = .overrideStat) throws(ImageError)
        -> [String]
    {
        let list = try fixture.entries("root", kind)
        return list.order.map { path in
            let capability = list.attribute("security.capability", of: path) ?? []
            return "\(path) \(list[path] ?? "") \(capability) \(list.contents[path] ?? "")"
        }
    }

    private func set(_ value: String, _ fixture: ForeignFixture) throws(Errno) {
        let root = try System.open(fixture.host.file("root"), .path)
        try HostAttributes.write(Array(Self.mark.utf8), Array(value.utf8), to: root.raw)
    }

    private func takeAway(_ fixture: ForeignFixture) throws(Errno) {
        let root = try System.open(fixture.host.file("root"), .path)
        try HostAttributes.remove(Array(Self.mark.utf8), from: root.raw)
    }

    private func converting(_ fixture: ForeignFixture, to kind: MetadataKind) -> ImageError? {
        do throws(ImageError) {
            _ = try TreeConversion(fixture.host.file("root"), TreeConversion.Options(to: kind)).run()
            return nil
        } catch {
            return error
        }
    }

    /// The advice that every command gave stripped all labels, with exit code 0.
    @Test(arguments: ["replace", "clean"], [MetadataKind.rsync, .virtfs, .pseudo, .deviceTable])
    func plantedMarkStripsNoLabel(_ phase: String, _ kind: MetadataKind) throws {
        let fixture = try ForeignFixture()
        try make(fixture)
        let before = try description(fixture)
        let host = try fixture.shell("find root -printf '%P %y %s %m %l\\n' | sort; getfattr -R -h -d -m override root")
        try set("\(phase) override-stat \(kind.rawValue)", fixture)
        let failure = try #require(converting(fixture, to: kind))
        #expect(
            failure.code == .badDestination && failure.message.contains("is marked as being converted"),
            "\(failure)"
        )
        #expect(failure.hint?.contains("setfattr -x \(Self.mark) \(fixture.host.file("root"))") == true)
        try takeAway(fixture)
        #expect(try description(fixture) == before)
        #expect(
            try fixture.shell("find root -printf '%P %y %s %m %l\\n' | sort; getfattr -R -h -d -m override root")
                == host
        )
    }

    /// A mark to begin anew from metadata that nobody has written would have made other people's of root's files.
    @Test(arguments: [MetadataKind.rsync, .virtfs, .rootlesscontainers, .virtfsFile])
    func markToBeginWithNothingIsRefused(_ from: MetadataKind) throws {
        let fixture = try ForeignFixture()
        try make(fixture)
        let before = try description(fixture)
        try set("describe \(from.rawValue) override-stat", fixture)
        let failure = try #require(converting(fixture, to: .overrideStat))
        #expect(failure.message.contains("none of its files has anything"), "\(failure)")
        try takeAway(fixture)
        #expect(try description(fixture) == before)
    }

    @Test func markOnAnImportedTreeIsRefused() throws {
        let fixture = try ImportFixture()
        try fixture.importing(fixture.archive("add('etc', D); add('etc/shadow', gid=42, mode=0o640)"))
        let root = try System.open(fixture.host.file("root"), .path)
        try HostAttributes.write(Array(Self.mark.utf8), Array("describe dir override-stat".utf8), to: root.raw)
        var failure: ImageError?
        do throws(ImageError) {
            _ = try TreeConversion(fixture.host.file("root"), TreeConversion.Options(to: .overrideStat)).run()
        } catch {
            failure = error
        }
        #expect(failure?.message.contains("it is a tree that was imported") == true, "\(String(describing: failure))")
        #expect(try fixture.status("etc/shadow").gid == 42)
    }

    @Test(arguments: [
        "", "x", "clean", "clean override-stat", "clean override-stat rsync more", "clean  rsync override-stat",
        "clean override-stat fakeroot", "clean rsync rsync", "remove override-stat rsync",
        "\u{1b}[2J override-stat rsync",
        String(repeating: "clean ", count: 500),
    ])
    func malformedMarkIsRefusedWithAdvice(_ value: String) throws {
        let fixture = try ForeignFixture()
        try make(fixture)
        let before = try description(fixture)
        try set(value, fixture)
        for kind in TreeConversion.targets {
            let failure = try #require(converting(fixture, to: kind))
            #expect(failure.message.contains("not a mark of a conversion"), "\(failure)")
            #expect(failure.hint?.contains("setfattr -x") == true && !failure.message.utf8.contains(0x1b))
        }
        // Others say the same.
        #expect(TreeArgument.conversion(of: fixture.host.file("root"))?.hint?.contains("setfattr -x") == true)
        try takeAway(fixture)
        #expect(try description(fixture) == before)
    }

    /// Somebody has changed one of the two views of a file between the interruption and the end.
    @Test func differingMetadataAreNotRemoved() throws {
        let fixture = try ForeignFixture()
        try make(fixture)
        #expect(converting(fixture, to: .rsync) == nil)
        // As if the last pass had just begun.
        try fixture.shell("setfattr -n user.containers.override_stat -v 0:42:0640:file root/shadow")
        try set("clean override-stat rsync", fixture)
        let whole = try description(fixture, .rsync, marked: true)
        try fixture.shell("setfattr -n user.rsync.%stat -v '100640 0,0 0:0' root/shadow")
        let failure = try #require(converting(fixture, to: .rsync))
        #expect(failure.message.contains("shadow differ") && failure.message.contains("another owner"), "\(failure)")
        #expect(try fixture.shell("getfattr -d -m override root/shadow").contains("0:42:0640:file"))
        try fixture.shell("setfattr -n user.rsync.%stat -v '100640 0,0 0:42' root/shadow")
        #expect(converting(fixture, to: .rsync) == nil)
        #expect(try description(fixture, .rsync) == whole)
    }

    private func description(
        _ fixture: ForeignFixture,
        _ kind: MetadataKind,
        marked: Bool
    ) throws -> [String] {
        let value = "clean override-stat rsync"
        try takeAway(fixture)
        let result = try description(fixture, kind)
        try set(value, fixture)
        return result
    }

    /// What can't be converted is found before the tree is marked: it could never be finished.
    @Test func tooDeepTreeIsRefusedBeforeTheFirstChange() throws {
        let fixture = try ForeignFixture()
        try make(fixture)
        try fixture.shell("cd root; for i in $(seq 520); do mkdir d; cd d; done")
        let failure = try #require(converting(fixture, to: .rsync))
        #expect(failure.message.contains("more than 512 directories deep"), "\(failure)")
        #expect(try fixture.shell("getfattr -R -h -d -m 'rsync|usb9pfs.convert' root") == "")
    }
}
