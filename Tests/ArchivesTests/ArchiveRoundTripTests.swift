import Archives
import FakeRoot
import ImageEntries
import ImageTestSupport
import LinuxFiles
import TestSupport
import Testing

/// What goes into an archive comes out of it: streams of entries only, no tree.
struct ArchiveRoundTripTests {
    private let host: TemporaryDirectory

    private static let content = (0..<300_001).map { UInt8(truncatingIfNeeded: $0 * 7 >> 3) }

    init() throws {
        host = try TemporaryDirectory()
        try host.write("content", Self.content)
    }

    private static func entry(
        _ path: String,
        _ body: ImageEntry.Body,
        _ permissions: UInt32,
        size: Int = 0,
        nanoseconds: UInt32 = 0
    ) -> ImageEntry {
        ImageEntry(
            path: Array(path.utf8),
            body: body,
            owner: Owner(uid: 1000, gid: 70_000),
            permissions: permissions,
            size: UInt64(size),
            modificationTime: FileTime(seconds: 1_700_000_000, nanoseconds: nanoseconds)
        )
    }

    /// All that cpio can hold, too; with other names if a file has any.
    private static func entries(nanoseconds: UInt32 = 0) -> [ImageEntry] {
        var tool = entry("bin/tool", .file, 0o4755, size: content.count, nanoseconds: nanoseconds)
        tool.linkCount = 2
        var other = entry("other", .hardLink(Array("bin/tool".utf8)), 0o4755)
        other.linkCount = 2
        return [
            entry("bin", .directory, 0o1777, nanoseconds: nanoseconds), tool,
            entry("dev", .directory, 0o700, nanoseconds: nanoseconds),
            entry("dev/null", .special(.character(major: 1, minor: 3)), 0o666, nanoseconds: nanoseconds),
            entry("dev/pipe", .special(.pipe), 0o600, nanoseconds: nanoseconds),
            entry("link", .symlink(Array("bin/tool".utf8)), 0o777, nanoseconds: nanoseconds),
            entry(String(repeating: "n", count: 150), .directory, 0o755, nanoseconds: nanoseconds), other,
        ]
    }

    private func write(_ entries: [ImageEntry], to sink: some EntrySink) throws {
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

    /// Has `write` fill a file.
    private func output(_ name: String, _ write: (DescriptorOutput, ExportWait) throws -> Void) throws {
        let file = try System.open(
            at: System.atCurrentDirectory,
            host.file(name),
            [.writeOnly, .create, .exclusive],
            mode: 0o600
        )
        let wait = ExportWait(Cancellation())
        try write(DescriptorOutput(file.raw, name: name, wait), wait)
        extendLifetime(file)
    }

    private func stream(_ name: String) throws -> (ArchiveStream, FileInput) {
        let input = try FileInput(System.open(host.file(name), .readOnly), name: name, Cancellation())
        return (try ArchiveStream(input, Cancellation()), input)
    }

    private func readTar(_ name: String) throws -> [String: EntryList.File] {
        let (stream, input) = try stream(name)
        return try EntryList(TarSource(stream, input)).files
    }

    private func readCpio(_ name: String) throws -> [String: EntryList.File] {
        let (stream, input) = try stream(name)
        return try EntryList(CpioSource(stream, input, Cancellation())).files
    }

    private func compare(_ found: [String: EntryList.File], _ entries: [ImageEntry], prefix: String = "") throws {
        #expect(found.count == entries.count)
        for entry in entries where entry.kind != nil {
            let name = prefix + String(decoding: entry.path, as: UTF8.self)
            let file = try #require(found[name] ?? found[name + "/"], "\(name)")
            #expect(file.entry.body == entry.body)
            #expect(file.entry.owner == entry.owner)
            #expect(file.entry.permissions == entry.permissions)
            #expect(file.entry.modificationTime == entry.modificationTime)
            #expect(file.entry.attributes == entry.attributes)
            #expect(file.notice == nil)
            if entry.body == .file { #expect(file.content == Self.content) }
        }
    }

    @Test(arguments: Compression.allCases) func tar(compression: Compression) throws {
        var entries = Self.entries(nanoseconds: 123_456_789)
        entries[1].attributes = [ImageEntry.Attribute(name: Array("user.a=b".utf8), value: [0, 1, 255])]
        try output("a.tar") { (output, wait) in
            let compressed: any ByteOutput =
                compression == .none ? output : try CompressedOutput(output, compression, wait)
            try write(entries, to: TarSink(compressed))
        }
        let found = try readTar("a.tar")
        try compare(found, entries, prefix: "./")
        #expect(found["./other"]?.entry.body == .hardLink(Array("./bin/tool".utf8)))
    }

    @Test func cpio() throws {
        try output("a.cpio") { (output, _) in try write(Self.entries(), to: CpioSink(output)) }
        let found = try readCpio("a.cpio")
        try compare(found, Self.entries())
        #expect(found["other"]?.entry.body == .hardLink(Array("bin/tool".utf8)))
    }

    @Test("a sparse file's holes are neither written nor delivered")
    func sparse() throws {
        let file = try System.open(
            at: System.atCurrentDirectory,
            host.file("sparse"),
            [.readWrite, .create, .exclusive],
            mode: 0o600
        )
        let piece = [UInt8](repeating: 7, count: 4096)
        _ = try System.write(file.raw, piece.span.bytes, at: 1 << 20)
        try System.truncate(file.raw, to: 4 << 20)
        let size: UInt64 = 4 << 20
        try output("a.tar") { (output, _) in
            let sink = TarSink(output)
            try sink.add(
                Self.entry("sparse", .file, 0o644, size: Int(size)),
                content: FileReader(System.duplicate(file.raw), size: size)
            )
            try sink.finish()
            #expect(output.count < 64 << 10)
        }
        let found = try #require(try readTar("a.tar")["./sparse"])
        #expect(found.entry.size == size)
        #expect(found.delivered == piece.count)
        #expect(found.content?[1 << 20..<1 << 20 + piece.count].elementsEqual(piece) == true)
        extendLifetime(file)
    }

    @Test("what an archive can't hold is counted, and the first such file named")
    func losses() throws {
        try output("a.cpio") { (output, _) in
            let sink = CpioSink(output)
            var entry = Self.entry("lossy", .directory, 0o755)
            entry.attributes = [ImageEntry.Attribute(name: Array("user.x".utf8), value: [])]
            try sink.add(entry, content: nil)
            try sink.finish()
            #expect(sink.losses.attributes == 1)
            #expect(sink.losses.example == "lossy")
        }
    }
}
