public import Archives
internal import Ext4Image
internal import FakeRoot
public import ImageEntries
internal import LinuxFiles

/// Makes an archive or image of a directory, as the board sees it; as an ordinary user.
///
/// All or nothing: the target grows under a hidden name beside its own and is renamed at the end. Reproducible: the same
/// tree gives the same bytes. The tree is only read; that it is written to meanwhile is found out and an error.
///
/// The process' umask is cleared, as `FakeRootTree` says; the target gets its mode by what it was before.
public struct Exporter {
    /// Called for every entry and about every 256 KiB of content: take care to return fast.
    public typealias Observer = (ExportProgress) -> Void

    public struct Options: Sendable {
        /// Nil to go by the target's name.
        public var kind: TargetKind?
        /// Nil to go by the target's name; squashfs has zstd then, OCI layers gzip.
        public var compression: Compression?
        /// Nil for what is usual for the compression.
        public var level: Int?
        /// Whether a target that is there already is replaced.
        public var replacesTarget = false
        /// Whether it is an error that the format can't hold something of the tree.
        public var isStrict = false
        /// Whether a directory with another tool's metadata is taken for what the host's files say.
        public var acceptsForeignDirectory = false
        /// See `Exclusions`.
        public var exclusions: [String] = []
        /// Seconds since 1970: no file's modification time is later, and it is the time of making where a format has
        /// one. Nil for the files' own times, and 1970 for the time of making.
        public var sourceDateEpoch: Int64?
        /// OCI: "OS/ARCHITECTURE" or "OS/ARCHITECTURE/VARIANT"; nil to look at a program of the tree.
        public var platform: String?
        /// OCI: the image's name in the layout, `org.opencontainers.image.ref.name`; nil for "latest".
        public var imageName: String?
        /// ext4: bytes of the image; nil for what the files need and some more.
        public var imageSize: UInt64?
        /// ext4: the volume's label.
        public var volumeLabel = ""
        /// ext4: the volume's UUID, 16 bytes; nil for one that depends on what is in the tree.
        public var volumeUUID: [UInt8]?

        public init() {}
    }

    private let directory: String
    private let target: String
    private let options: Options
    private let cancellation: Cancellation

    /// - Parameters:
    ///   - directory: the tree's path.
    ///   - target: the path of what to make; "-" for standard output.
    public init(
        directory: String,
        target: String,
        options: Options = Options(),
        cancellation: Cancellation = Cancellation()
    ) {
        self.directory = directory
        self.target = target
        self.options = options
        self.cancellation = cancellation
    }

    /// Exports; returns when the target stands.
    /// - Throws: `ImageError`; nothing is left behind then, and a target that was there is as it was.
    public func run(observer: @escaping Observer = { _ in }) throws(ImageError) -> ExportSummary {
        let start = ContinuousClock.now
        let kind = try targetKind()
        let mask = System.currentUmask
        try TreeArgument.verify(directory, isForeignAccepted: options.acceptsForeignDirectory)
        let tree = try openTree()
        let walk = walk(tree)
        let wait = ExportWait(cancellation)
        let observer = observe(walk, wait, observer)
        try walk.survey()
        var summary = ExportSummary()
        if target == "-" {
            let output = DescriptorOutput(1, name: "standard output", wait)
            summary.losses = try write(walk, to: streamSink(kind, output, wait), observer)
            summary.targetBytes = output.count
        } else {
            try write(walk, kind, tree, mask, wait, observer, &summary)
        }
        summary.kind = kind
        summary.entries = walk.progress.entries
        summary.restoredLabels = walk.restoredLabels
        summary.lostPrivileges = walk.lostPrivileges
        let databases = walk.databases
        if databases.count > 0 {
            let text = databases.count == 1 ? "1 file" : "\(databases.count) files"
            summary.notices.append("\(text) of a tree's database left out: \(databases.first)")
        }
        summary.contentBytes = walk.progress.contentBytes
        summary.seconds = (ContinuousClock.now - start) / .seconds(1)
        return summary
    }

    private func walk(_ tree: FakeRootTree) -> TreeWalk {
        TreeWalk(
            tree,
            excluding: Exclusions(options.exclusions),
            latestTime: options.sourceDateEpoch,
            cancellation: cancellation
        )
    }

