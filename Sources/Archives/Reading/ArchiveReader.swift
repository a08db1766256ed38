internal import CArchive
internal import Glibc
internal import ImageEntries
internal import LinuxFiles

/// Has libarchive read an archive, and keeps the bytes of the current headers for a second reading: `TarSource` and
/// `CpioSource` know better in places.
///
/// Belongs to one thread: from its making to its end, that thread uses the C locale. In a UTF-8 locale libarchive
/// normalizes the names in pax headers (3.6 made one name of "e" + U+0301 and U+00E9, which Linux keeps apart); in the C
/// locale it can't, says so in a warning, and gives the bytes as they are.
final class ArchiveReader {
    enum Format: String {
        case tar, cpio
    }

    /// Where the decompressed bytes come from. Set before `restart`.
    var stream: ArchiveStream
    let input: any ByteInput
    private let format: Format
    /// Whether the last block may end before 512 bytes.
    private let mayEndEarly: Bool
    private var archive: OpaquePointer
    private let cLocale: locale_t?
    private let previousLocale: locale_t?
    /// Bytes of the decompressed stream given to libarchive, from the archive's beginning.
    private var bytesSupplied: UInt64 = 0
    /// The block given last, for what comes behind the archive's end mark.
    private var lastBlock = UnsafeRawBufferPointer(start: nil, count: 0)
    /// Zeros that the last block lacks, given to libarchive when the stream had ended; not in `bytesSupplied`.
    private var padding: UnsafeMutableRawBufferPointer?
    /// Whether libarchive may have content to give or to skip.
    private var isInEntry = false
    /// The current entry, as it may be printed; for error messages.
    private(set) var entryName = ""
    /// What libarchive finds odd about the current entry; printable.
    private(set) var warning: String?
    /// Where the current headers begin in the decompressed stream, in bytes; behind the last entry, the end mark.
    private(set) var headerStart: UInt64 = 0
    /// What libarchive has used up of the current headers in blocks that are gone; nil while it reads content.
    private var headerBytes: [UInt8]?

    /// libarchive itself takes a mebibyte of each kind.
    private static let maxHeaderSize = 8 << 20

    /// - Parameters:
    ///   - stream: abandoned when this ends.
    ///   - mayEndEarly: whether what the last block of 512 bytes lacks is taken for zeros.
    init(
        _ stream: ArchiveStream,
        _ input: any ByteInput,
        _ format: Format,
        mayEndEarly: Bool = false
    ) throws(ImageError) {
        guard let archive = archive_read_new() else { throw ImageError(.system, "no memory to read the archive") }
        self.archive = archive
        self.format = format
        self.stream = stream
        self.input = input
        self.mayEndEarly = mayEndEarly
        cLocale = newlocale(CInt(1) << LC_CTYPE, "C", nil)
        previousLocale = uselocale(cLocale)
        try open()
    }

    deinit {
        archive_read_free(archive)
        padding?.deallocate()
        stream.abandon()
        _ = uselocale(previousLocale)
        if let cLocale { freelocale(cLocale) }
    }

    /// Goes on with another archive, at its first byte.
    func restart() throws(ImageError) {
        archive_read_free(archive)
        guard let archive = archive_read_new() else { preconditionFailure("no memory for a few hundred bytes") }
        self.archive = archive
        bytesSupplied = 0
        try open()
    }

    private func open() throws(ImageError) {
        isInEntry = false
        headerStart = 0
        headerBytes = []
        lastBlock = UnsafeRawBufferPointer(start: nil, count: 0)
        archive_read_support_filter_none(archive)
        switch format {
        case .tar: archive_read_support_format_tar(archive)
        case .cpio: archive_read_support_format_cpio(archive)
        }
        archive_read_set_read_callback(archive) { _, context, block in
            guard let context, let block else { return Int(ARCHIVE_FATAL) }
            return Unmanaged<ArchiveReader>.fromOpaque(context).takeUnretainedValue().supply(&block.pointee)
        }
        archive_read_set_callback_data(archive, Unmanaged.passUnretained(self).toOpaque())
        try check(archive_read_open1(archive))
    }

    // MARK: Entries

    /// The next entry's header, valid until the next call; nil at the archive's end.
    func next() throws(ImageError) -> ArchiveEntry? {
        warning = nil
        if isInEntry {
            try check(archive_read_data_skip(archive))
            isInEntry = false
            headerStart = consumed
            headerBytes = []
        }
        var raw: OpaquePointer?
        let code = archive_read_next_header(archive, &raw)
        if code == ARCHIVE_EOF { return nil }
        try check(code)
        guard let raw else { return nil }
        isInEntry = true
        if code == ARCHIVE_WARN { noteWarning() }
        let entry = ArchiveEntry(raw)
        entryName = printable(entry.pathname)
        try checkPadding(0)
        return entry
    }

    private func noteWarning() {
        let text = archive_error_string(archive).map { String(cString: $0) } ?? "unknown"
        // The C locale is meant to convert nothing; `TarMember` has read the records itself.
        let isKnown = text.contains("can't be converted") || text.contains("malformed pax")
        if !isKnown { warning = printable(text) }
    }

