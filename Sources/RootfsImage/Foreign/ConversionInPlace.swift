internal import FakeRoot
internal import ImageEntries
internal import LinuxFiles

/// The passes of a `TreeConversion` through one tree.
struct ConversionInPlace {
    private let conversion: TreeConversion
    private let root: CInt
    private let marker: ConversionMarker
    /// As the user names it.
    private let path: String

    /// Names that begin so are being made; what is left of a conversion that was killed is removed by the next.
    private static let temporaryPrefix = ".usb9pfs-convert."

    init(_ conversion: TreeConversion, _ root: CInt, _ marker: ConversionMarker, path: String? = nil) {
        self.conversion = conversion
        self.root = root
        self.marker = marker
        self.path = path ?? conversion.directory
    }

    /// - Parameters:
    ///   - metadata: the old metadata's file, if they have one; nil to look for it.
    ///   - prefix: the tree's path in a new pseudo database; nil for its own.
    func run(metadata: String?, prefix: [UInt8]?, isContinued: Bool) throws(ImageError) -> ConversionSummary {
        var summary = ConversionSummary(from: marker.from, to: marker.to)
        summary.isContinued = isContinued
        let newFile = conversion.newMetadataFile(path)
        let writer = try conversion.makeWriter(root, prefix: prefix, file: newFile)
        summary.metadataFile = writer.file
        let oldFile = marker.from.needsMetadataFile ? metadata ?? MetadataEvidence.metadataFile(path, marker.from) : nil
        if metadata == nil, let oldFile { try MetadataEvidence.verify(oldFile, marker.from, of: path) }
        let check = ConversionCheck(marker, root, path: path, writer)
        if marker.phase != .clean {
            if let newFile, marker.phase == .describe { try prepare(newFile, isContinued: isContinued, oldFile) }
            do throws(ImageError) {
                try describeAndReplace(writer, oldFile, check, &summary)
            } catch {
                writer.abandon()
                throw error
            }
        }
        // What has been verified right before, and not been touched since, needs no second look.
        if isContinued || summary.replaced > 0 { try verify(check, .cleaning, oldFile) }
        try advance(to: .clean)
        try clean(oldFile, &summary)
        try ConversionMarker.remove(from: root)
        return summary
    }

    private func describeAndReplace(
        _ writer: any MetadataWriter,
        _ oldFile: String?,
        _ check: ConversionCheck,
        _ summary: inout ConversionSummary
    ) throws(ImageError) {
        if marker.phase == .describe {
            if !summary.isContinued { try marker.write(to: root) }
            try describe(writer, oldFile, &summary)
            try writer.finishDescribing()
        }
        try verify(check, .replacing, oldFile)
        try advance(to: .replace)
        try replace(writer, oldFile, &summary)
        try writer.finishReplacing()
    }

    private func verify(
        _ check: ConversionCheck,
        _ moment: ConversionCheck.Moment,
        _ oldFile: String?
    ) throws(ImageError) {
        var count = 0
        try check.run(moment, oldFile: oldFile) { () throws(ImageError) in try conversion.step("verifying", &count) }
    }

    private func advance(to phase: ConversionMarker.Phase) throws(ImageError) {
        // What the mark says must be true after a power failure too.
        try ImageError.attempt("can't write \(path) to the disk") { () throws(Errno) in
            try System.synchronizeFileSystem(root)
        }
        try ConversionMarker(phase: phase, from: marker.from, to: marker.to).write(to: root)
    }

    /// Makes the directory of a new metadata file, which must not exist yet.
    private func prepare(_ file: String, isContinued: Bool, _ oldFile: String?) throws(ImageError) {
        let directory = file.lastIndex(of: "/").map { String(file[..<$0]) } ?? "."
        if conversion.options.newMetadata == nil, marker.to == .pseudo {
            do throws(Errno) {
                try System.makeDirectory(at: System.atCurrentDirectory, directory, mode: 0o755)
            } catch .EEXIST {
                // perhaps with logs of pseudo's
            } catch {
                throw ImageError("can't make \(ShellWord(directory))", error)
            }
        }
        if !isContinued { try TreeConversion.checkIsNew(file) }
    }

