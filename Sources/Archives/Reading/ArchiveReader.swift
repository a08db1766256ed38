internal import CArchive
internal import Glibc
package import ImageEntries
internal import LinuxFiles

/// The entries of an archive that libarchive reads, in order.
///
/// Belongs to one thread: from its making to its end, that thread uses the C locale. In a UTF-8 locale libarchive
/// normalizes the names in pax headers (3.6 made one name of "e" + U+0301 and U+00E9, which Linux keeps apart); in the C
/// locale it can't, says so in a warning, and gives the bytes as they are.
package final class ArchiveReader: EntrySource {
    package enum Format {
        case tar
        /// Or several, one behind the other, the last of them compressed, as the kernel takes an initramfs.
        case cpio

        package var name: String { self == .tar ? "tar" : "cpio" }
    }

    private let format: Format
    private var archive: OpaquePointer
    private var stream: ArchiveStream
    private let input: any ByteInput
    private let cancellation: Cancellation
    private let needsEndMark: Bool
    private let dialect: TarMember.Dialect
    private let cLocale: locale_t?
    private let previousLocale: locale_t?
    /// Bytes of the decompressed stream given to libarchive; of the cpio archive in hand.
    private var bytesSupplied: UInt64 = 0
    /// The block given last, for what comes behind a cpio archive's end mark.
    private var lastBlock = UnsafeRawBufferPointer(start: nil, count: 0)
    /// Zeros that a layer's last block lacks, given to libarchive when the stream had ended; not in `bytesSupplied`.
    private var padding: UnsafeMutableRawBufferPointer?
    /// Whether libarchive may have content to give or to skip.
    private var isInEntry = false
    /// The entry in hand, as it may be printed; for error messages.
    private var entryName = ""
    /// What is odd about the entry in hand.
    package private(set) var notice: String?
    package private(set) var closingNotices: [String] = []
    /// Where the headers in hand begin in the decompressed stream, in bytes.
    private var headerStart: UInt64 = 0
    /// What libarchive has used up of the headers in hand in blocks that are gone; nil while it reads content.
    private var headerBytes: [UInt8]?
    /// What tar's global headers have said so far: of each key that counts, the last value.
    private var globals: [TarMember.Record] = []
    /// Of cpio's crc format: the sum of the content's bytes that the header has, and that of those read.
    private var contentSum: (expected: UInt32, actual: UInt32)?
    /// Names of attributes that were decoded as GNU tar does it, and the first file with one.
    private var decodedNames = (count: 0, example: "")

    /// libarchive itself takes a mebibyte of each kind.
    private static let maxHeaderSize = 8 << 20
    /// What makes a cpio archive out of compressed and uncompressed ones in turn costs a thread and a mebibyte each.
    private static let maxNesting = 16
    private var nesting = 0

    /// - Parameters:
    ///   - needsEndMark: whether a tar archive that is not compressed must end as it should: then nothing but that says
    ///     whether it is whole.
    ///   - dialect: how tar's names of extended attributes are read.
    package init(
        _ stream: ArchiveStream,
        _ input: any ByteInput,
        _ cancellation: Cancellation,
        _ format: Format = .tar,
        needsEndMark: Bool = true,
        dialect: TarMember.Dialect = .gnu
    ) throws(ImageError) {
        guard let archive = archive_read_new() else { throw ImageError(.system, "no memory to read the archive") }
        self.archive = archive
        self.format = format
        self.stream = stream
        self.input = input
        self.needsEndMark = needsEndMark
        self.dialect = dialect
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

    private func supply(_ block: inout UnsafeRawPointer?) -> Int {
        if let headerBytes {
            self.headerBytes = headerBytes + partOfHeader(upTo: bytesSupplied)
            guard headerBytes.count <= Self.maxHeaderSize else { return Int(ARCHIVE_FATAL) }
        }
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

    /// What the block given last has of the headers in hand.
    /// - Parameter end: where they end in the stream.
    private func partOfHeader(upTo end: UInt64) -> ArraySlice<UInt8> {
        let start = bytesSupplied - UInt64(lastBlock.count)
        let from = max(headerStart, start)
        guard from < end, end <= bytesSupplied else { return [] }
        return Array(lastBlock[Int(from - start)..<Int(end - start)])[...]
    }

    /// The next entry; nil after the last.
    package func next() throws(ImageError) -> ImageEntry? {
        while true {
            notice = nil
            guard let raw = try nextHeader() else {
                guard format == .cpio, try openNextSegment() else { return nil }
                continue
            }
            var entry = ArchiveEntry(raw)
            entryName = printable(entry.pathname)
            try checkPadding(0)
            if format == .tar { return try amended(&entry) }
            try checkCpioHeader()
            return try entry.imageEntry()
        }
    }

    private func nextHeader() throws(ImageError) -> OpaquePointer? {
        if isInEntry {
            try check(archive_read_data_skip(archive))
            isInEntry = false
            headerStart = UInt64(clamping: archive_filter_bytes(archive, 0))
            headerBytes = []
        }
        var raw: OpaquePointer?
        let code = archive_read_next_header(archive, &raw)
        if code == ARCHIVE_EOF {
            if format == .cpio { try checkCpioHeader() }
            return nil
        }
        try check(code)
        isInEntry = true
        if code == ARCHIVE_WARN { noteWarning() }
        return raw
    }

    package var bytesRead: UInt64 { input.bytesRead }

    package var bytesTotal: UInt64? { input.size }

    private func noteWarning() {
        let text = archive_error_string(archive).map { String(cString: $0) } ?? "unknown"
        // The C locale is meant to convert nothing; `TarMember` has read the records itself.
        let isKnown = text.contains("can't be converted") || text.contains("malformed pax")
        if !isKnown { notice = printable(text) }
    }

    /// The headers in hand, up to the content.
    private func takeHeader() -> [UInt8] {
        let header = (headerBytes ?? []) + partOfHeader(upTo: UInt64(clamping: archive_filter_bytes(archive, 0)))
        headerBytes = nil
        return header
    }

    /// libarchive goes on to the next thing that looks like a header, and takes what is no number for a smaller one.
    private func checkCpioHeader() throws(ImageError) {
        let header = takeHeader()
        contentSum = CpioHeader.sum(header)
        guard !CpioHeader.isWhole(header) else { return }
        throw .damaged(
            input.name,
            "what should be a header of a cpio archive is none, or has what is no number (byte \(headerStart) of the cpio stream)",
            at: input.bytesRead
        )
    }

    /// The entry as GNU tar reads its headers.
    private func amended(_ entry: inout ArchiveEntry) throws(ImageError) -> ImageEntry {
        let header = takeHeader()
        let member: TarMember
        do throws(TarMember.Ambiguity) {
            member = try TarMember(header)
            member.add(to: &globals)
            try member.check()
            let (attributes, decoded) = try member.attributes(dialect)
            entry.paxAttributes = attributes
            if decoded > 0, decodedNames.count == 0 { decodedNames.example = entryName }
            decodedNames.count += decoded
        } catch {
            throw .refused(entryName, error.reason)
        }
        if entry.hasForeignAccessControlList, notice == nil {
            notice =
                "its access control list is left out: it is none of Linux, or names users without their numbers "
                + "(bsdtar keeps those, and GNU tar with --acls --xattrs --xattrs-include='*')"
        }
        var result = try entry.imageEntry()
        do throws(TarMember.Ambiguity) {
            if let odd = try member.amend(&result, globals: globals) { notice = notice ?? odd }
        } catch {
            throw .refused(entryName, error.reason)
        }
        return result
    }

    /// Calls `body` with every piece of the entry's content and its offset in bytes; what lies between is a hole.
    package func forEachBlock(
        _ body: (UnsafeRawBufferPointer, Int64) throws(ImageError) -> Void
    ) throws(ImageError) {
        while true {
            var start: UnsafeRawPointer?
            var count = 0
            var offset: Int64 = 0
            let code = archive_read_data_block(archive, &start, &count, &offset)
            if code == ARCHIVE_EOF { break }
            try check(code)
            try checkPadding(count)
            if count > 0, contentSum != nil { addToSum(UnsafeRawBufferPointer(start: start, count: count)) }
            if count > 0 { try body(UnsafeRawBufferPointer(start: start, count: count), offset) }
        }
        if let contentSum, contentSum.actual != contentSum.expected {
            throw .damaged(input.name, "the checksum of \(entryName) is wrong", at: input.bytesRead)
        }
    }

    private func addToSum(_ bytes: UnsafeRawBufferPointer) {
        guard let sum = contentSum else { return }
        contentSum = (sum.expected, bytes.reduce(sum.actual) { $0 &+ UInt32($1) })
    }

    /// Reads on to the end of the file, where the checksum of the compressed data stands.
    ///
    /// - Throws: `badArchive` also if an uncompressed tar archive has no end mark, where one is needed.
    package func finish() throws(ImageError) {
        let endMark = headerStart
        let isCompressed = stream.isCompressed
        let consumed = UInt64(clamping: archive_filter_bytes(archive, 0))
        var rest = UnsafeRawBufferPointer(
            rebasing: lastBlock.suffix(Int(clamping: bytesSupplied - min(consumed, bytesSupplied)))
        )
        var position = bytesSupplied - UInt64(rest.count)
        var head: [UInt8] = []
        var ignoredStart: UInt64?
        while true {
            if ignoredStart == nil, let start = rest.firstIndex(where: { $0 != 0 }) {
                // A header begins with its block; what is no header, with its first byte.
                ignoredStart = position + UInt64(start)
                head = Array(rest[start...].prefix(4096))
            }
            position += UInt64(rest.count)
            rest = try stream.next()
            if rest.isEmpty { break }
            bytesSupplied += UInt64(rest.count)
        }
        guard format == .cpio || !needsEndMark || isCompressed || bytesSupplied >= endMark + 512 else {
            throw ImageError(
                .badArchive,
                "\(input.name) ends at byte \(input.bytesRead) without the mark for its end: it was cut short",
                hint: "Copy it again. If it was made without an end mark, add one:\n"
                    + "    head -c 1024 /dev/zero >> \(input.archive)"
            )
        }
        if format == .tar, let ignoredStart {
            closingNotices.append(ignored(head, from: ignoredStart, to: position, endMark: endMark))
        }
        if decodedNames.count > 0 {
            let names =
                decodedNames.count == 1 ? "1 attribute's name has" : "\(decodedNames.count) attributes' names have"
            closingNotices.append(
                "\(names) been decoded as GNU tar does, %25 to % and %3D to = (the first at \(decodedNames.example))"
            )
        }
    }

    /// Says what lies behind a tar archive's end mark: GNU tar and Python's tarfile leave it out silently.
    private func ignored(_ head: [UInt8], from start: UInt64, to end: UInt64, endMark: UInt64) -> String {
        let what = head.span.withUnsafeBytes { SourceSignature.describe($0) }
        let count =
            "\(end - start) byte\(end - start == 1 ? "" : "s") behind the archive's end mark (at byte \(endMark)) "
        guard head.span.withUnsafeBytes({ SourceSignature($0) }) == .tar else {
            return count + "were left out, as tar does: \(what)"
        }
        let command = "tail -c +\(start + 1) \(input.archive) | p9serve import - DIR"
        return count + "were left out, as tar does: they are another tar archive. Make one of the two with tar -A"
            + (stream.isCompressed ? "" : ", or import it by itself: \(command)")
    }

    private func check(_ code: CInt) throws(ImageError) {
        guard code != ARCHIVE_OK, code != ARCHIVE_WARN else { return }
        if let failure = stream.failure { throw failure }
        // libarchive says nothing where a header is not whole.
        let text = archive_error_string(archive).map { String(cString: $0) } ?? "Truncated"
        if entryName.isEmpty, bytesSupplied < 1 << 20, text.contains("Unrecognized") {
            throw ImageError(.badArchive, "\(input.name) is no \(format.name) archive, compressed or not")
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
        let what = isHeader ? "what follows is no header, or its checksum is wrong" : printable(text)
        throw .damaged(
            input.name,
            "\(what) (byte \(headerStart) of the \(format.name) stream, \(place))",
            at: input.bytesRead
        )
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
        var padding = 0
        while true {
            if let start = rest.firstIndex(where: { $0 != 0 }) {
                padding += start
                rest = UnsafeRawBufferPointer(rebasing: rest[start...])
                break
            }
            padding += rest.count
            rest = try stream.next()
            if rest.isEmpty { return false }
        }
        try open(segment: rest, padding: padding)
        return true
    }

    private func open(segment rest: UnsafeRawBufferPointer, padding: Int) throws(ImageError) {
        let position = stream.position.map { $0 - UInt64(rest.count) }
        // Of ASCII digits; the reader takes it from the same stream.
        let isPlain = rest.first == UInt8(ascii: "0")
        // What was compressed holds cpio archives only, and more compressed data begins apart from it.
        if isPlain || stream.isCompressed {
            try stream.giveBack(rest, joining: 4096)
        } else {
            nesting += 1
            guard nesting <= Self.maxNesting else {
                throw ImageError(
                    .badArchive,
                    "\(input.name) changes more than \(Self.maxNesting) times from uncompressed to compressed cpio archives",
                    hint: "Unpack it with the tools that made it, and import what they give."
                )
            }
            let outer = stream
            // The old stream is the new one's input from here on.
            stream = try ArchiveStream(StreamInput(outer, input, rest: rest), cancellation)
        }
        let next = try stream.peek()
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
        archive_read_free(archive)
        guard let archive = archive_read_new() else { preconditionFailure("no memory for a few hundred bytes") }
        self.archive = archive
        bytesSupplied = 0
        try open()
    }
}
