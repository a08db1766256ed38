internal import Archives
internal import Ext4Image
internal import FakeRoot
internal import ImageEntries
internal import LinuxFiles

/// Finds out what a source is, and opens the reader for it.
final class SourceOpener {
    /// Copies of a stream that can't be read in one go: bytes so far, and bytes in all if somebody knows.
    typealias SpoolObserver = (UInt64, UInt64?) -> Void

    private let source: String
    private let options: ImportOptions
    private let cancellation: Cancellation
    /// Nil for a directory.
    private var input: FileInput?
    /// What it is imported as; known once it is open.
    private(set) var kind = SourceKind.tar

    init(_ source: String, _ options: ImportOptions, _ cancellation: Cancellation) {
        self.source = source
        self.options = options
        self.cancellation = cancellation
    }

    /// What messages call the source.
    private var name: String { source == "-" ? "standard input" : ShellWord(source).text }

    /// Opens the file, so that one that isn't there is noticed first.
    func prepare() throws(ImageError) {
        let file = try ImageError.attempt("can't open \(name)") { () throws(Errno) in
            source == "-" ? try System.duplicate(0) : try System.open(source, .readOnly)
        }
        let status = try ImageError.attempt("can't read \(name)") { () throws(Errno) in
            try System.status(of: file.raw)
        }
        guard status.format != .directory else { return }
        input = try FileInput(file, name: name, cancellation)
    }

    /// Refuses to copy a directory into itself: the copying would never end.
    /// - Parameter destination: the directory that is being made.
    func refuseNesting(_ destination: CInt) throws(ImageError) {
        guard input == nil else { return }
        let isNested = try ImageError.attempt("can't compare \(name) with the destination") { () throws(Errno) in
            let directory = try System.open(source, [.path, .directory])
            let top = try System.status(of: directory.raw)
            var current = try System.open(at: destination, ".", [.path, .directory])
            while true {
                let status = try System.status(of: current.raw)
                if status.isSameFile(as: top) { return true }
                let above = try System.open(at: current.raw, "..", [.path, .directory])
                if try System.status(of: above.raw).isSameFile(as: status) { return false }
                current = above
            }
        }
        guard isNested else { return }
        throw ImageError(
            .badDestination,
            "the destination lies in \(name), which is to be imported",
            hint: "Name a destination somewhere else."
        )
    }

    /// - Parameter temporary: a directory on whose disk there is room for what can't be read in one go.
    func open(temporary: CInt, onSpool: SpoolObserver) throws(ImageError) -> any EntrySource {
        guard let input else { return try openDirectory() }
        if let kind = options.kind, kind.isForeignDirectory { throw misfit(kind, "is a file, not a directory") }
        // An uncompressed source that must be read in several places needs no decoder.
        let raw = try SourceSignature(input.peek())
        if let direct = try openImage(raw, wanted: options.kind, input) { return direct }
        let stream = try ArchiveStream(input, cancellation)
        // Before the reader, which abandons the stream only once it exists.
        var isTaken = false
        defer { if !isTaken { stream.abandon() } }
        let first = try stream.peek()
        let signature = SourceSignature(first)
        let kind = try choose(signature, first)
        self.kind = kind
        func spool() throws(ImageError) -> FileInput {
            let file = try Spool.copy(stream, into: temporary, maxSize: options.maxSize) { bytes in
                onSpool(input.bytesRead, input.size)
                _ = bytes
            }
            return try FileInput(file, name: name, cancellation)
        }
        switch kind {
        case .tar:
            let reader = try TarSource(stream, input)
            isTaken = true
            return reader
        case .cpio:
            let reader = try CpioSource(stream, input, cancellation)
            isTaken = true
            return reader
        case .oci, .docker:
            let isDirect = input.isRegular && !stream.isCompressed && source != "-"
            return try openLayout(isDirect ? input : spool())
        case .squashfs, .ext4:
            let image = try spool()
            guard let source = try openImage(SourceSignature(image.peek()), wanted: kind, image) else {
                throw misfit(kind, "is \(signature.description ?? "nothing that can be recognized")")
            }
            return source
        default: throw misfit(kind, "is a file, not a directory")
        }
    }

    // MARK: Kinds

