import ImageEntries
import LinuxFiles
import RootfsImage
import TestSupport
import Testing

/// Archives that are cut short, damaged, or none at all; destinations that won't do.
@Suite struct DamagedArchiveTests {
    private static let content = """
        import random
        random.seed(1)
        for i in range(40): add(f'file{i}', data=random.randbytes(3000))
        """

    private func compressed(_ fixture: ImportFixture, _ program: String) throws -> [UInt8] {
        let archive = try fixture.archive(Self.content)
        let result = try run("sh", "-c", "\(program) -c \(archive) > \(archive).x && rm \(archive)")
        try #require(result.status == 0, "\(result.output)")
        return try fixture.host.read("a.tar.x")
    }

    @Test(arguments: ["cat", "gzip -1", "xz -0", "zstd -q", "bzip2 -1"]) func cutShort(_ program: String) throws {
        let fixture = try ImportFixture()
        let program = program == "cat" ? "sh -c 'cat \"$1\"'" : program
        let whole = try compressed(fixture, program)
        for length in [1, 100, 513, whole.count / 2, whole.count - 10_241, whole.count - 9, whole.count - 1] {
            let isPlainWithoutPadding = program.hasPrefix("sh") && length > whole.count - 10_000
            guard length > 0, length < whole.count, !isPlainWithoutPadding else { continue }
            try fixture.host.write("a.tar.x", Array(whole[..<length]))
            let error = try fixture.refusal(fixture.host.file("a.tar.x"))
            #expect(error.code == .badArchive, "\(length) of \(whole.count): \(error.message)")
        }
    }

    /// A tar file that was cut between two entries looks whole, except that it lacks its end mark.
    @Test func cutBetweenTwoEntries() throws {
        let fixture = try ImportFixture()
        let archive = try fixture.archive("add('a', data=b'x' * 512); add('b')", format: "USTAR")
        let whole = try fixture.host.read("a.tar")
        try fixture.host.write("a.tar", Array(whole[..<1024]))
        let error = try fixture.refusal(archive)
        #expect(error.code == .badArchive)
        #expect(error.message.contains("cut short"))
        #expect(error.hint?.contains("head -c 1024") == true)
        try fixture.host.write("a.tar", Array(whole[..<1024]) + [UInt8](repeating: 0, count: 1024))
        #expect(try fixture.importing(archive).files == 1)
    }

    /// Every single flipped bit must be noticed: gzip's checksum is one that libarchive doesn't look at.
    @Test(arguments: ["gzip -1", "xz -0", "zstd -q --check", "bzip2 -1"]) func flippedBits(_ program: String) throws {
        let fixture = try ImportFixture()
        let whole = try compressed(fixture, program)
        // Behind the header, whose time stamp and flags mean nothing.
        for position in stride(from: 20, to: whole.count, by: whole.count / 40) {
            var damaged = whole
            damaged[position] ^= 0x10
            try fixture.host.write("a.tar.x", damaged)
            let error = try fixture.refusal(fixture.host.file("a.tar.x"))
            #expect(error.code == .badArchive, "byte \(position): \(error.message)")
        }
    }

    @Test func damagedHeaderIsNamedWithItsPlace() throws {
        let fixture = try ImportFixture()
        let archive = try fixture.archive("add('first', data=b'x' * 1024); add('second')", format: "USTAR")
        var bytes = try fixture.host.read("a.tar")
        bytes[512 + 1024 + 3] ^= 1
        try fixture.host.write("a.tar", bytes)
        let error = try fixture.refusal(archive)
        #expect(error.code == .badArchive)
        #expect(error.message.contains("first") && error.message.contains("1536"), "\(error.message)")
        #expect(error.message.contains(archive))
    }

    @Test func whatIsNoArchive() throws {
        let fixture = try ImportFixture()
        let path = try fixture.host.write("a.tar", "this is a text\n")
        #expect(try fixture.refusal(path).code == .badArchive)
        try fixture.host.write("a.tar", [UInt8](repeating: 0x55, count: 100_000))
        #expect(try fixture.refusal(path).message.contains("in no format that can be imported"))
        try fixture.host.write("a.tar", "")
        #expect(try fixture.refusal(path).message.contains("empty"))
        // The same noise each time: any may begin like some format.
        let noise = "import random, sys; random.seed(1); sys.stdout.buffer.write(random.randbytes(100000))"
        #expect(try run("sh", "-c", "python3 -c '\(noise)' | gzip > \(path)").status == 0)
        #expect(try fixture.refusal(path).message.contains("in no format that can be imported"))
        #expect(try fixture.refusal(fixture.host.file("missing.tar")).code == .notFound)
        #expect(try fixture.refusal(fixture.host.path).message.contains("the destination lies in"))
        try fixture.host.write("a.tar", "<!DOCTYPE html>\n404")
        #expect(try fixture.refusal(path).message.contains("is a web page"))
    }

