public import ArgumentParser
import CommandSupport
public import TreeTools

struct ChmodCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "chmod",
        abstract: "Change the mode that the board sees, setuid, setgid and sticky bits included.",
        discussion: """
            Examples:
              p9serve chmod 4755 rootfs/usr/bin/su
              p9serve chmod u+s,go-w rootfs/usr/bin/su
              p9serve chmod -R a+rX rootfs/srv

            For the rwx bits the host's own chmod does as well; the other three can only be changed here or on the board.

            \(ExitCause.help(.notFound, .permission))
            """,
        helpNames: .long  // -h is --no-dereference, as in coreutils
    )

    // A mode may begin with "-", as in "chmod -x FILE".
    @Argument(
        parsing: .allUnrecognized,
        help: ArgumentHelp("An octal mode, or clauses such as u+s,go-w. Then files.", valueName: "mode path"),
        completion: .file()
    )
    var arguments: [String]

    @OptionGroup var edit: TreeEdit

    // Here, not in run(): what is wrong is then told with this command's usage.
    func validate() throws {
        _ = try mode
        guard arguments.count > 1 else { throw ValidationError("Name a file.") }
        if let option = arguments.dropFirst().first(where: { $0.hasPrefix("-") }) {
            throw ValidationError("Unknown option '\(option)'; for a file of that name write ./\(option)")
        }
    }

    private var mode: ModeChange {
        get throws {
            guard let text = arguments.first, let mode = ModeChange(argument: text) else {
                throw ValidationError("'\(arguments.first ?? "")' is not a mode: write it as 4755, or as u+s,go-w.")
            }
            return mode
        }
    }

    func run() throws {
        try edit.editor.changeMode(of: Array(arguments.dropFirst()), to: mode)
    }
}

extension ModeChange: ExpressibleByArgument {}
