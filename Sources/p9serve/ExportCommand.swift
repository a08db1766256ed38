public import Archives
public import ArgumentParser
import CommandSupport
import ImageEntries
import LinuxFiles
public import RootfsImage
import TreeTools

struct ExportCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "export",
        abstract: "Make an archive or image of a directory, as the board sees it.",
        discussion: """
            No root needed: owners, setuid bits, device nodes and file capabilities come from the labels that the \
            server shows to the board. The target appears when it is complete, and not at all if the export fails or is \
            interrupted. The same tree gives the same bytes; SOURCE_DATE_EPOCH is the time of making, and no file's \
            time is later. The directory is only read, and must not be written to meanwhile.

            Kinds, and the ends of names that say them (.oci and / make a directory):
            \(TargetKind.list)

            Examples:
              p9serve export rootfs rootfs.tar.zst
              p9serve export rootfs rootfs.squashfs
              p9serve export rootfs rootfs.oci.tar --platform linux/arm64
              p9serve export rootfs initramfs.cpio.gz --exclude 'var/cache/*'
              p9serve export rootfs - | ssh host 'tar -x -C /mnt'

            \(ExitCause.help(.notFound, .permission, .busy))
            """
    )

    @Argument(help: ArgumentHelp("The directory to export.", valueName: "dir"), completion: .directory)
    var directory: String

    @Argument(
        help: """
            What to make; the end of its name says what (above), and - is a tar archive on standard output.
            """,
        completion: .file()
    )
    var target: String

    @Option(help: ArgumentHelp("What to make, whatever its name is.", valueName: "kind"))
    var to: TargetKind?

    @Option(help: ArgumentHelp("gzip, xz, zstd, bzip2 or none, whatever its name says.", valueName: "method"))
    var compress: Compression?

    @Option(help: "The level of compression; larger is smaller and slower.")
    var level: Int?

    @Flag(help: "Replace a file or an OCI layout that is there already.")
    var force = false

    @Flag(help: "Fail if the format can't hold something, such as a socket in tar or a capability in cpio.")
    var strict = false

    @Option(
        help: ArgumentHelp(
            "Leave out what matches a shell pattern: a path in the directory if it has a /, else a name anywhere.",
            valueName: "pattern"
        )
    )
    var exclude: [String] = []

    @Option(
        help: ArgumentHelp(
            "For an OCI image: OS/ARCHITECTURE; without it a program of the tree is looked at.",
            valueName: "platform"
        )
    )
    var platform: String?

    @Option(help: ArgumentHelp("For an OCI image: its name in the layout. (default: latest)", valueName: "name"))
    var image: String?

    @Option(help: "For an ext4 image: its size, such as 900M or 2G; without it what the files need and some more.")
    var size: ByteSize?

    @Option(help: "For an ext4 image: the volume's label.")
    var label = ""

    @Option(
        help: ArgumentHelp(
            "For an ext4 image: the volume's UUID; without it one that depends on what is in the tree.",
            valueName: "uuid"
        )
    )
    var uuid: VolumeUUID?

    @Flag(name: .customLong("as-is"), help: "Pass over another tool's metadata, which the directory has.")
    var asIs = false

    @Flag(help: "Print what happens as JSON, one object a line, on standard output (with -: on standard error).")
    var json = false

    @Flag(name: .shortAndLong, help: "No progress and no summary; warnings and errors only.")
    var quiet = false

    func run() throws {
        if target == "-", System.isTerminal(1) {
            throw CommandFailure(
                .badInput,
                "an archive won't be written to a terminal",
                advice: "Redirect standard output to a file or a pipe."
            )
        }
        let cancellation = Cancellation()
        try SignalWaiter.cancelOnSignals(cancellation)
        let exporter = Exporter(
            directory: directory,
            target: target,
            options: try options(),
            cancellation: cancellation
        )
        let line = ProgressLine(isEnabled: !quiet && !json)
        let events = EventStream(isEnabled: json, onStandardError: target == "-")
        events.send("start", [("command", "export"), ("directory", .string(directory)), ("target", .string(target))])
        do throws(ImageError) {
            let summary = try exporter.run { progress in
                line.show { progress.state(seconds: line.seconds) }
                events.sendProgress { progress.members }
            }
            line.clear()
            ExportReport(summary, target: target).write(isQuiet: quiet || json, events)
        } catch {
            line.clear()
            throw events.failure(CommandFailure(error))
        }
    }

    private func options() throws -> Exporter.Options {
        var options = Exporter.Options()
        options.kind = to
        options.compression = compress
        options.level = level
        options.replacesTarget = force
        options.isStrict = strict
        options.acceptsForeignDirectory = asIs
        options.exclusions = exclude
        options.sourceDateEpoch = try SourceDateEpoch.fromEnvironment()
        options.platform = platform
        options.imageName = image
        options.imageSize = size?.bytes
        options.volumeLabel = label
        options.volumeUUID = uuid?.bytes
        return options
    }
}

extension TargetKind: ExpressibleByArgument {}

extension Compression: ExpressibleByArgument {}