    @Test func garbageAfterGzipIsNoticed() throws {
        let fixture = try ImportFixture()
        let whole = try compressed(fixture, "gzip")
        try fixture.host.write("a.tar.x", whole + Array("garbage".utf8))
        let message = try fixture.refusal(fixture.host.file("a.tar.x")).message
        #expect(message.hasSuffix("behind its gzip data: text that begins with \"garbage\", at byte \(whole.count)"))
    }

    @Test func destinations() throws {
        let fixture = try ImportFixture()
        let archive = try fixture.archive("add('a')")
        func failure(_ destination: String) -> ImageError? {
            do throws(ImageError) {
                _ = try Importer(source: archive, destination: destination).run()
                return nil
            } catch {
                return error
            }
        }
        try fixture.host.write("file", "")
        #expect(try run("mkdir", fixture.host.file("full"), fixture.host.file("empty")).status == 0)
        try fixture.host.write("full/x", "")
        #expect(try run("ln", "-s", "empty", fixture.host.file("link")).status == 0)
        #expect(failure(fixture.host.file("full"))?.message.contains("not empty") == true)
        #expect(failure(fixture.host.file("file"))?.code == .badDestination)
        #expect(failure(fixture.host.file("link"))?.code == .badDestination)
        #expect(failure(fixture.host.file("empty/."))?.code == .badDestination)
        #expect(failure("/")?.code == .badDestination)
        #expect(failure("")?.code == .badDestination)
        #expect(failure(fixture.host.file("no/where"))?.code == .notFound)
        #expect(failure(fixture.host.file("empty/")) == nil)
        #expect(failure(fixture.host.file("new//")) == nil)
        #expect(try fixture.host.names("empty") == ["a"])
        #expect(failure(fixture.host.file(String(repeating: "n", count: 255))) == nil)
    }

    /// Where block headers lie across the borders of two reads in a row, the piece that joined them was read after it had
    /// been freed.
    @Test func zstdBlockHeadersAcrossReads() throws {
        let fixture = try ImportFixture()
        let archive = try fixture.archive("add('a', data=b'x' * 4000000)")
        try fixture.host.write(
            "blocks.py",
            """
            import struct, sys
            data, out, border = open(sys.argv[1], 'rb').read(), bytearray(bytes.fromhex('28b52ffd0058')), 0
            while data:
                border += 128 << 10
                size = min(border - 1 - len(out) - 3, 128 << 10)
                piece, data = data[:size], data[size:]
                out += struct.pack('<I', len(piece) << 3 | (not data))[:3] + piece
            open(sys.argv[2], 'wb').write(out)
            """
        )
        try fixture.shell("python3 blocks.py \"$1\" a.tar.zst", archive)
        #expect(try fixture.importing(fixture.host.file("a.tar.zst")).contentBytes == 4_000_000)
    }

    /// Each member's rest of the block was copied.
    @Test func manySmallGzipMembers() throws {
        let fixture = try ImportFixture()
        let archive = try fixture.archive("add('a', data=b'x' * 100000)")
        try fixture.shell(
            "python3 -c 'import gzip, sys; d = open(sys.argv[1], \"rb\").read(); "
                + "sys.stdout.buffer.write(b\"\".join(gzip.compress(d[i:i + 7]) for i in range(0, len(d), 7)))' \"$1\" > a.gz",
            archive
        )
        #expect(try fixture.importing(fixture.host.file("a.gz")).contentBytes == 100_000)
    }

    @Test func pathsInMessagesAreQuoted() throws {
        let fixture = try ImportFixture()
        try fixture.host.write("no archive", "text")
        let source = fixture.host.file("no archive")
        #expect(try fixture.refusal(source).message.hasPrefix("'\(source)' is"))
        let archive = try fixture.archive("add('a')")
        try fixture.shell("mkdir 'my dir'; touch 'my dir/x'")
        #expect(
            try fixture.refusal(archive, to: "my dir").message == "'\(fixture.host.file("my dir"))' is not empty"
        )
    }
}
