internal import CArchive

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

    init(_ input: any ByteInput, first: UnsafeRawBufferPointer) throws(ImageError) {
        guard let archive = archive_read_new() else {
            throw ImageError(.system, "no memory to decompress the archive")
        }
        self.archive = archive
        self.input = input
        self.first = first
        archive_read_support_filter_bzip2(archive)
        archive_read_support_filter_compress(archive)
        archive_read_support_filter_lz4(archive)
        archive_read_support_filter_lzip(archive)
        archive_read_support_filter_lzma(archive)
        archive_read_support_filter_zstd(archive)
        archive_read_support_format_raw(archive)
        archive_read_set_read_callback(archive) { _, context, block in
            guard let context, let block else { return Int(ARCHIVE_FATAL) }
            return Unmanaged<FilterDecoder>.fromOpaque(context).takeUnretainedValue().supply(&block.pointee)
        }
        archive_read_set_callback_data(archive, Unmanaged.passUnretained(self).toOpaque())
        try check(archive_read_open1(archive))
        var entry: OpaquePointer?
        try check(archive_read_next_header(archive, &entry))
    }

    deinit {
        archive_read_free(archive)
    }

    /// Whether there is anything to decompress.
    var isCompressed: Bool { archive_filter_code(archive, 0) != ARCHIVE_FILTER_NONE }

    /// Gives libarchive the next compressed block.
    private func supply(_ block: inout UnsafeRawPointer?) -> Int {
        if let first {
            self.first = nil
            block = first.baseAddress
            return first.count
        }
        guard let next = try? input.next() else { return Int(ARCHIVE_FATAL) }
        block = next.baseAddress
        return next.count
    }

    /// Fills the buffer with decompressed bytes.
    /// - Returns: bytes filled; less than asked for only at the end, and then 0.
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
            throw .needsMemory(input.name, "more than 128 MiB", limit: 128 << 20, program: "zstd --long=31")
        }
        throw .damaged(input.name, text, at: input.bytesRead)
    }
}
