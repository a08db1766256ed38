import ArgumentParser
import CommandSupport
import LinuxFiles
import RootfsImage

struct ImportCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "import",
        abstract: "Make a directory to serve of a root filesystem's archive.",
        discussion: """
            No root needed: owners, setuid bits, device nodes and file capabilities are kept in labels (extended \
            attributes), which the server shows to the board. The directory appears when the import is complete, and \
            not at all if it fails or is interrupted.

            Examples:
              p9serve import rootfs.tar.xz rootfs
              docker export CONTAINER | p9serve import - rootfs
            """
    )

    @Argument(
        help: "A tar file, plain or compressed with gzip, xz, zstd or bzip2; - for standard input.",
        completion: .file(extensions: ["tar", "gz", "tgz", "xz", "zst", "bz2"])
    )
    var archive: String

    @Argument(
        help: ArgumentHelp("The directory to make; it must not exist, or be empty.", valueName: "dir"),
        completion: .directory
    )
    var directory: String

    @Flag(help: "Print a summary as JSON on standard output.")
    var json = false

    @Flag(name: .shortAndLong, help: "No progress and no summary; warnings and errors only.")
    var quiet = false

    func run() throws {
        let cancellation = Cancellation()
        try Self.cancelOnSignals(cancellation)
        let importer = TarImporter(archive: archive, destination: directory, cancellation: cancellation)
        let display = ImportDisplay(isEnabled: !quiet)
        do throws(ImageError) {
            let summary = try importer.run { display.show($0) }
            display.clear()
            ImportReport(summary, archive: archive, directory: directory).write(isQuiet: quiet, asJSON: json)
        } catch {
            display.clear()
            throw CommandFailure(error.exitCause, error.message, advice: error.hint)
        }
    }

    private static func cancelOnSignals(_ cancellation: Cancellation) throws {
        let signals = SignalWaiter()
        do throws(Errno) {
            try startThread {
                while case .woken = signals.wait() {}
                cancellation.request()
            }
        } catch {
            throw CommandFailure(.failure, "can't start a thread: \(error.text)")
        }
    }
}

extension ImageError {
    var exitCause: ExitCause {
        switch code {
        case .badArchive, .refusedEntry, .badDestination: .badInput
        case .notFound: .notFound
        case .permission: .permission
        case .unsupportedFileSystem, .noSpace, .treeChanged, .cancelled, .system: .failure
        }
    }
}
