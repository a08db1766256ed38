public import ArgumentParser
import CommandSupport
import ImageEntries
import LinuxFiles
public import RootfsImage
import TreeTools

struct ImportCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "import",
        abstract: "Make a directory to serve from a root filesystem's archive or image.",
        discussion: """
            No root needed: owners, setuid bits, device nodes and file capabilities are kept in labels (extended \
            attributes), which the server shows to the board. The directory appears when the import is complete and on \
            the disk, and not at all if it fails or is interrupted. With --no-sync it does not wait for the disk: a power \
            failure soon after may leave files empty.

            What the source is shows in its content. These can be imported: \(SourceKind.list).

            Examples:
              p9serve import rootfs.tar.xz rootfs
              p9serve import core-image.wic.zst rootfs --partition 2
              p9serve import debian.oci rootfs --platform linux/arm64
              docker export CONTAINER | p9serve import - rootfs

            \(ExitCause.help(.notFound, .permission, .busy))
            """
    )

    @Argument(
        help: "An archive, an image, or a directory with another tool's metadata; - for standard input.",
        completion: .file()
    )
    var source: String

    @Argument(
        help: ArgumentHelp("The directory to make; it must not exist, or be empty.", valueName: "dir"),
        completion: .directory
    )
    var directory: String

    @Option(help: ArgumentHelp("The source's format (default: detected).", valueName: "kind"))
    var from: SourceKind?

    @Option(
        help: ArgumentHelp(
            "The platform to take from a container image that has several: OS/ARCHITECTURE[/VARIANT].",
            valueName: "platform"
        )
    )
    var platform: String?

    @Option(
        help: ArgumentHelp(
            "The container image to take from a source that has several: its tag or reference.",
            valueName: "name"
        )
    )
    var image: String?

    @Option(help: ArgumentHelp("The partition to take from a disk image, counted from 1.", valueName: "number"))
    var partition: Int?

    @Option(
        help: ArgumentHelp(
            "Where the directory's metadata is, if not where its tool puts it: files.db, a save file, a device table.",
            valueName: "file"
        ),
        completion: .file()
    )
    var metadata: String?

    @Option(
        name: .customLong("max-size"),
        help: ArgumentHelp("Refuse more content than this, such as 900M or 2G, holes included.", valueName: "size")
    )
    var maxSize: ByteSize?

    @Option(help: ArgumentHelp("Refuse more files than this.", valueName: "number"))
    var maxEntries: Int?

    @Flag(
        name: .customLong("strip-absolute"),
        help: "Take names that begin with / as relative to the new root, instead of refusing them."
    )
    var stripsAbsolute = false

    @Flag(
        name: .customLong("no-follow-links"),
        help: "Refuse entries whose path leads through a symbolic link, instead of putting them where it leads."
    )
    var refusesLinks = false

    @Flag(name: .customLong("no-sync"), help: "Don't wait until all is on the disk.")
    var skipsSync = false

    @Flag(help: "Print what happens as JSON, one object a line, on standard output.")
    var json = false

    @Flag(name: .shortAndLong, help: "No progress and no summary; warnings and errors only.")
    var quiet = false

    func run() throws {
        _ = System.raiseOpenFileLimit()
        let cancellation = Cancellation()
        try SignalWaiter.cancelOnSignals(cancellation)
        let importer = Importer(
            source: source,
            destination: directory,
            options: options,
            cancellation: cancellation
        )
        let line = ProgressLine(isEnabled: !quiet && !json)
        let events = EventStream(isEnabled: json)
        events.send("start", [("command", "import"), ("source", .string(source)), ("directory", .string(directory))])
        do throws(ImageError) {
            let summary = try importer.run { progress in
                line.show { progress.state(seconds: line.seconds) }
                events.sendProgress { progress.members }
            }
            line.clear()
            ImportReport(summary, source: source, directory: directory, notices: unused(by: summary.kind))
                .write(isQuiet: quiet || json, events)
        } catch {
            line.clear()
            throw events.failure(CommandFailure(error))
        }
    }

    /// The options that a source of this kind has no use for: most likely the user meant another source.
    private func unused(by kind: SourceKind) -> [String] {
        var unused: [String] = []
        if partition != nil, kind != .ext4 { unused.append("--partition") }
        if kind != .oci, kind != .docker {
            if platform != nil { unused.append("--platform") }
            if image != nil { unused.append("--image") }
        }
        if metadata != nil, !kind.isForeignDirectory { unused.append("--metadata") }
        return unused.map { "\($0) was not used: the source is of the kind \(kind.rawValue)" }
    }

    private var options: ImportOptions {
        var options = ImportOptions()
        options.kind = from
        options.platform = platform
        options.image = image
        options.partition = partition
        options.metadata = metadata
        options.maxSize = maxSize?.bytes
        options.maxEntries = maxEntries
        options.stripsAbsoluteNames = stripsAbsolute
        options.followsLinks = !refusesLinks
        options.isSynchronized = !skipsSync
        return options
    }
}

extension SourceKind: ExpressibleByArgument {}
