package import ImageEntries
internal import LinuxFiles

/// The entries of a tar archive, as GNU tar reads them.
///
/// libarchive does the reading. It leaves out what a global header says, decodes only some names of attributes, and accepts
/// malformed numbers: so the headers are read a second time (`TarMember`).
///
/// Belongs to one thread, which uses the C locale meanwhile; see `ArchiveReader`.
package final class TarSource: EntrySource {
    private let reader: ArchiveReader
    private let needsEndMark: Bool
    private let dialect: TarMember.Dialect
    package private(set) var notice: String?
    package private(set) var closingNotices: [String] = []
    /// What the global headers have said so far: of each key that counts, the last value.
    private var globals: [TarMember.Record] = []
    /// Names of attributes that were decoded as GNU tar does it, and the first file with one.
    private var decodedNames = (count: 0, example: "")

    /// A whole archive.
    /// - Parameters:
    ///   - stream: abandoned when this ends.
    ///   - input: what the stream was made of.
    /// - Throws: `badArchive` unless it is a tar archive.
    package convenience init(_ stream: ArchiveStream, _ input: any ByteInput) throws(ImageError) {
        try self.init(stream, input, needsEndMark: true, dialect: .gnu)
    }

    /// - Parameters:
    ///   - needsEndMark: whether an uncompressed archive must have its end mark, which alone shows that it is whole.
    ///   - dialect: how the names of extended attributes are read.
    init(
        _ stream: ArchiveStream,
        _ input: any ByteInput,
        needsEndMark: Bool = true,
        dialect: TarMember.Dialect
    ) throws(ImageError) {
        self.needsEndMark = needsEndMark
        self.dialect = dialect
        reader = try ArchiveReader(stream, input, .tar, mayEndEarly: !needsEndMark)
    }

    package func next() throws(ImageError) -> ImageEntry? {
        notice = nil
        guard var entry = try reader.next() else { return nil }
        notice = reader.warning
        let member = try secondReading(of: &entry)
        if entry.hasForeignAccessControlList, notice == nil {
            notice =
                "its access control list is left out: it is none of Linux, or names users without their numbers "
                + "(bsdtar keeps those, and GNU tar with --acls --xattrs --xattrs-include='*')"
        }
        var result = try entry.imageEntry()
        do throws(TarMember.Ambiguity) {
            if let odd = try member.amend(&result, globals: globals) { notice = notice ?? odd }
        } catch {
            throw .refused(reader.entryName, error.reason)
        }
        return result
    }

    /// Reads the entry's headers as GNU tar does; the entry gets its extended attributes from there.
    private func secondReading(of entry: inout ArchiveEntry) throws(ImageError) -> TarMember {
        let header = reader.takeHeader()
        do throws(TarMember.Ambiguity) {
            let member = try TarMember(header)
            member.add(to: &globals)
            try member.check()
            let (attributes, decoded) = try member.attributes(dialect)
            entry.paxAttributes = attributes
            if decoded > 0, decodedNames.count == 0 { decodedNames.example = reader.entryName }
            decodedNames.count += decoded
            return member
        } catch {
            throw .refused(reader.entryName, error.reason)
        }
    }

    package func forEachBlock(
        _ body: (UnsafeRawBufferPointer, Int64) throws(ImageError) -> Void
    ) throws(ImageError) {
        try reader.forEachBlock(body)
    }

    package var bytesRead: UInt64 { reader.input.bytesRead }

    package var bytesTotal: UInt64? { reader.input.size }

    /// Reads on to the end of the file, where the checksum of the compressed data stands.
    ///
    /// - Throws: `badArchive` also if an uncompressed archive has no end mark, where one is needed.
    package func finish() throws(ImageError) {
        let endMark = reader.headerStart
        let isCompressed = reader.stream.isCompressed
        var (position, rest, _) = reader.unused
        var head: [UInt8] = []
        var ignoredStart: UInt64?
        while true {
            if ignoredStart == nil, let start = rest.firstIndex(where: { $0 != 0 }) {
                // A header begins with its block; what is not a header, with its first byte.
                ignoredStart = position + UInt64(start)
                head = Array(rest[start...].prefix(4096))
            }
            position += UInt64(rest.count)
            rest = try reader.stream.next()
            if rest.isEmpty { break }
        }
        guard !needsEndMark || isCompressed || position >= endMark + 512 else { throw cutShort }
        if let ignoredStart {
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

    private var cutShort: ImageError {
        let input = reader.input
        return ImageError(
            .badArchive,
            "\(input.name) ends at byte \(input.bytesRead) without the mark for its end: it was cut short",
            hint: "Copy it again. If it was made without an end mark, add one:\n"
                + "    head -c 1024 /dev/zero >> \(input.archive)"
        )
    }

    /// Says what lies behind the end mark: GNU tar and Python's tarfile leave it out silently.
    private func ignored(_ head: [UInt8], from start: UInt64, to end: UInt64, endMark: UInt64) -> String {
        let what = head.span.withUnsafeBytes { SourceSignature.describe($0) }
        let count =
            "\(end - start) byte\(end - start == 1 ? "" : "s") behind the archive's end mark (at byte \(endMark)) "
        guard head.span.withUnsafeBytes({ SourceSignature($0) }) == .tar else {
            return count + "were left out, as tar does: \(what)"
        }
        let command = "tail -c +\(start + 1) \(reader.input.archive) | p9serve import - DIR"
        return count + "were left out, as tar does: they are another tar archive. Make one of the two with tar -A"
            + (reader.stream.isCompressed ? "" : ", or import it by itself: \(command)")
    }
}