    private func walk(_ oldFile: String?) throws(ImageError) -> (walk: ForeignWalk, reader: any MetadataReader) {
        let reader = try ForeignDirectorySource.reader(path, root, marker.from, metadata: oldFile)
        let copy = try ImageError.attempt("can't open \(path)") { () throws(Errno) in
            try System.open(at: root, ".", [.readOnly, .directory])
        }
        return (ForeignWalk(copy, reader), reader)
    }

    static func isTemporary(_ file: ForeignFile) -> Bool { file.name.starts(with: temporaryPrefix.utf8) }

    private func describe(
        _ writer: any MetadataWriter,
        _ oldFile: String?,
        _ summary: inout ConversionSummary
    ) throws(ImageError) {
        let (walk, reader) = try walk(oldFile)
        let written = writer.reader
        while let file = try walk.next() {
            if Self.isTemporary(file) { continue }
            try conversion.step("describing", &summary.files)
            summary.losses += writer.losses(of: file)
            if let notice = file.notice { summary.note("\(file.description): \(notice)") }
            if summary.isContinued, try writer.hasDescribed(file) { continue }
            summary.losses.attributes += try writer.describe(file)
            if let written { try verify(file, written, writer) }
        }
        for notice in try reader.finish() { summary.note(notice) }
    }

    /// Reads what was written for a file: afterwards the host's own mode may not tell the old one any more.
    private func verify(
        _ file: ForeignFile,
        _ reader: any MetadataReader,
        _ writer: any MetadataWriter
    ) throws(ImageError) {
        guard let old = file.host(root), try writer.replacement(of: file) == .keep else { return }
        let now = try ImageError.attempt("can't look at \(file.description)") { () throws(Errno) in
            try System.status(of: old.descriptor)
        }
        let host = HostFile(path: old.path, descriptor: old.descriptor, status: now, directory: old.directory)
        let said = file.metadata
        guard let new = try reader.metadata(of: host), new.owner == said.owner, new.kind == said.kind,
            new.permissions == said.permissions || said.kind == .symlink
        else {
            throw ImageError(
                .system,
                "what was written for \(file.description) reads differently: the conversion has stopped before it removed anything",
                hint: marker.failure(path).hint
            )
        }
    }

    private func replace(
        _ writer: any MetadataWriter,
        _ oldFile: String?,
        _ summary: inout ConversionSummary
    ) throws(ImageError) {
        let (walk, _) = try walk(oldFile)
        var count = 0
        while let file = try walk.next() {
            try conversion.step("replacing", &count)
            if Self.isTemporary(file) {
                try ImageError.attempt("can't remove \(file.description)") { () throws(Errno) in
                    try System.removeTree(at: file.directory, FileName(file.name.span.bytes))
                }
                continue
            }
            let replacement = try writer.replacement(of: file)
            guard replacement != .keep else { continue }
            try replace(file, replacement, writer)
            summary.replaced += 1
        }
        summary.files = max(summary.files, count)
    }

    private func replace(
        _ file: ForeignFile,
        _ replacement: Replacement,
        _ writer: any MetadataWriter
    ) throws(ImageError) {
        let isNew = file.status == nil
        guard !isNew || replacement != .remove else { return }
        let directory = try directory(of: file)
        let action = "can't replace \(file.description)"
        let before = try ImageError.attempt(action) { () throws(Errno) in try System.status(of: directory.raw) }
        let name = try ImageError.attempt(action) { () throws(Errno) in try FileName(file.name.span.bytes) }
        if replacement == .remove {
            try ImageError.attempt(action) { () throws(Errno) in
                try name.withCString { (name) throws(Errno) in
                    try System.unlink(at: directory.raw, name, isDirectory: false)
                }
            }
        } else {
            let temporary = try ImageError.attempt(action) { () throws(Errno) in
                try FileName("\(Self.temporaryPrefix)new")
            }
            try removeLeftover(temporary, in: directory.raw, action)
            try make(file, as: temporary, in: directory.raw, writer)
            try ImageError.attempt(action) { () throws(Errno) in
                try temporary.withCString { (temporary) throws(Errno) in
                    let time = file.status?.modificationTime ?? .unknown
                    try System.setTimes(at: directory.raw, temporary, access: .keep, modification: .to(time))
                    try name.withCString { (name) throws(Errno) in
                        try System.rename(at: directory.raw, temporary, to: directory.raw, name)
                    }
                }
            }
        }
        try ImageError.attempt(action) { () throws(Errno) in
            try System.setTimes(of: directory.raw, access: .keep, modification: .to(before.modificationTime))
        }
    }

