internal import Archives
internal import Ext4Image
internal import FakeRoot
public import ImageEntries
internal import LinuxFiles

/// Makes an archive or image of a directory, as the board sees it; as an ordinary user.
///
/// All or nothing: the target grows under a hidden name beside its own and is renamed at the end. Reproducible: the same
/// tree gives the same bytes. The tree is only read; if somebody writes to it meanwhile that is an error.
///
/// The process' umask is cleared, as `FakeRootTree` says; the target gets its mode by what it was before.
public struct Exporter {
    /// Called for every entry and about every 256 KiB of content: take care to return fast.
    public typealias Observer = (ExportProgress) -> Void

    private let directory: String
    private let target: String
    private let options: Options
    private let cancellation: Cancellation

    /// An export of a tree; `run` does it.
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

    /// Exports; returns when the target is there.
    /// - Throws: `ImageError`; nothing is left behind then, and a target that was there is as it was.
    public func run(observer: @escaping Observer = { _ in }) throws(ImageError) -> ExportSummary {
        let start = ContinuousClock.now
        let plan = try ExportPlan(options, target: target)
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
            summary.losses = try write(walk, to: streamSink(plan, output, wait), observer)
            summary.targetBytes = output.count
        } else {
            try write(walk, plan, tree, mask, wait, observer, &summary)
        }
        summary.kind = plan.kind
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

    // MARK: Kinds of targets

    private func write(
        _ walk: TreeWalk,
        _ plan: ExportPlan,
        _ tree: FakeRootTree,
        _ mask: UInt32,
        _ wait: ExportWait,
        _ observer: @escaping Observer,
        _ summary: inout ExportSummary
    ) throws(ImageError) {
        let kind = plan.kind
        let platform = try plan.isOCI ? platform(of: tree) : nil
        let made = try Staging.target(
            for: target,
            .exporting,
            kind == .oci ? .directory : .file,
            mode: (kind == .oci ? 0o777 : 0o666) & ~mask,
            mayReplace: options.replacesTarget,
            outside: tree.root.raw
        )
        let output = DescriptorOutput(made.descriptor, name: target, wait)
        switch kind {
        case .tar, .cpio:
            summary.losses = try write(walk, to: streamSink(plan, output, wait), observer)
        case .squashfs:
            let sink = try SquashfsSink(
                made.descriptor,
                plan.compression,
                level: options.level,
                time: options.sourceDateEpoch ?? 0,
                wait
            )
            summary.losses = try write(walk, to: sink, observer)
        case .ext4:
            let sink = try Ext4Sink(made.descriptor, try measure(tree), ext4Settings)
            summary.losses = try write(walk, to: sink, observer)
        case .oci:
            let sink = try OCISink(made.descriptor, ociSettings(plan, platform), wait)
            summary.losses = try write(walk, to: sink, observer)
            summary.targetBytes = sink.size
        case .ociArchive:
            summary.losses = try writeArchive(walk, tree, ociSettings(plan, platform), to: output, wait, observer)
        }
        if kind != .oci { summary.targetBytes = try made.size() }
        if let notice = try made.publishTarget(wait) { summary.notices.append(notice) }
    }

    private func streamSink(
        _ plan: ExportPlan,
        _ output: any ByteOutput,
        _ wait: ExportWait
    ) throws(ImageError) -> any EntrySink {
        let compressed: any ByteOutput =
            plan.compression == .none
            ? output : try CompressedOutput(output, plan.compression, level: options.level, wait)
        return plan.kind == .cpio ? CpioSink(compressed) : TarSink(compressed)
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
                "'\(text)' is not a platform",
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

    private func ociSettings(_ plan: ExportPlan, _ platform: Platform?) throws(ImageError) -> OCISink.Settings {
        guard let platform else { preconditionFailure("an OCI image has a platform") }
        let compression = plan.compression
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
        let scratch = try Staging.target(for: target, .scratch, .directory, mode: 0o700, outside: tree.root.raw)
        let losses = try write(walk, to: OCISink(scratch.descriptor, settings, wait), observer)
        try OCIArchive(scratch.descriptor, cancellation).write(to: output)
        return losses
    }
}