    /// What the walk calls, and what is called while the export waits.
    private func observe(_ walk: TreeWalk, _ wait: ExportWait, _ observer: @escaping Observer) -> Observer {
        let tell: Observer = { [unowned wait] progress in
            var progress = progress
            progress.phase = wait.phase
            progress.pendingBytes = wait.pendingBytes
            observer(progress)
        }
        wait.onLook = { [unowned walk] in tell(walk.progress) }
        return tell
    }

    private func openTree() throws(ImageError) -> FakeRootTree {
        let tree = try ImageError.openTree("can't open the directory \(ShellWord(directory))") { (warn) throws(Errno) in
            try FakeRootTree(directory: directory, mayRaiseModes: false, warn: warn)
        }
        if let marker = try ConversionMarker.read(tree.root.raw, directory) { throw marker.failure(directory) }
        return tree
    }

    private func targetKind() throws(ImageError) -> TargetKind {
        guard let kind = options.kind ?? TargetKind(nameOf: target) else {
            throw ImageError(
                .badDestination,
                "the name \(ShellWord(target)) doesn't say what to make",
                hint: "Let it end in one of these, or use --to KIND:\n\(TargetKind.list)"
            )
        }
        guard target != "-" || kind.canBeStreamed else {
            throw ImageError(
                .badDestination,
                "\(kind.rawValue) can't be written to standard output: it is not made from its beginning to its end",
                hint: "Name a file."
            )
        }
        try checkOptions(for: kind)
        return kind
    }

    /// Refuses options that can't have the effect they are meant to have. (A platform is true of whatever is made.)
    private func checkOptions(for kind: TargetKind) throws(ImageError) {
        let isExt4 = kind == .ext4
        let isOCI = kind == .oci || kind == .ociArchive
        let compression = compression(for: kind)
        let misplaced: [(option: String, isMisplaced: Bool, purpose: String)] = [
            ("--size", options.imageSize != nil && !isExt4, "an ext4 image"),
            ("--label", !options.volumeLabel.isEmpty && !isExt4, "an ext4 image"),
            ("--uuid", options.volumeUUID != nil && !isExt4, "an ext4 image"),
            ("--image", options.imageName != nil && !isOCI, "an OCI image"),
            ("--compress", isExt4 && compression != .none, "what can be compressed"),
            ("--level", options.level != nil && compression == .none, "what is compressed"),
        ]
        if let (option, _, purpose) = misplaced.first(where: \.isMisplaced) {
            let made = compression == .none && !isExt4 ? "\(kind.rawValue) without compression" : kind.rawValue
            throw ImageError(
                .badDestination,
                "\(option) is for \(purpose); \(ShellWord(target)) is to be \(made)",
                hint: "Leave it out, or choose what to make: --to KIND, --compress METHOD."
            )
        }
        if let level = options.level, let levels = compression.levels, !levels.contains(level) {
            throw ImageError(
                .badDestination,
                "\(compression.rawValue) has no level \(level)",
                hint: "Its levels are \(levels.lowerBound) to \(levels.upperBound)."
            )
        }
    }

    private func compression(for kind: TargetKind) -> Compression {
        if let compression = options.compression { return compression }
        switch kind {
        case .tar, .cpio: return Compression(suffixOf: target)
        case .squashfs: return .zstd
        case .oci, .ociArchive: return .gzip
        case .ext4: return .none
        }
    }

    // MARK: Kinds of targets

    private func write(
        _ walk: TreeWalk,
        _ kind: TargetKind,
        _ tree: FakeRootTree,
        _ mask: UInt32,
        _ wait: ExportWait,
        _ observer: @escaping Observer,
        _ summary: inout ExportSummary
    ) throws(ImageError) {
        let platform = try kind == .oci || kind == .ociArchive ? platform(of: tree) : nil
        let made = try ExportTarget.make(
            for: target,
            kind == .oci ? .directory : .file,
            mode: (kind == .oci ? 0o777 : 0o666) & ~mask,
            mayReplace: options.replacesTarget,
            outside: tree.root.raw
        )
        do throws(ImageError) {
            let output = DescriptorOutput(made.descriptor, name: target, wait)
            switch kind {
            case .tar, .cpio:
                summary.losses = try write(walk, to: streamSink(kind, output, wait), observer)
            case .squashfs:
                let sink = try SquashfsSink(
                    made.descriptor,
                    compression(for: kind),
                    level: options.level,
                    time: options.sourceDateEpoch ?? 0,
                    wait
                )
                summary.losses = try write(walk, to: sink, observer)
            case .ext4:
                let sink = try Ext4Sink(made.descriptor, try measure(tree), ext4Settings)
                summary.losses = try write(walk, to: sink, observer)
            case .oci:
                let sink = try OCISink(made.descriptor, ociSettings(platform), wait)
                summary.losses = try write(walk, to: sink, observer)
                summary.targetBytes = sink.size
            case .ociArchive:
                summary.losses = try writeArchive(walk, tree, ociSettings(platform), to: output, wait, observer)
            }
            if kind != .oci { summary.targetBytes = try made.size() }
            if let notice = try made.commit(wait) { summary.notices.append(notice) }
        } catch {
            made.discard()
            throw error
        }
    }

