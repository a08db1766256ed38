package import ImageEntries
internal import LinuxFiles

/// The entries of a cpio archive, or of several, one behind the other, the last of them compressed, as the kernel takes an
/// initramfs.
///
/// Belongs to one thread, which uses the C locale meanwhile; see `ArchiveReader`.
///
/// Source: `Documentation/driver-api/early-userspace/buffer-format.rst` of the kernel.
package final class CpioSource: EntrySource {
    private let reader: ArchiveReader
    private let cancellation: Cancellation
    package private(set) var closingNotices: [String] = []
    /// In the crc format: the sum of the content's bytes in the header, and that of the bytes read.
    private var contentSum: (expected: UInt32, actual: UInt32)?
    /// How often compressed archives followed uncompressed ones.
    private var nesting = 0

    /// Each compressed archive behind an uncompressed one costs a thread and a mebibyte.
    private static let maxNesting = 16

    /// Opens an archive at its first entry.
    /// - Parameters:
    ///   - stream: abandoned when this ends.
    ///   - input: what the stream was made of.
    /// - Throws: `badArchive` unless it is a cpio archive.
    package init(
        _ stream: ArchiveStream,
        _ input: any ByteInput,
        _ cancellation: Cancellation
    ) throws(ImageError) {
        self.cancellation = cancellation
        reader = try ArchiveReader(stream, input, .cpio)
    }

    private var input: any ByteInput { reader.input }

    package func next() throws(ImageError) -> ImageEntry? {
        while true {
            let entry = try reader.next()
            try checkHeader()
            if let entry { return try entry.imageEntry() }
            guard try openNextSegment() else { return nil }
        }
    }

    package var notice: String? { reader.warning }

    /// libarchive goes on to the next bytes that look like a header, and takes a malformed number for a smaller one.
    private func checkHeader() throws(ImageError) {
        let header = reader.takeHeader()
        contentSum = CpioHeader.sum(header)
        guard !CpioHeader.isWhole(header) else { return }
        throw .damaged(
            input.name,
            "what should be a header of a cpio archive is not one, or has what is not a number (byte \(reader.headerStart) of the cpio stream)",
            at: input.bytesRead
        )
    }

    package func forEachBlock(
        _ body: (UnsafeRawBufferPointer, Int64) throws(ImageError) -> Void
    ) throws(ImageError) {
        guard var sum = contentSum else { return try reader.forEachBlock(body) }
        try reader.forEachBlock { (bytes, offset) throws(ImageError) in
            for byte in bytes { sum.actual &+= UInt32(byte) }
            try body(bytes, offset)
        }
        contentSum = sum
        guard sum.actual == sum.expected else {
            throw .damaged(input.name, "the checksum of \(reader.entryName) is wrong", at: input.bytesRead)
        }
    }

    package var bytesRead: UInt64 { input.bytesRead }

    package var bytesTotal: UInt64? { input.size }

    /// Reads on to the end of the file, where the checksum of the compressed data stands.
    /// - Throws: as `ArchiveStream.next`, such as `badArchive` for a wrong checksum.
    package func finish() throws(ImageError) {
        while try !reader.stream.next().isEmpty {}
    }

    // MARK: What comes behind an archive

    /// Goes on behind the end mark, as the kernel does with an initramfs: zeros, then another archive, which may be
    /// compressed if this one isn't.
    /// - Returns: false if there is nothing more.
    private func openNextSegment() throws(ImageError) -> Bool {
        // libarchive takes whole blocks, and holds on to one only as long as it has not consumed the whole.
        var (_, rest, isWhole) = reader.unused
        guard isWhole else {
            throw ImageError(.system, "can't find the end of the cpio archive in \(input.name)")
        }
        var padding = 0
        while true {
            if let start = rest.firstIndex(where: { $0 != 0 }) {
                padding += start
                rest = UnsafeRawBufferPointer(rebasing: rest[start...])
                break
            }
            padding += rest.count
            rest = try reader.stream.next()
            if rest.isEmpty { return false }
        }
        try open(segment: rest, padding: padding)
        return true
    }

    private func open(segment rest: UnsafeRawBufferPointer, padding: Int) throws(ImageError) {
        let position = reader.stream.position.map { $0 - UInt64(rest.count) }
        // A header of ASCII digits; the reader takes it from the same stream.
        let isPlain = rest.first == UInt8(ascii: "0")
        // What was compressed holds cpio archives only, and more compressed data begins apart from it.
        if isPlain || reader.stream.isCompressed {
            try reader.stream.giveBack(rest, joining: 4096)
        } else {
            nesting += 1
            guard nesting <= Self.maxNesting else {
                throw ImageError(
                    .badArchive,
                    "\(input.name) changes more than \(Self.maxNesting) times from uncompressed to compressed cpio archives",
                    hint: "Unpack it with the tools that made it, and import what they give."
                )
            }
            // The old stream is the new one's input from here on.
            let inner = try StreamInput(reader.stream, input, rest: rest)
            reader.stream = try ArchiveStream(inner, cancellation)
        }
        let next = try reader.stream.peek()
        guard SourceSignature(next) == .cpio else {
            throw ImageError.trailing(
                in: input,
                next,
                after: "the cpio archive's end mark",
                padding: padding,
                at: position
            )
        }
        if isPlain, let position, position % 4 != 0 {
            closingNotices.append(
                "the cpio archive at byte \(position) was taken, but no kernel looks for one there: align it to 4 bytes"
            )
        }
        try reader.restart()
    }
}
