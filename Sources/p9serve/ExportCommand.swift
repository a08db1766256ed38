import ArgumentParser
import CommandSupport
import LinuxFiles
import RootfsImage

struct ExportCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "export",
        abstract: "Make an archive or image of a directory, as the board sees it."
    )

    @Argument(help: ArgumentHelp("The directory to export.", valueName: "dir"), completion: .directory)
    var directory: String

    @Argument(help: "What to make; - for a tar archive on standard output.", completion: .file())
    var target: String

    func run() throws {
        do throws(ImageError) {
            _ = try Exporter(directory: directory, target: target).run()
        } catch {
            throw CommandFailure(error.exitCause, error.message, advice: error.hint)
        }
    }
}
