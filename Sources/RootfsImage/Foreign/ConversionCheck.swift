internal import FakeRoot
internal import ImageEntries
internal import LinuxFiles

/// Verifies that the new metadata of a conversion are there and say the same as the old ones, file by file: owner, mode,
/// kind and capabilities. Nothing of the old is given up before that.
struct ConversionCheck {
    enum Moment {
        /// Every file is described; none has been replaced, or some have.
        case replacing
        /// Every file is as the new metadata want it; the old ones are about to be removed, or some have been.
        case cleaning
    }

    private let marker: ConversionMarker
    private let root: CInt
    private let path: String
    private let writer: any MetadataWriter

    private static let capability = Array("security.capability".utf8)

    init(_ marker: ConversionMarker, _ root: CInt, path: String, _ writer: any MetadataWriter) {
        self.marker = marker
        self.root = root
        self.path = path
        self.writer = writer
    }

    /// Goes through the tree.
    /// - Parameters:
    ///   - oldFile: the old metadata's file, if they have one.
    ///   - onFile: called for every file.
    /// - Throws: `badDestination` for what is missing or different, with what to do. Nothing has been changed.
    func run(_ moment: Moment, oldFile: String?, _ onFile: () throws(ImageError) -> Void) throws(ImageError) {
        let pair = PairReader(try oldReader(oldFile, moment), try newReader())
        let copy = try ImageError.attempt("can't open \(path)") { () throws(Errno) in
            try System.open(at: root, ".", [.readOnly, .directory])
        }
        let walk = ForeignWalk(copy, pair)
        while let file = try walk.next() {
            try onFile()
            if ConversionInPlace.isTemporary(file) { continue }
            try check(file, pair, moment)
        }
    }

    /// Without its file the old metadata say nothing any more; only while they are removed that is right.
    private func oldReader(_ file: String?, _ moment: Moment) throws(ImageError) -> any MetadataReader {
        if marker.from.needsMetadataFile, moment == .cleaning, file.map({ !Self.exists($0) }) ?? true {
            return PlainReader()
        }
        return try ForeignDirectorySource.reader(path, root, marker.from, metadata: file)
    }

    private func newReader() throws(ImageError) -> any MetadataReader {
        if let file = writer.file, !Self.exists(file) {
            var failure = marker.misfit(path, "there is no \(file)")
            failure.hint = (failure.hint ?? "") + "\nIf the new metadata are elsewhere: --new-metadata FILE"
            throw failure
        }
        return try ForeignDirectorySource.reader(path, root, marker.to, metadata: writer.file, isOurs: true)
    }

    private static func exists(_ path: String) -> Bool { (try? System.open(path, .path)) != nil }

    private func check(_ file: ForeignFile, _ pair: PairReader, _ moment: Moment) throws(ImageError) {
        let isWaiting = try writer.replacement(of: file) != .keep
        guard file.status != nil, let new = pair.new else {
            // The old metadata make it of nothing.
            if moment == .cleaning, isWaiting { throw marker.misfit(path, "\(file.description) has not been made") }
            return
        }
        if isWaiting {
            guard moment == .cleaning else { return }
            throw marker.misfit(path, "\(file.description) has not been replaced")
        }
        if describesAll(file), !pair.isNewKnown {
            throw marker.misfit(path, "\(file.description) has nothing of \(marker.to.label)")
        }
        // Another name of a file is the same file.
        guard file.isFirst, pair.isOldKnown, !hasLosses(file), let difference = difference(file, new) else { return }
        throw marker.contradiction(
            path,
            "the metadata of \(file.description) differ: the two have another \(difference)"
        )
    }

    /// Whether the new metadata say something of every file of this kind.
    private func describesAll(_ file: ForeignFile) -> Bool {
        switch marker.to {
        case .rsync, .virtfs: file.format == .regular || file.format == .directory
        case .pseudo: true
        default: false
        }
    }

    /// Losses are told apart from this, and are wanted.
    private func hasLosses(_ file: ForeignFile) -> Bool {
        var losses = writer.losses(of: file)
        losses.attributes = 0
        return !losses.isEmpty
    }

    /// What differs, in a word; nil if nothing does.
    private func difference(_ file: ForeignFile, _ new: FileMetadata) -> String? {
        let old = file.metadata
        if old.kind != new.kind { return "type" }
        if old.owner != new.owner { return "owner" }
        if old.kind != .symlink, old.permissions != new.permissions, !isRaised(file, new) { return "mode" }
        guard old.kind == .file, marker.to != .virtfs else { return nil }
        let (kept, made) = (capability(old), capability(new))
        if marker.to == .deviceTable, kept.flatMap({ FileCapabilities($0) })?.rootID ?? 0 != 0 { return nil }
        return Self.isSame(kept, made) ? nil : "capability"
    }

    private func capability(_ metadata: FileMetadata) -> [UInt8]? {
        metadata.attributes.first { $0.name == Self.capability }?.value
    }

    /// A table has capabilities in words, and a version of its own when it is read.
    private static func isSame(_ left: [UInt8]?, _ right: [UInt8]?) -> Bool {
        if left == right { return true }
        guard let left, let right, let first = FileCapabilities(left), let second = FileCapabilities(right) else {
            return false
        }
        return first.text == second.text
    }

    /// Whether the old metadata leave the mode to the host's file, which our label has raised so that it stays usable.
    private func isRaised(_ file: ForeignFile, _ new: FileMetadata) -> Bool {
        guard marker.to == .overrideStat, let host = file.status, file.metadata.permissions == host.mode & 0o7777 else {
            return false
        }
        let floor: UInt32 = host.format == .directory ? 0o700 : 0o600
        return host.mode & 0o777 == new.permissions & 0o777 | floor
    }

    /// Reads both for each file.
    private final class PairReader: MetadataReader {
        private let oldReader: any MetadataReader
        private let newReader: any MetadataReader
        /// The new metadata of the file read last, checked against the file; nil if they are not for this file.
        private(set) var new: FileMetadata?
        private(set) var isOldKnown = false
        private(set) var isNewKnown = false

        init(_ old: any MetadataReader, _ new: any MetadataReader) {
            oldReader = old
            newReader = new
        }

        func metadata(of file: HostFile) throws(ImageError) -> FileMetadata? {
            guard let old = try oldReader.metadata(of: file) else { return nil }
            isOldKnown = try oldReader.knows(file)
            isNewKnown = try newReader.knows(file)
            new = try newReader.metadata(of: file).map { (said) throws(ImageError) in
                try ForeignWalk.reconcile(file, said).metadata
            }
            return old
        }

        func additions(to directory: [UInt8], existing: Set<[UInt8]>) throws(ImageError) -> [[UInt8]: FileMetadata] {
            try oldReader.additions(to: directory, existing: existing)
        }
    }
}