    /// A squashfs or disk image, if it is one and can be read where it is.
    private func openImage(
        _ signature: SourceSignature,
        wanted: SourceKind?,
        _ input: FileInput
    ) throws(ImageError) -> (any EntrySource)? {
        guard let found = signature.kind, found == .squashfs || found == .ext4, input.isRegular else { return nil }
        if let wanted, wanted != found {
            throw misfit(wanted, "is \(signature.description ?? "nothing that can be recognized")")
        }
        kind = found
        switch found {
        case .squashfs: return try SquashfsSource(input, cancellation)
        default:
            return try Ext4Source(image: input.duplicate(), name: name, partition: options.partition)
        }
    }

    /// A container image, or the tar archive that only looked like one.
    private func openLayout(_ input: FileInput) throws(ImageError) -> any EntrySource {
        if let layers = try openLayers(TarLayout(input.duplicate(), name: name)) { return layers }
        if let wanted = options.kind { throw misfit(wanted, "has neither oci-layout nor manifest.json") }
        kind = .tar
        // From the beginning, wherever others have read to.
        let again = try FileInput(input.duplicate(), name: name, part: 0..<(input.size ?? 0), cancellation)
        let stream = try ArchiveStream(again, cancellation)
        return try TarSource(stream, again)
    }

    /// What the user asks for of a container image.
    private var request: ContainerImage.Request {
        let format: ContainerImage.Format? =
            switch options.kind {
            case .oci: .oci
            case .docker: .docker
            default: nil
            }
        return ContainerImage.Request(format: format, name: options.image, platform: options.platform)
    }

    /// - Returns: nil if this is not a container image.
    private func openLayers(_ files: any LayoutFiles) throws(ImageError) -> LayerSource? {
        guard let image = try ContainerImage(files, request, cancellation) else { return nil }
        kind = image.format == .oci ? .oci : .docker
        return try LayerSource(files, image.layers, notices: files.notices + image.notices, cancellation)
    }

    private func openDirectory() throws(ImageError) -> any EntrySource {
        if let kind = options.kind, !kind.isForeignDirectory, kind != .oci, kind != .docker {
            throw misfit(kind, "is a directory")
        }
        let directory = try ImageError.attempt("can't open \(name)") { () throws(Errno) in
            try System.open(source, [.readOnly, .directory])
        }
        if options.kind?.isForeignDirectory != true {
            if let layers = try openLayers(DirectoryLayout(directory, name: name)) { return layers }
            if let kind = options.kind { throw misfit(kind, "has neither oci-layout nor manifest.json") }
        }
        return try openForeignDirectory()
    }

    /// A directory with another tool's metadata, or with none.
    private func openForeignDirectory() throws(ImageError) -> ForeignDirectorySource {
        let wanted = options.kind.flatMap { MetadataKind(rawValue: $0.rawValue) }
        let evidence = try wanted == nil ? MetadataEvidence(source, metadata: options.metadata) : nil
        let found = wanted ?? evidence?.kind ?? .plain
        kind = SourceKind(rawValue: found.rawValue) ?? .directory
        return try ForeignDirectorySource(source, found, metadata: options.metadata ?? evidence?.file)
    }

    // MARK: Choosing

    /// - Parameter first: the first block, decompressed.
    private func choose(_ signature: SourceSignature, _ first: UnsafeRawBufferPointer) throws(ImageError) -> SourceKind
    {
        let found = signature.kind
        guard let wanted = options.kind else {
            guard let found else { throw unknown(signature) }
            return found == .tar && LayoutSignature.isLikely(first) ? .oci : found
        }
        let isLayout = wanted == .oci || wanted == .docker
        guard found == wanted || found == .tar && isLayout else {
            throw misfit(wanted, "is \(signature.description ?? "nothing that can be recognized")")
        }
        return wanted
    }

    private func unknown(_ signature: SourceSignature) -> ImageError {
        ImageError(
            .badArchive,
            signature == .unknown
                ? "\(name) is in no format that can be imported"
                : "\(name) is \(signature.description ?? "nothing that can be recognized"), which can't be imported",
            hint: "These can be: \(SourceKind.list)."
        )
    }

    private func misfit(_ wanted: SourceKind, _ reason: String) -> ImageError {
        ImageError(
            .badArchive,
            "\(name) \(reason): it can't be imported as \(wanted.description)",
            hint: "Leave --from \(wanted.rawValue) out to have the kind detected."
        )
    }
}