    /// Removes what a conversion left that was killed before the rename; the walk may come to it only later.
    private func removeLeftover(
        _ temporary: borrowing FileName,
        in directory: CInt,
        _ action: String
    ) throws(ImageError) {
        try ImageError.attempt(action) { () throws(Errno) in
            do throws(Errno) {
                try System.removeTree(at: directory, temporary)
            } catch .ENOENT {}
        }
    }

    private func make(
        _ file: ForeignFile,
        as name: borrowing FileName,
        in directory: CInt,
        _ writer: any MetadataWriter
    ) throws(ImageError) {
        guard let firstName = file.firstName else { return try writer.replace(file, as: name, in: directory) }
        // Another name of what has been replaced already.
        try ImageError.attempt("can't link \(file.description)") { () throws(Errno) in
            let first = try System.open(beneath: root, bytes: firstName, [.path, .noFollow])
            try name.withCString { (name) throws(Errno) in try System.link(first.raw, at: directory, name) }
        }
    }

    private func directory(of file: ForeignFile) throws(ImageError) -> OwnedDescriptor {
        try ImageError.attempt("can't open the directory of \(file.description)") { () throws(Errno) in
            if file.directory >= 0 { return try System.open(at: file.directory, ".", [.path, .directory]) }
            let slash = file.path.lastIndex(of: UInt8(ascii: "/"))
            return try System.open(
                beneath: root,
                bytes: slash.map { Array(file.path[..<$0]) } ?? Array(".".utf8),
                [.path, .directory]
            )
        }
    }

    private func clean(_ oldFile: String?, _ summary: inout ConversionSummary) throws(ImageError) {
        var count = 0
        if let oldFile, (try? System.open(oldFile, .path)) != nil { try moveFile(oldFile, to: oldFile + ".converted") }
        if marker.from == .overrideStat { try removeDatabase() }
        if marker.from != .plain {
            try MetadataRemover(marker.from).removeAll(root) { () throws(ImageError) in
                try conversion.step("cleaning", &count)
            }
        }
        summary.files = max(summary.files, count)
    }

    /// Removes our own database before the labels: with it, a server would take these for lost.
    private func removeDatabase() throws(ImageError) {
        let path = try ImageError.attempt("can't open \(path)") { () throws(Errno) -> String? in
            let tree = try FakeRootTree(
                owning: System.open(at: root, ".", [.path, .directory]),
                mayRaiseModes: false
            )
            let path = tree.databasePath
            // Else its absence would be taken for a loss.
            tree.forgetDatabase()
            return path
        }
        guard let path else { return }
        for suffix in FakeRootTree.databaseCompanions + [""] {
            do throws(Errno) {
                try System.unlink(at: System.atCurrentDirectory, path + suffix, isDirectory: false)
            } catch .ENOENT {
                continue
            } catch {
                throw ImageError("can't remove \(path + suffix)", error)
            }
        }
    }
}

extension System {
    /// As `open(beneath:_:_:)`, for bytes that may not be UTF-8.
    static func open(beneath directory: CInt, bytes path: [UInt8], _ flags: OpenMode) throws(Errno) -> OwnedDescriptor {
        try (path + [0]).span.withUnsafeBytes { (path) throws(Errno) in
            guard let base = path.baseAddress else { throw .EINVAL }
            return try open(beneath: directory, base.assumingMemoryBound(to: CChar.self), flags)
        }
    }
}
