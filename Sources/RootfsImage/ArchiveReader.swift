internal import CArchive
internal import Glibc
internal import LinuxFiles

/// The entries of an archive that libarchive reads, in order.
///
/// Belongs to one thread: from its making to its end, that thread uses the C locale. In a UTF-8 locale libarchive
/// normalizes the names in pax headers (3.6 made one name of "e" + U+0301 and U+00E9, which Linux keeps apart); in the C
/// locale it can't, says so in a warning, and gives the bytes as they are.
final class ArchiveReader: EntrySource {
    private let archive: OpaquePointer
    private let stream: ArchiveStream
    private let input: CompressedInput
    private let cLocale: locale_t?
    private let previousLocale: locale_t?
    /// Bytes of the decompressed stream given to libarchive.
    private var bytesSupplied: UInt64 = 0
    /// The entry in hand, as it may be printed; for error messages.
    private var entryName = ""
    /// What libarchive found odd about the entry in hand.
    private(set) var notice: String?

    init(_ stream: ArchiveStream, _ input: CompressedInput) throws(ImageError) {
        guard let archive = archive_read_new() else { throw ImageError(.system, "no memory to read the archive") }
        self.archive = archive
        self.stream = stream
        self.input = input
        cLocale = newlocale(CInt(1) << LC_CTYPE, "C", nil)
        previousLocale = uselocale(cLocale)
        archive_read_support_filter_none(archive)
        archive_read_support_format_tar(archive)
        archive_read_set_read_callback(archive) { _, context, block in
            guard let context, let block else { return Int(ARCHIVE_FATAL) }
            return Unmanaged<ArchiveReader>.fromOpaque(context).takeUnretainedValue().supply(&block.pointee)
        }
        archive_read_set_callback_data(archive, Unmanaged.passUnretained(self).toOpaque())
        try check(archive_read_open1(archive))
    }

    deinit {
        archive_read_free(archive)
        stream.abandon()
        _ = uselocale(previousLocale)
        if let cLocale { freelocale(cLocale) }
    }

    private func supply(_ block: inout UnsafeRawPointer?) -> Int {
        guard let next = try? stream.next() else { return Int(ARCHIVE_FATAL) }
        block = next.baseAddress
        bytesSupplied += UInt64(next.count)
        return next.count
    }

    /// The next entry; nil after the last.
    func next() throws(ImageError) -> ImageEntry? {
        var raw: OpaquePointer?
        notice = nil
        let code = archive_read_next_header(archive, &raw)
        if code == ARCHIVE_EOF { return nil }
        try check(code)
        guard let raw else { return nil }
        if code == ARCHIVE_WARN { noteWarning() }
        let entry = ArchiveEntry(raw)
        entryName = printable(entry.pathname)
        if entry.hasAccessControlLists, notice == nil { notice = "its access control list is left out" }
        return try entry.imageEntry()
    }

    var bytesRead: UInt64 { input.bytesRead }

    var bytesTotal: UInt64? { input.size }

    private func noteWarning() {
        let text = archive_error_string(archive).map { String(cString: $0) } ?? "unknown"
        if !text.contains("can't be converted") { notice = text }
    }

    /// Calls `body` with every piece of the entry's content and its offset in bytes; what lies between is a hole.
    func forEachBlock(
        _ body: (UnsafeRawBufferPointer, Int64) throws(ImageError) -> Void
    ) throws(ImageError) {
        while true {
            var start: UnsafeRawPointer?
            var count = 0
            var offset: Int64 = 0
            let code = archive_read_data_block(archive, &start, &count, &offset)
            if code == ARCHIVE_EOF { return }
            try check(code)
            if count > 0 { try body(UnsafeRawBufferPointer(start: start, count: count), offset) }
        }
    }

    /// Reads on to the end of the file, where the checksum of the compressed data stands.
    ///
    /// - Throws: `badArchive` also if an uncompressed archive has no end mark: then nothing but that says whether it is
    ///   whole.
    func finish() throws(ImageError) {
        let endMark = UInt64(clamping: archive_read_header_position(archive))
        while true {
            let block = try stream.next()
            if block.isEmpty { break }
            bytesSupplied += UInt64(block.count)
        }
        let isCompressed = input.bytesRead != bytesSupplied
        guard isCompressed || bytesSupplied >= endMark + 512 else {
            throw ImageError(
                .badArchive,
                "the archive ends at byte \(input.bytesRead) without the mark for its end: it was cut short",
                hint: "Copy it again. If it was made without an end mark, add one:\n"
                    + "    head -c 1024 /dev/zero >> ARCHIVE"
            )
        }
    }

    private func check(_ code: CInt) throws(ImageError) {
        guard code != ARCHIVE_OK, code != ARCHIVE_WARN else { return }
        if let failure = stream.failure { throw failure }
        let text = archive_error_string(archive).map { String(cString: $0) } ?? "unknown error"
        if entryName.isEmpty, bytesSupplied < 1 << 20, text.contains("Unrecognized") {
            throw ImageError(
                .badArchive,
                "this is no tar archive, compressed or not",
                hint: "A tar file is wanted, plain or compressed with gzip, xz, zstd or bzip2."
            )
        }
        let position = archive_read_header_position(archive)
        let place = entryName.isEmpty ? "" : ", in or after \(entryName)"
        throw .damaged("\(text) (byte \(position) of the tar stream\(place))", at: input.bytesRead)
    }
}
