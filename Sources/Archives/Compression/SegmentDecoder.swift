internal import ImageEntries
internal import LinuxFiles

/// Decompresses a source that consists of one compressed stream, of several one behind the other, or of uncompressed data.
///
/// Members of one format join, as gzip(1), xz(1), zstd(1) and bzip2(1) have it. A cpio archive may go on with another
/// format, or uncompressed, and with zeros between, as the kernel takes an initramfs.
///
/// Source: `Documentation/driver-api/early-userspace/buffer-format.rst` and `init/initramfs.c` of the kernel.
final class SegmentDecoder {
    private enum Decoder {
        case gzip(GzipDecoder)
        case xz(XZDecoder)
        case filter(FilterDecoder)
    }

    private let input: any ByteInput
    private var decoder: Decoder
    private var format: CompressedFormat?
    /// The decoder of what follows, where a read ended at the border.
    private var next: (decoder: Decoder, format: CompressedFormat?)?
    /// Whether the first bytes are a cpio archive's; nil before there were any.
    private var isCpio: Bool?
    /// What a decoder has as its first block, if that had to be put together.
    private var joined: UnsafeMutableRawBufferPointer?
    private var isAtEnd = false

    /// As much as it takes to recognize a format, in bytes.
    private static let headSize = 4096

    init(_ input: any ByteInput) throws(ImageError) {
        self.input = input
        let first = try input.next()
        guard !first.isEmpty else { throw ImageError(.badArchive, "\(input.name) is empty: it has no bytes at all") }
        (decoder, format) = try Self.open(input, first)
    }

    deinit {
        joined?.deallocate()
    }

    /// Whether the bytes read last were compressed.
    var isCompressed: Bool { format != nil }

    /// Where in the input the bytes read last end; only for what is not compressed.
    var position: UInt64 {
        guard case .filter(let decoder) = decoder else { return 0 }
        return input.bytesRead - UInt64(decoder.unread)
    }

    private static func open(
        _ input: any ByteInput,
        _ first: UnsafeRawBufferPointer
    ) throws(ImageError) -> (Decoder, CompressedFormat?) {
        switch CompressedFormat(first) {
        case .gzip: return (.gzip(try GzipDecoder(input, first: first)), .gzip)
        case .xz: return (.xz(try XZDecoder(input, first: first)), .xz)
        case let found:
            let decoder = try FilterDecoder(input, first: first)
            // libarchive knows some forms more, such as zstd's skippable frames.
            return (.filter(decoder), decoder.isCompressed ? found ?? decoder.format : nil)
        }
    }

    /// Fills the buffer with decompressed bytes.
    /// - Returns: bytes filled; less than asked for only at the end, and where compressed and other bytes meet; 0 at the
    ///   end.
    func read(into buffer: UnsafeMutableRawBufferPointer) throws(ImageError) -> Int {
        if let next {
            (decoder, format) = next
            self.next = nil
        }
        var filled = 0
        while filled < buffer.count, !isAtEnd {
            let rest = UnsafeMutableRawBufferPointer(rebasing: buffer[filled...])
            let count =
                switch decoder {
                case .gzip(let decoder): try decoder.read(into: rest)
                case .xz(let decoder): try decoder.read(into: rest)
                case .filter(let decoder): try decoder.read(into: rest)
                }
            filled += count
            if isCpio == nil, filled > 0 {
                isCpio = SourceSignature(UnsafeRawBufferPointer(rebasing: buffer[..<filled])) == .cpio
            }
            guard count < rest.count else { break }
            guard let found = try openNext() else {
                isAtEnd = true
                break
            }
            if (found.format == nil) != (format == nil), filled > 0 {
                next = found
                break
            }
            (decoder, format) = found
        }
        return filled
    }

    // MARK: What follows

    /// The decoder of what follows the current compressed data.
    /// - Returns: nil at the end of the input, and behind what is not compressed: that has taken everything.
    private func openNext() throws(ImageError) -> (decoder: Decoder, format: CompressedFormat?)? {
        guard let ended = format else { return nil }
        if let next = try openAtOnce(after: ended) { return next }
        var rest =
            switch decoder {
            case .gzip(let decoder): Array(decoder.leftover)
            case .xz(let decoder): Array(decoder.leftover)
            case .filter(let decoder): decoder.leftover
            }
        var padding = 0
        while true {
            if let start = rest.firstIndex(where: { $0 != 0 }) {
                padding += start
                rest.removeFirst(start)
                break
            }
            padding += rest.count
            rest = Array(try input.next())
            if rest.isEmpty { return nil }
        }
        while rest.count < Self.headSize {
            let more = try input.next()
            if more.isEmpty { break }
            rest += more
        }
        return try rest.span.withUnsafeBytes { (rest) throws(ImageError) in
            guard isAllowed(rest, after: ended, padding: padding) else {
                throw ImageError.trailing(
                    in: input,
                    rest,
                    after: "its \(ended.rawValue) data",
                    padding: padding,
                    at: input.bytesRead - UInt64(rest.count)
                )
            }
            let copy = UnsafeMutableRawBufferPointer.allocate(byteCount: rest.count, alignment: 16)
            copy.copyMemory(from: rest)
            // The decoder that has ended may have had its first block there, and no longer needs it.
            joined?.deallocate()
            joined = copy
            return try Self.open(input, UnsafeRawBufferPointer(copy))
        }
    }

    /// The decoder of what follows in the current block, if there is enough of it: the block is not copied for each of
    /// many small members.
    private func openAtOnce(
        after ended: CompressedFormat
    ) throws(ImageError) -> (decoder: Decoder, format: CompressedFormat?)? {
        let rest: UnsafeRawBufferPointer
        switch decoder {
        case .gzip(let decoder): rest = decoder.leftover
        case .xz(let decoder): rest = decoder.leftover
        case .filter: return nil
        }
        guard rest.count >= Self.headSize, rest[0] != 0, isAllowed(rest, after: ended, padding: 0) else { return nil }
        return try Self.open(input, rest)
    }

    private func isAllowed(_ rest: UnsafeRawBufferPointer, after ended: CompressedFormat, padding: Int) -> Bool {
        let found = CompressedFormat(rest)
        // What is empty may be followed by anything, as a cpio archive.
        if isCpio != false { return found != nil || SourceSignature(rest) == .cpio }
        // xz pads its streams by itself; with the others, zeros are the end.
        return found == ended && (padding == 0 || ended == .xz)
            // zstd's and lz4's frames that hold no data.
            || found == nil && padding == 0 && [.zstd, .lz4].contains(ended) && rest.count >= 4
                && rest[0] & 0xf0 == 0x50 && rest[1...].starts(with: [0x2a, 0x4d, 0x18])
    }
}
