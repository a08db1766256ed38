internal import CArchive
internal import Glibc
internal import LinuxFiles

/// The entries of an archive that libarchive reads, in order.
///
/// Belongs to one thread: from its making to its end, that thread uses the C locale. In a UTF-8 locale libarchive
/// normalizes the names in pax headers (3.6 made one name of "e" + U+0301 and U+00E9, which Linux keeps apart); in the C
/// locale it can't, says so in a warning, and gives the bytes as they are.
final class ArchiveReader: EntrySource {
    enum Format {
        case tar
        /// Or several, one behind the other, the last of them compressed, as the kernel takes an initramfs.
        case cpio

        var name: String { self == .tar ? "tar" : "cpio" }
    }

    private let format: Format
    private var archive: OpaquePointer
    private var stream: ArchiveStream
    private let input: any ByteInput
    private let cancellation: Cancellation
    private let needsEndMark: Bool
    private let cLocale: locale_t?
    private let previousLocale: locale_t?
    /// Bytes of the decompressed stream given to libarchive; of the cpio archive in hand.
    private var bytesSupplied: UInt64 = 0
    /// The block given last, for what comes behind a cpio archive's end mark.
    private var lastBlock = UnsafeRawBufferPointer(start: nil, count: 0)
    /// Zeros that a layer's last block lacks, given to libarchive when the stream had ended; not in `bytesSupplied`.
    private var padding: UnsafeMutableRawBufferPointer?
    /// The entry in hand, as it may be printed; for error messages.
    private var entryName = ""
    /// What libarchive found odd about the entry in hand.
    private(set) var notice: String?

    /// - Parameter needsEndMark: whether a tar archive that is not compressed must end as it should: then nothing but
    ///   that says whether it is whole.
    init(
        _ stream: ArchiveStream,
        _ input: any ByteInput,
        _ cancellation: Cancellation,
        _ format: Format = .tar,
        needsEndMark: Bool = true
    ) throws(ImageError) {
        guard let archive = archive_read_new() else { throw ImageError(.system, "no memory to read the archive") }
        self.archive = archive
        self.format = format
        self.stream = stream
        self.input = input
        self.needsEndMark = needsEndMark
        self.cancellation = cancellation
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

    private func open() throws(ImageError) {
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

    private func supply(_ block: inout UnsafeRawPointer?) -> Int {
        guard let next = try? stream.next() else { return Int(ARCHIVE_FATAL) }
        block = next.baseAddress
        lastBlock = next
        bytesSupplied += UInt64(next.count)
        return next.isEmpty && !needsEndMark ? supplyPadding(&block) : next.count
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

    /// Throws if what libarchive has taken for an entry's header or content was not in the archive.
    /// - Parameter count: bytes that it gives from its position on.
    private func checkPadding(_ count: Int) throws(ImageError) {
        guard padding != nil, UInt64(clamping: archive_filter_bytes(archive, 0)) + UInt64(count) > bytesSupplied else {
            return
        }
        throw .damaged(input.name, "it ends within \(entryName)", at: input.bytesRead)
    }

    /// The next entry; nil after the last.
    func next() throws(ImageError) -> ImageEntry? {
        while true {
            var raw: OpaquePointer?
            notice = nil
            let code = archive_read_next_header(archive, &raw)
            if code == ARCHIVE_EOF {
                guard format == .cpio, try openNextSegment() else { return nil }
                continue
            }
            try check(code)
            guard let raw else { return nil }
            if code == ARCHIVE_WARN { noteWarning() }
            let entry = ArchiveEntry(raw)
            entryName = printable(entry.pathname)
            try checkPadding(0)
            if entry.hasForeignAccessControlList, notice == nil {
                notice =
                    "its access control list is left out: it is none of Linux, or names users without their numbers "
                    + "(tar --numeric-owner keeps those)"
            }
            return try entry.imageEntry()
        }
    }

    var bytesRead: UInt64 { input.bytesRead }

    var bytesTotal: UInt64? { input.size }

    private func noteWarning() {
        let text = archive_error_string(archive).map { String(cString: $0) } ?? "unknown"
        if !text.contains("can't be converted") { notice = printable(text) }
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
            try checkPadding(count)
            if count > 0 { try body(UnsafeRawBufferPointer(start: start, count: count), offset) }
        }
    }

    /// Reads on to the end of the file, where the checksum of the compressed data stands.
    ///
    /// - Throws: `badArchive` also if an uncompressed tar archive has no end mark, where one is needed.
    func finish() throws(ImageError) {
        let endMark = UInt64(clamping: archive_read_header_position(archive))
        while true {
            let block = try stream.next()
            if block.isEmpty { break }
            bytesSupplied += UInt64(block.count)
        }
        guard format == .cpio || !needsEndMark || stream.isCompressed || bytesSupplied >= endMark + 512 else {
            throw ImageError(
                .badArchive,
                "\(input.name) ends at byte \(input.bytesRead) without the mark for its end: it was cut short",
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
            throw ImageError(.badArchive, "\(input.name) is no \(format.name) archive, compressed or not")
        }
        let position = archive_read_header_position(archive)
        let place = entryName.isEmpty ? "" : ", in or after \(entryName)"
        let what = "\(printable(text)) (byte \(position) of the \(format.name) stream\(place))"
        throw .damaged(input.name, what, at: input.bytesRead)
    }

    // MARK: What comes behind a cpio archive

    /// Goes on behind the end mark, as the kernel does with an initramfs: zeros, then another archive, which may be
    /// compressed if this one isn't.
    /// - Returns: false if there is nothing more.
    private func openNextSegment() throws(ImageError) -> Bool {
        let consumed = UInt64(clamping: archive_filter_bytes(archive, 0))
        // libarchive takes whole blocks, and holds on to one only as long as it has not consumed the whole.
        guard consumed <= bytesSupplied, bytesSupplied - consumed <= lastBlock.count else {
            throw ImageError(.system, "can't find the end of the cpio archive in \(input.name)")
        }
        var rest = UnsafeRawBufferPointer(rebasing: lastBlock.suffix(Int(bytesSupplied - consumed)))
        while true {
            if let start = rest.firstIndex(where: { $0 != 0 }) {
                rest = UnsafeRawBufferPointer(rebasing: rest[start...])
                break
            }
            rest = try stream.next()
            if rest.isEmpty { return false }
        }
        try open(segment: rest)
        return true
    }

    private func open(segment rest: UnsafeRawBufferPointer) throws(ImageError) {
        if rest.first == UInt8(ascii: "0") || stream.isCompressed {
            stream.giveBack(rest)
        } else {
            let outer = stream
            // The old stream is the new one's input from here on.
            stream = try ArchiveStream(StreamInput(outer, input, rest: rest), cancellation)
        }
        guard try SourceSignature(stream.peek()) == .cpio else {
            throw ImageError.damaged(
                input.name,
                "behind the cpio archive's end mark is something else than another one",
                at: input.bytesRead
            )
        }
        archive_read_free(archive)
        guard let archive = archive_read_new() else { preconditionFailure("no memory for a few hundred bytes") }
        self.archive = archive
        bytesSupplied = 0
        try open()
    }
}
