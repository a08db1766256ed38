internal import FakeRoot
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
        /// See `Exclusions`.
        public var exclusions: [String] = []
        /// Seconds since 1970: no file's modification time is later, and it is the time of making where a format has
        /// one. Nil for the files' own times, and 1970 for the time of making.
        public var sourceDateEpoch: Int64?
        /// OCI: "OS/ARCHITECTURE" or "OS/ARCHITECTURE/VARIANT"; nil to look at a program of the tree.
        public var platform: String?
        /// OCI: the image's name in the layout, `org.opencontainers.image.ref.name`.
        public var imageName = "latest"
        /// ext4: bytes of the image; nil for what the files need and some more.
        public var imageSize: UInt64?
        /// ext4: the volume's label.
        public var volumeLabel = ""

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
        let tree = try openTree()
        let walk = TreeWalk(
            tree,
            excluding: Exclusions(options.exclusions),
            latestTime: options.sourceDateEpoch,
            cancellation: cancellation
        )
        try walk.survey()
        var summary = ExportSummary()
        if target == "-" {
            let output = DescriptorOutput(1, name: "standard output")
            summary.losses = try write(walk, to: streamSink(kind, output), observer)
            summary.targetBytes = output.count
        } else {
            try write(walk, kind, tree, mask, observer, &summary)
        }
        summary.kind = kind
        summary.entries = walk.progress.entries
        summary.contentBytes = walk.progress.contentBytes
        summary.seconds = (ContinuousClock.now - start) / .seconds(1)
        return summary
    }

    private func openTree() throws(ImageError) -> FakeRootTree {
        do throws(Errno) {
            return try FakeRootTree(directory: directory, mayRaiseModes: false)
        } catch {
            throw ImageError("can't open the directory \(directory)", error)
        }
    }

    private func targetKind() throws(ImageError) -> TargetKind {
        guard let kind = options.kind ?? TargetKind(nameOf: target) else {
            throw ImageError(
                .badDestination,
                "the name \(target) doesn't say what to make",
                hint: "Let it end in .tar, .tar.gz, .tar.xz, .tar.zst, .cpio, .squashfs, .ext4, .oci or .oci.tar,\n"
                    + "or use --to KIND: \(TargetKind.allCases.map(\.rawValue).joined(separator: ", "))."
            )
        }
        guard target != "-" || kind.canBeStreamed else {
            throw ImageError(
                .badDestination,
                "\(kind.rawValue) can't be written to standard output: it is not made from its beginning to its end",
                hint: "Name a file."
            )
        }
        if let level = options.level, let levels = compression.levels, !levels.contains(level) {
            throw ImageError(
                .badDestination,
                "\(compression.rawValue) has no level \(level)",
                hint: "Its levels are \(levels.lowerBound) to \(levels.upperBound)."
            )
        }
        return kind
    }

    private var compression: Compression { options.compression ?? Compression(suffixOf: target) }

    private func write(
        _ walk: TreeWalk,
        _ kind: TargetKind,
        _ tree: FakeRootTree,
        _ mask: UInt32,
        _ observer: @escaping Observer,
        _ summary: inout ExportSummary
    ) throws(ImageError) {
        let file = try ExportTarget.make(
            for: target,
            .file,
            mode: 0o666 & ~mask,
            mayReplace: options.replacesTarget,
            outside: tree.root.raw
        )
        do throws(ImageError) {
            let output = DescriptorOutput(file.descriptor.raw, name: target)
            summary.losses = try write(walk, to: streamSink(kind, output), observer)
            summary.targetBytes = output.count
            try file.commit()
        } catch {
            file.discard()
            throw error
        }
    }

    private func streamSink(_ kind: TargetKind, _ output: any ByteOutput) throws(ImageError) -> any EntrySink {
        let compressed: any ByteOutput =
            compression == .none ? output : try CompressedOutput(output, compression, level: options.level)
        return TarSink(compressed)
    }

    private func write(
        _ walk: TreeWalk,
        to sink: any EntrySink,
        _ observer: @escaping Observer
    ) throws(ImageError) -> ExportLosses {
        try walk.run(into: sink, observer: observer)
        try sink.finish()
        let losses = sink.losses
        if options.isStrict, !losses.isEmpty { throw .lossy(losses) }
        return losses
    }
}
