public import ArgumentParser
import CommandSupport
import ImageEntries
import LinuxFiles
public import RootfsImage
import TreeTools

struct ConvertCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "convert",
        abstract: "Turn one tool's way of keeping owners, modes and device nodes into another's.",
        discussion: """
            Converts a directory in place, or makes a converted copy of it. No root needed. What is interrupted in place \
            is finished by the same command; a copy appears when it is complete, and not at all if it fails.

            Formats: \(TreeConversion.targets.map(\.rawValue).joined(separator: ", ")). Only read are: \
            \(readOnly.joined(separator: ", ")).

            Examples:
              p9serve convert rootfs --to pseudo
              p9serve convert rootfs --to rsync --output rootfs.rsync
              p9serve convert target --metadata table.txt --to rsync --output rootfs

            \(ExitCause.help(.notFound, .permission, .busy))
            """
    )

    private static var readOnly: [String] {
        MetadataKind.allCases.filter { !TreeConversion.targets.contains($0) }.map(\.rawValue)
    }

    @Argument(help: ArgumentHelp("The directory to convert.", valueName: "dir"), completion: .directory)
    var directory: String

    @Option(help: ArgumentHelp("The format to convert to.", valueName: "format"))
    var to: ConversionTarget

    @Option(help: ArgumentHelp("The format it has now (default: detected).", valueName: "format"))
    var from: MetadataKind?

    @Option(help: ArgumentHelp("Make a converted copy, and leave the directory as it is.", valueName: "copy"))
    var output: String?

    @Option(
        help: ArgumentHelp(
            "The pseudo database, fakeroot save file or device table to read; looked for beside the directory.",
            valueName: "file"
        ),
        completion: .file()
    )
    var metadata: String?

    @Option(
        help: ArgumentHelp(
            "The pseudo database or device table to write; DIR.pseudo_state/files.db or DIR.devtable by default.",
            valueName: "file"
        ),
        completion: .file()
    )
    var newMetadata: String?

    @Flag(name: .customLong("dry-run"), help: "Change nothing; say what would be done.")
    var isDryRun = false

    @Flag(help: "Change nothing if the format can't hold all there is.")
    var strict = false

    @Flag(help: "Print a summary as JSON on standard output.")
    var json = false

    @Flag(name: .shortAndLong, help: "No progress and no summary; warnings and errors only.")
    var quiet = false

    func run() throws {
        try CommandFailure.documented(json) { try convert() }
    }

    private func convert() throws {
        var options = TreeConversion.Options(to: to.kind)
        options.from = from
        options.metadata = metadata
        options.newMetadata = newMetadata
        options.output = output
        options.isDryRun = isDryRun
        options.isStrict = strict
        let cancellation = Cancellation()
        try SignalWaiter.cancelOnSignals(cancellation)
        let line = ProgressLine(isEnabled: !quiet && !json)
        let conversion = TreeConversion(directory, options, cancellation: cancellation) { pass, files in
            line.show { ProgressLine.State(text: "\(files) files", more: [pass]) }
        }
        do throws(ImageError) {
            let summary = try conversion.run()
            line.clear()
            ConversionReport(summary, directory: directory, output: output, isDryRun: isDryRun)
                .write(isQuiet: quiet, asJSON: json)
        } catch {
            line.clear()
            throw CommandFailure(error)
        }
    }
}

extension MetadataKind: ExpressibleByArgument {}

/// A format that is written, not only read.
struct ConversionTarget: ExpressibleByArgument {
    let kind: MetadataKind

    init?(argument: String) {
        guard let kind = MetadataKind(argument: argument), TreeConversion.targets.contains(kind) else { return nil }
        self.kind = kind
    }

    static var allValueStrings: [String] { TreeConversion.targets.map(\.rawValue) }
}