    private func streamSink(_ kind: TargetKind, _ output: any ByteOutput, _ wait: ExportWait) throws(ImageError)
        -> any EntrySink
    {
        let compression = compression(for: kind)
        let compressed: any ByteOutput =
            compression == .none ? output : try CompressedOutput(output, compression, level: options.level, wait)
        return kind == .cpio ? CpioSink(compressed) : TarSink(compressed)
    }

    private func write(
        _ walk: TreeWalk,
        to sink: any EntrySink,
        _ observer: @escaping Observer
    ) throws(ImageError) -> ExportLosses {
        do throws(ImageError) {
            try walk.run(into: sink, observer: observer)
            try sink.finish()
        } catch {
            throw error.ofExport
        }
        let losses = sink.losses
        if options.isStrict, !losses.isEmpty { throw .lossy(losses) }
        return losses
    }

    // MARK: ext4

    /// What an image of the tree needs; a walk of its own.
    private func measure(_ tree: FakeRootTree) throws(ImageError) -> Ext4Measurement {
        let measurement = Ext4Measurement()
        let walk = walk(tree)
        try walk.survey()
        try walk.run(into: measurement)
        try measurement.finish()
        return measurement
    }

    private var ext4Settings: Ext4Sink.Settings {
        Ext4Sink.Settings(
            size: options.imageSize,
            label: options.volumeLabel,
            uuid: options.volumeUUID,
            time: options.sourceDateEpoch ?? 0
        )
    }

    // MARK: OCI

    private func platform(of tree: FakeRootTree) throws(ImageError) -> Platform {
        if let text = options.platform {
            if let platform = Platform(parsing: text) { return platform }
            throw ImageError(
                .badDestination,
                "'\(text)' is no platform",
                hint: "Write OS/ARCHITECTURE or OS/ARCHITECTURE/VARIANT, such as linux/arm64 or linux/arm/v7."
            )
        }
        if let platform = Platform.guess(from: tree.root.raw) { return platform }
        throw ImageError(
            .badDestination,
            "no program in the tree tells what platform it is for",
            hint: "Say it: --platform linux/arm64"
        )
    }

    private func ociSettings(_ platform: Platform?) throws(ImageError) -> OCISink.Settings {
        guard let platform else { preconditionFailure("an OCI image has a platform") }
        let compression = compression(for: .oci)
        guard [.none, .gzip, .zstd].contains(compression) else {
            throw ImageError(
                .badDestination,
                "an OCI layer can't be compressed with \(compression.rawValue)",
                hint: "Choose gzip, zstd or none."
            )
        }
        return OCISink.Settings(
            platform: platform,
            compression: compression,
            level: options.level,
            created: options.sourceDateEpoch ?? 0,
            name: options.imageName ?? "latest"
        )
    }

    /// The layer's name and size stand before it in the archive, so the layout is made as a directory first.
    private func writeArchive(
        _ walk: TreeWalk,
        _ tree: FakeRootTree,
        _ settings: OCISink.Settings,
        to output: DescriptorOutput,
        _ wait: ExportWait,
        _ observer: @escaping Observer
    ) throws(ImageError) -> ExportLosses {
        let scratch = try ExportTarget.make(
            for: target,
            .scratch,
            mode: 0o700,
            mayReplace: false,
            outside: tree.root.raw
        )
        defer { scratch.discard() }
        let losses = try write(walk, to: OCISink(scratch.descriptor, settings, wait), observer)
        try OCIArchive(scratch.descriptor, cancellation).write(to: output)
        return losses
    }
}
