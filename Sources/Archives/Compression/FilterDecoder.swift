internal import CArchive
internal import ImageEntries

/// Decompresses what libarchive has a filter for (zstd, bzip2 and their kin), and hands through what is not
/// compressed at all.
///
/// Only filters that work inside the process: libarchive would start a program for others. And only those whose memory
/// is bounded by their format or libarchive, seen with 3.6: lzip 512 MiB, lzma and zstd 128 MiB, the others a few MiB.
final class FilterDecoder {
    private let archive: OpaquePointer
    private let input: any ByteInput
    /// Read already, to recognize the format.
    private var first: UnsafeRawBufferPointer?
    /// What is left of the last decompressed block.
    private var rest = UnsafeRawBufferPointer(start: nil, count: 0)
    private var isAtEnd = false
    /// Set if the data are zstd's or lz4's.
    private var frames: FrameScanner?
    /// What follows the frames in the input's current block.
    private var afterFrames: [UInt8]?
    /// Bytes at the end of the last block that may or may not belong to the frames.
    private var held: [UInt8] = []
    /// A block that such bytes stand before.
    private var joined: UnsafeMutableRawBufferPointer?
    private var bytesSupplied: UInt64 = 0
    /// The block given last, and the end of the one before: libarchive may have looked ahead over the border.
    private var lastBlock = UnsafeRawBufferPointer(start: nil, count: 0)
    private var tail: [UInt8] = []

    /// - Parameter first: the first block of `input`, which was read to recognize the format.
    init(_ input: any ByteInput, first: UnsafeRawBufferPointer) throws(ImageError) {
        guard let archive = archive_read_new() else {
            throw ImageError(.system, "no memory to decompress the archive")
        }
        self.archive = archive
        self.input = input
        self.first = first
        frames = FrameScanner(CompressedFormat(first))
        archive_read_support_filter_bzip2(archive)
        archive_read_support_filter_compress(archive)
        archive_read_support_filter_lz4(archive)
        archive_read_support_filter_lzip(archive)
        archive_read_support_filter_lzma(archive)
        archive_read_support_filter_zstd(archive)
        archive_read_support_format_raw(archive)
        archive_read_support_format_empty(archive)
        archive_read_set_read_callback(archive) { _, context, block in
            guard let context, let block else { return Int(ARCHIVE_FATAL) }
            return Unmanaged<FilterDecoder>.fromOpaque(context).takeUnretainedValue().supply(&block.pointee)
        }
        archive_read_set_callback_data(archive, Unmanaged.passUnretained(self).toOpaque())
        try check(archive_read_open1(archive))
        var entry: OpaquePointer?
        let code = archive_read_next_header(archive, &entry)
        // A member without a byte in it.
        if code == ARCHIVE_EOF {
            isAtEnd = true
        } else {
            try check(code)
        }
    }

    deinit {
        archive_read_free(archive)
        joined?.deallocate()
    }

    /// Whether there is anything to decompress.
    var isCompressed: Bool { format != nil }

    /// What libarchive takes it for; nil if it is not compressed.
    var format: CompressedFormat? {
        switch archive_filter_code(archive, 0) {
        case ARCHIVE_FILTER_BZIP2: .bzip2
        case ARCHIVE_FILTER_COMPRESS: .compress
        case ARCHIVE_FILTER_LZ4: .lz4
        case ARCHIVE_FILTER_LZIP: .lzip
        case ARCHIVE_FILTER_LZMA: .lzma
        case ARCHIVE_FILTER_ZSTD: .zstd
        default: nil
        }
    }

    /// Gives libarchive the next compressed block.
    private func supply(_ block: inout UnsafeRawPointer?) -> Int {
        if afterFrames != nil { return 0 }
        // Before the next block takes its memory.
        tail = Array(lastBlock.suffix(Self.tailSize))
        guard var next = try? takeBlock() else { return Int(ARCHIVE_FATAL) }
        var count = frames == nil ? next.count : countOfFrames(next)
        while count == 0, !held.isEmpty {
            let size = next.count
            guard let more = try? takeBlock() else { return Int(ARCHIVE_FATAL) }
            next = more
            count = more.count == size ? size : countOfFrames(more)
        }
        block = next.baseAddress
        lastBlock = next
        bytesSupplied += UInt64(count)
        return count
    }

    /// How many bytes of a block belong to the frames; keeps the others.
    private func countOfFrames(_ block: UnsafeRawBufferPointer) -> Int {
        let count = frames?.advance(block, isLast: block.count < 4) ?? block.count
        let rest = Array(block[count...])
        if frames?.isAtEnd == true { afterFrames = rest } else { held = rest }
        return count
    }

    private func takeBlock() throws(ImageError) -> UnsafeRawBufferPointer {
        if let first {
            self.first = nil
            return first
        }
        let next = try input.next()
        guard !held.isEmpty else { return next }
        joined?.deallocate()
        let whole = UnsafeMutableRawBufferPointer.allocate(byteCount: held.count + next.count, alignment: 16)
        whole.copyBytes(from: held)
        UnsafeMutableRawBufferPointer(rebasing: whole[held.count...]).copyBytes(from: next)
        held = []
        joined = whole
        return UnsafeRawBufferPointer(whole)
    }

    /// Bytes taken from the input and not given yet; only of what is not compressed.
    var unread: Int { rest.count }

    /// More than any decompressor looks ahead.
    private static let tailSize = 4096

    /// What follows the compressed data in the blocks taken from the input so far; only after `read` has given less
    /// than asked for.
    var leftover: [UInt8] {
        if let afterFrames { return afterFrames }
        let consumed = UInt64(clamping: archive_filter_bytes(archive, -1))
        let count = Int(clamping: bytesSupplied - min(consumed, bytesSupplied))
        return Array((tail + lastBlock).suffix(count))
    }

    /// Fills the buffer with decompressed bytes.
    /// - Returns: bytes filled; less than asked for only at the data's end, and then 0.
    func read(into buffer: UnsafeMutableRawBufferPointer) throws(ImageError) -> Int {
        var filled = 0
        while filled < buffer.count {
            if rest.isEmpty { try refill() }
            if rest.isEmpty { break }
            let count = min(rest.count, buffer.count - filled)
            UnsafeMutableRawBufferPointer(rebasing: buffer[filled...]).copyMemory(
                from: UnsafeRawBufferPointer(rebasing: rest[..<count])
            )
            rest = UnsafeRawBufferPointer(rebasing: rest[count...])
            filled += count
        }
        return filled
    }

    private func refill() throws(ImageError) {
        guard !isAtEnd else { return }
        var start: UnsafeRawPointer?
        var count = 0
        var offset: Int64 = 0
        let code = archive_read_data_block(archive, &start, &count, &offset)
        if code == ARCHIVE_EOF {
            isAtEnd = true
        } else {
            try check(code)
            rest = UnsafeRawBufferPointer(start: start, count: count)
        }
    }

    private func check(_ code: CInt) throws(ImageError) {
        guard code != ARCHIVE_OK, code != ARCHIVE_WARN else { return }
        if let failure = input.failure { throw failure }
        let text = archive_error_string(archive).map { String(cString: $0) } ?? "wrong compressed data"
        // libzstd's words. Its limit is ZSTD_WINDOWLOG_LIMIT_DEFAULT.
        if text.hasSuffix("Frame requires too much memory for decoding") {
            throw .needsMemory(input, "more than 128 MiB", limit: 128 << 20, program: "zstd --long=31")
        }
        throw .damaged(input.name, text, at: input.bytesRead)
    }
}