    /// The current headers, up to the content; to be taken once.
    func takeHeader() -> [UInt8] {
        let header = (headerBytes ?? []) + partOfHeader(upTo: consumed)
        headerBytes = nil
        return header
    }

    /// Calls `body` with every piece of the entry's content and its offset in bytes; what lies between is a hole.
    func forEachBlock(_ body: (UnsafeRawBufferPointer, Int64) throws(ImageError) -> Void) throws(ImageError) {
        while true {
            var start: UnsafeRawPointer?
            var count = 0
            var offset: Int64 = 0
            let code = archive_read_data_block(archive, &start, &count, &offset)
            if code == ARCHIVE_EOF { return }
            try check(code)
            try checkPadding(count)
            if count > 0 { try body(UnsafeRawBufferPointer(start: start, count: count), offset) }
        }
    }

    /// What libarchive was given and has not used, as far as it is in the last block; and where in the stream that is.
    var unused: (start: UInt64, bytes: UnsafeRawBufferPointer, isWhole: Bool) {
        let consumed = consumed
        // More where padding was used up.
        let count = bytesSupplied - min(consumed, bytesSupplied)
        let bytes = UnsafeRawBufferPointer(rebasing: lastBlock.suffix(Int(clamping: count)))
        return (
            bytesSupplied - UInt64(bytes.count), bytes,
            isWhole: consumed <= bytesSupplied && UInt64(bytes.count) == count
        )
    }

    /// What libarchive has used up of the decompressed stream, in bytes.
    private var consumed: UInt64 { UInt64(clamping: archive_filter_bytes(archive, 0)) }

    // MARK: Bytes for libarchive

    private func supply(_ block: inout UnsafeRawPointer?) -> Int {
        if let headerBytes {
            self.headerBytes = headerBytes + partOfHeader(upTo: bytesSupplied)
            guard headerBytes.count <= Self.maxHeaderSize else { return Int(ARCHIVE_FATAL) }
        }
        guard let next = try? stream.next() else { return Int(ARCHIVE_FATAL) }
        block = next.baseAddress
        lastBlock = next
        bytesSupplied += UInt64(next.count)
        return next.isEmpty && mayEndEarly ? supplyPadding(&block) : next.count
    }

    /// What the block given last has of the current headers.
    /// - Parameter end: where they end in the stream.
    private func partOfHeader(upTo end: UInt64) -> ArraySlice<UInt8> {
        let start = bytesSupplied - UInt64(lastBlock.count)
        let from = max(headerStart, start)
        guard from < end, end <= bytesSupplied else { return [] }
        return Array(lastBlock[Int(from - start)..<Int(end - start)])[...]
    }

    /// Fills up the last block, once. umoci 0.4's `insert` ends a layer with its last file's last byte; that this is
    /// the archive's end, its digest says.
    private func supplyPadding(_ block: inout UnsafeRawPointer?) -> Int {
        let missing = Int((512 - bytesSupplied % 512) % 512)
        guard padding == nil, missing > 0 else { return 0 }
        let zeros = UnsafeMutableRawBufferPointer.allocate(byteCount: missing, alignment: 16)
        zeros.initializeMemory(as: UInt8.self, repeating: 0)
        padding = zeros
        block = UnsafeRawPointer(zeros.baseAddress)
        return missing
    }

    /// Throws if libarchive has made up a part of an entry's header or content that was not in the archive.
    /// - Parameter count: bytes that it gives from its position on.
    private func checkPadding(_ count: Int) throws(ImageError) {
        guard padding != nil, consumed + UInt64(count) > bytesSupplied else { return }
        throw .damaged(input.name, "it ends within \(entryName)", at: input.bytesRead)
    }

    // MARK: Errors

    private func check(_ code: CInt) throws(ImageError) {
        guard code != ARCHIVE_OK, code != ARCHIVE_WARN else { return }
        if let failure = stream.failure { throw failure }
        // libarchive has no message for an incomplete header.
        let text = archive_error_string(archive).map { String(cString: $0) } ?? "Truncated"
        if entryName.isEmpty, bytesSupplied < 1 << 20, text.contains("Unrecognized") {
            throw ImageError(.badArchive, "\(input.name) is not a \(format.rawValue) archive, compressed or not")
        }
        let place = entryName.isEmpty ? "at its beginning" : isInEntry ? "in \(entryName)" : "behind \(entryName)"
        if let headerBytes, headerBytes.count > Self.maxHeaderSize {
            throw .refused("an entry \(place)", "its headers have more than \(Self.maxHeaderSize >> 20) MiB")
        }
        if text.hasPrefix("Truncated") {
            throw ImageError(
                .badArchive,
                "\(input.name) ends at byte \(input.bytesRead), \(place): it was cut short",
                hint: "Copy or download it again, and compare its size and checksum with those where it came from."
            )
        }
        let isHeader = text.hasPrefix("Damaged tar archive") || text.hasPrefix("Unrecognized archive format")
        let what = isHeader ? "what follows is not a header, or its checksum is wrong" : printable(text)
        throw .damaged(
            input.name,
            "\(what) (byte \(headerStart) of the \(format.rawValue) stream, \(place))",
            at: input.bytesRead
        )
    }
}
