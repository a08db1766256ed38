import ArgumentParser
import CommandSupport
import FakeRoot

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
        let ownership = Ownership(owner)
        // The kernel of a board takes capabilities away for a chown of its own before it asks the server, and the bits too.
        try edit.apply(to: paths, removesCapabilities: true) { file in
            let (uid, gid) = try ownership.numbers(file.names)
            let status = try file.status()
            let drops = status.kind == .file && status.permissions & 0o6000 != 0
            let privileges: UInt32 = status.permissions & 0o010 != 0 ? 0o6000 : 0o4000
            return OwnerAndMode(uid: uid, gid: gid, permissions: drops ? status.permissions & ~privileges : nil)
        }
    }
}
