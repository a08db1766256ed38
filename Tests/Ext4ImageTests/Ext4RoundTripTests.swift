import Ext4Image
import FakeRoot
import ImageEntries
import ImageTestSupport
import LinuxFiles
import TestSupport
import Testing

/// What goes into an image comes out of it: no tree, no tool, no mount.
struct Ext4RoundTripTests {
    private static let time = FileTime(seconds: 1_700_000_000, nanoseconds: 123_456_788)

    private static func entry(_ path: String, _ body: ImageEntry.Body, _ permissions: UInt32, size: Int = 0)
        -> ImageEntry
    {
        ImageEntry(
            path: Array(path.utf8),
            body: body,
            owner: Owner(uid: 1000, gid: 70_000),
            permissions: permissions,
            size: UInt64(size),
            modificationTime: time
        )
    }

    private static let content = (0..<300_001).map { UInt8(truncatingIfNeeded: $0 * 7 >> 3) }

    private static let entries: [ImageEntry] = {
        var tool = entry("bin/tool", .file, 0o4755, size: content.count)
        tool.linkCount = 2
        tool.attributes = [ImageEntry.Attribute(name: Array("user.note".utf8), value: [0, 1, 255])]
        return [
            entry("", .directory, 0o755), entry("bin", .directory, 0o1777), tool,
            entry("dev", .directory, 0o700),
            entry("dev/null", .special(.character(major: 1, minor: 3)), 0o666),
            entry("dev/pipe", .special(.pipe), 0o600),
            entry("link", .symlink(Array("bin/tool".utf8)), 0o777),
            entry("long", .symlink([UInt8](repeating: UInt8(ascii: "x"), count: 200)), 0o777),
            entry("other", .hardLink(Array("bin/tool".utf8)), 0o4755),
        ]
    }()

    private func write(_ entries: [ImageEntry], to sink: some EntrySink, _ host: TemporaryDirectory) throws {
        for entry in entries {
            guard entry.body == .file else {
                try sink.add(entry, content: nil)
                continue
            }
            let file = try System.open(host.file("content"), .readOnly)
            try sink.add(entry, content: FileReader(file, size: UInt64(Self.content.count)))
        }
        try sink.finish()
    }

    private func image(_ name: String, _ fixture: Ext4Fixture, _ entries: [ImageEntry] = Self.entries) throws {
        try fixture.host.write("content", Self.content)
        let measurement = Ext4Measurement()
        try write(entries, to: measurement, fixture.host)
        let image = try System.open(
            at: System.atCurrentDirectory,
            fixture.host.file(name),
            [.readWrite, .create, .exclusive],
            mode: 0o600
        )
        try write(entries, to: Ext4Sink(image.raw, measurement), fixture.host)
        extendLifetime(image)
    }

    @Test func entriesComeBack() throws {
        let fixture = try Ext4Fixture()
        try image("image", fixture)
        let found = try fixture.files("image")
        #expect(found.count == Self.entries.count)
        for entry in Self.entries where entry.kind != nil {
            let file = try #require(found[entry.path.isEmpty ? "./" : String(decoding: entry.path, as: UTF8.self)])
            #expect(file.entry.body == entry.body)
            #expect(file.entry.owner == entry.owner)
            #expect(file.entry.permissions == entry.permissions)
            #expect(file.entry.modificationTime == entry.modificationTime)
            #expect(file.entry.attributes == entry.attributes)
            if entry.body == .file { #expect(file.content == Self.content) }
        }
        #expect(found["other"]?.entry.body == .hardLink(Array("bin/tool".utf8)))
    }

    @Test func sameEntriesGiveTheSameBytes() throws {
        let fixture = try Ext4Fixture()
        try image("first", fixture)
        try image("second", fixture)
        #expect(try fixture.host.read("first") == fixture.host.read("second"))
    }

    @Test("entries other than the measured ones are an error")
    func otherEntries() throws {
        let fixture = try Ext4Fixture()
        try fixture.host.write("content", Self.content)
        let measurement = Ext4Measurement()
        try write(Self.entries, to: measurement, fixture.host)
        let image = try System.open(
            at: System.atCurrentDirectory,
            fixture.host.file("image"),
            [.readWrite, .create, .exclusive],
            mode: 0o600
        )
        let sink = try Ext4Sink(image.raw, measurement)
        let error = #expect(throws: ImageError.self) {
            try write(Self.entries.dropLast(), to: sink, fixture.host)
        }
        #expect(error?.code == .treeChanged)
        extendLifetime(image)
    }
}
