import ArgumentParser
import CommandSupport
import TreeTools

struct ChownCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "chown",
        abstract: "Change the owner that the board sees.",
        discussion: """
            Examples:
              p9serve chown root:shadow rootfs/etc/shadow
              p9serve chown -R 1000:1000 rootfs/home/user

            The host's files stay yours. Names are the board's, from the tree's etc/passwd and etc/group. The setuid and \
            setgid bits and the capabilities of a program go, as they do on Linux.

            \(ExitCause.help(.notFound, .permission))
            """,
        helpNames: .long  // -h is --no-dereference, as in coreutils
    )

    @Argument(help: ArgumentHelp("OWNER, OWNER:GROUP or :GROUP, by name or number.", valueName: "owner"))
    var owner: String

    @Argument(help: "Files of a tree.", completion: .file())
    var paths: [String]

    @OptionGroup var edit: TreeEdit

    func run() throws {
        try edit.editor.changeOwner(of: paths, to: Ownership(owner))
    }
}
