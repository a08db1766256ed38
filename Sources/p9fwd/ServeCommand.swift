import ArgumentParser
import CommandSupport
import LinuxFiles
import P9Server
import USBLink

struct ServeCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "serve",
        abstract: "Serve a directory to a board as its root filesystem.",
        discussion: """
            Waits for the board if it is not there yet, and for its return after a reboot. Ctrl-C and SIGTERM answer the \
            request in hand and end.
            """
    )

    @OptionGroup var options: GadgetOptions

    @Argument(help: ArgumentHelp("The directory that the board mounts.", valueName: "rootfs"))
    var directory: String

    @Option(
        help: ArgumentHelp("Another directory, which the board mounts with aname=NAME.", valueName: "name=dir")
    )
    var export: [NamedDirectory] = []

    @Flag(help: "Refuse all changes.")
    var readOnly = false

    @OptionGroup var waiting: WaitingOptions

    func run() throws {
        var exports = [try makeExport("", directory)]
        for named in export {
            guard !exports.contains(where: { $0.name == named.name }) else {
                throw CommandFailure(.badInput, "two exports are called \(named.name)")
            }
            exports.append(try makeExport(named.name, named.directory))
        }
        let configuration = ServerConfiguration(exports: exports, maximumMessageSize: GadgetLink.maximumMsize)
        let service = BoardService(
            selector: options.selector,
            once: waiting.once,
            timeout: waiting.timeout,
            verbose: options.verbose
        )
        try service.run { _ in ServerConnection(configuration) }
    }

    private func makeExport(_ name: String, _ directory: String) throws -> Export {
        do throws(Errno) {
            return try Export(name: name, directory: directory, isReadOnly: readOnly)
        } catch {
            let cause: ExitCause =
                switch error {
                case .ENOENT: .notFound
                case .EACCES, .EPERM: .permission
                case .ENOTDIR: .badInput
                default: .failure
                }
            throw CommandFailure(cause, "can't serve \(directory): \(error.text)")
        }
    }
}

/// An export on the command line, such as "data=/srv/data".
struct NamedDirectory: ExpressibleByArgument {
    let name: String
    let directory: String

    init?(argument: String) {
        guard let equals = argument.firstIndex(of: "="), equals != argument.startIndex else { return nil }
        name = String(argument[..<equals])
        directory = String(argument[argument.index(after: equals)...])
        // An aname that begins with a slash is a path on the host.
        guard !directory.isEmpty, !name.hasPrefix("/") else { return nil }
    }
}
