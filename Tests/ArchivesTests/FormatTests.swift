import Testing

@testable import Archives

/// What is told from bytes and words alone.
struct FormatTests {
    private func signature(_ bytes: [UInt8]) -> SourceSignature {
        bytes.span.withUnsafeBytes { SourceSignature($0) }
    }

    private static let magics: [(text: String, signature: SourceSignature)] = [
        ("070701", .cpio), ("070702", .cpio), ("070707", .cpio), ("hsqs", .squashfs), ("", .unknown),
        ("07070", .unknown),
        ("\u{7f}ELF", .other("a program")), ("!<arch>\n", .other("a Debian package or ar archive")),
    ]

    @Test(arguments: magics) func recognizes(text: String, expected: SourceSignature) {
        #expect(signature(Array(text.utf8)) == expected)
    }

    @Test("a tar header is recognized by its checksum, and an empty archive by its zeros")
    func tar() {
        var header = TarHeader(path: Array("name".utf8), kind: .file, permissions: 0o644).blocks()
        #expect(signature(header) == .tar)
        header[0] ^= 1
        #expect(signature(header) == .unknown)
        #expect(signature([UInt8](repeating: 0, count: 512)) == .tar)
    }

    @Test func compressedFormats() {
        func format(_ bytes: [UInt8]) -> CompressedFormat? { bytes.span.withUnsafeBytes { CompressedFormat($0) } }
        #expect(format([0x1f, 0x8b, 8]) == .gzip)
        #expect(format([0x28, 0xb5, 0x2f, 0xfd]) == .zstd)
        #expect(format(Array("LZIP".utf8)) == .lzip)
        // Not bzip2 data: neither a block nor the end follows.
        #expect(format(Array("BZh9 and some words".utf8)) == nil)
        #expect(format([]) == nil)
    }

    @Test("the end of zstd's frames is found whatever the pieces are")
    func frames() {
        // A frame of one raw block of 3 bytes, a skippable frame of 2, and zeros.
        let frame: [UInt8] = [0x28, 0xb5, 0x2f, 0xfd, 0x20, 3, 0x19, 0, 0, 1, 2, 3]
        let skippable: [UInt8] = [0x5a, 0x2a, 0x4d, 0x18, 2, 0, 0, 0, 9, 9]
        let bytes = frame + skippable + [0, 0, 0, 0]
        for size in 1...bytes.count {
            var scanner = FrameScanner(.zstd)
            var held: [UInt8] = []
            var taken = 0
            for start in stride(from: 0, to: bytes.count, by: size) {
                guard scanner?.isAtEnd == false else { break }
                held += bytes[start..<min(start + size, bytes.count)]
                let count = held.span.withUnsafeBytes { scanner?.advance($0, isLast: false) ?? 0 }
                taken += count
                held.removeFirst(count)
            }
            #expect(scanner?.isAtEnd == true, "in pieces of \(size)")
            #expect(taken == frame.count + skippable.count, "in pieces of \(size)")
        }
    }

    @Test func platforms() throws {
        func fit(_ found: String, _ wanted: String) throws -> Platform.Fit? {
            try #require(Platform(parsing: found)).fit(#require(Platform(parsing: wanted)))
        }
        #expect(try fit("linux/arm64", "linux/arm64") == .literal)
        #expect(try fit("linux/arm64/v8", "linux/aarch64") == .same)
        #expect(try fit("linux/arm/v6", "linux/arm") == .otherVariant)
        #expect(try fit("linux/arm", "linux/arm/v7") == .same)
        #expect(try fit("linux/amd64", "linux/arm64") == nil)
        #expect(Platform(parsing: "linux") == nil)
        #expect(Platform(parsing: "linux//v8") == nil)
    }

    @Test(arguments: [
        (0, "1970-01-01T00:00:00Z"), (951_782_400, "2000-02-29T00:00:00Z"), (-1, "1969-12-31T23:59:59Z"),
        (Int64.max, "9999-12-31T23:59:59Z"), (Int64.min, "0000-01-01T00:00:00Z"),
    ]) func times(seconds: Int64, text: String) {
        #expect(OCISink.text(seconds) == text)
    }
}
