internal import FakeRoot
internal import ImageEntries
internal import LinuxFiles

/// A directory of the host, with the metadata that some tool has kept for it.
///
/// Nothing is changed in it.
final class ForeignDirectorySource: EntrySource {
    private let walk: ForeignWalk
    private let reader: any MetadataReader
    private var current: ForeignFile?
    private(set) var bytesRead: UInt64 = 0
    /// Nobody knows without going through all of it.
    var bytesTotal: UInt64? { nil }

    /// What was odd about the whole, once `finish` has been called; one sentence each, printable.
    private(set) var closingNotices: [String] = []

    /// - Parameters:
    ///   - path: of the directory.
    ///   - metadata: the path of the metadata file, for the kinds that have one; nil to look for it.
    init(_ path: String, _ kind: MetadataKind, metadata: String? = nil) throws(ImageError) {
        let root = try ImageError.attempt("can't open \(path)") { () throws(Errno) in
            try System.open(path, [.readOnly, .directory])
        }
        if let marker = try ConversionMarker.read(root.raw, path) { throw marker.failure(path) }
        reader = try Self.reader(path, root.raw, kind, metadata: metadata)
        walk = ForeignWalk(root, reader)
    }

    /// - Parameter isOurs: this program has written the metadata a moment ago, so they are believed for everybody's files.
    static func reader(
        _ path: String,
        _ root: CInt,
        _ kind: MetadataKind,
        metadata: String?,
        isOurs: Bool = false
    ) throws(ImageError) -> any MetadataReader {
        let trust = try MetadataTrust(root: root)
        let reader = try reader(path, root, kind, metadata, trust)
        switch kind {
        // The one has nothing to believe, the other has `FakeRootTree` decide.
        case .plain, .overrideStat: return reader
        default: return isOurs ? reader : CautiousReader(reader, kind, trust)
        }
    }

    private static func reader(
        _ path: String,
        _ root: CInt,
        _ kind: MetadataKind,
        _ metadata: String?,
        _ trust: MetadataTrust
    ) throws(ImageError) -> any MetadataReader {
        guard kind.needsMetadataFile else {
            guard metadata == nil else {
                throw ImageError(
                    .badArchive,
                    "\(kind.label) keeps its metadata with the files, so there is no metadata file to read",
                    hint: "Leave --metadata out, or name another kind."
                )
            }
            switch kind {
            case .overrideStat: return try OverrideStatReader(root)
            case .rsync: return RsyncReader()
            case .virtfs: return VirtfsReader()
            case .virtfsFile: return VirtfsFileReader(trust)
            case .rootlesscontainers: return RootlessContainersReader()
            default: return PlainReader()
            }
        }
        guard let file = metadata ?? MetadataEvidence.metadataFile(path, kind) else {
            throw ImageError(
                .notFound,
                "\(kind.label) belongs to \(path), and there is none beside it",
                hint: "Name it with --metadata FILE."
            )
        }
        if metadata == nil { try MetadataEvidence.verify(file, kind, of: path) }
        switch kind {
        case .pseudo: return try PseudoReader(file, root: root)
        case .fakeroot: return try FakerootReader(file, root: root)
        default: return try DeviceTableReader(file, root: root)
        }
    }

    func next() throws(ImageError) -> ImageEntry? {
        current = try walk.next()
        return current?.entry
    }

    var notice: String? { current?.notice }

    func forEachBlock(_ body: (UnsafeRawBufferPointer, Int64) throws(ImageError) -> Void) throws(ImageError) {
        guard let current, current.metadata.kind == .file, let status = current.status else { return }
        let content = try Self.content(of: current, status)
        try content.forEachBlock { (block, offset) throws(ImageError) -> Void in
            bytesRead += UInt64(block.count)
            try body(block, Int64(clamping: offset))
        }
    }

    static func content(of file: ForeignFile, _ status: FileStatus) throws(ImageError) -> FileReader {
        do throws(Errno) {
            switch file.descriptor {
            case .some(let descriptor):
                return FileReader(try ForeignWalk.openForReading(descriptor.raw), size: status.size)
            case nil: throw .ENOENT
            }
        } catch {
            var failure = ImageError("can't open \(file.description)", error)
            if error == .EACCES { failure.hint = "Give yourself permission first: chmod -R u+rwX on the directory." }
            throw failure
        }
    }

    func finish() throws(ImageError) {
        closingNotices = try reader.finish() + (walk.notice.map { [$0] } ?? [])
    }
}
