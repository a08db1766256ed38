import ArgumentParser
import CommandSupport
import TreeTools

struct StatCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "stat",
        abstract: "Show what the board sees of files: owner, mode, type, device numbers, attributes.",
        discussion: """
            Examples:
              p9serve stat rootfs/usr/bin/sudo
              p9serve stat --json rootfs/dev/console

            Paths are the host's. A symbolic link is shown itself; with -L, what it leads to on the board.

            \(ExitCause.help(.notFound, .permission))
            """
    )

    @Argument(help: "Files of a tree.", completion: .file())
    var paths: [String]

    @OptionGroup var tree: TreeOption

    @Flag(name: [.customShort("L"), .customLong("dereference")], help: "Follow symbolic links.")
    var follows = false

    @Flag(help: "Print JSON.")
    var json = false

    func run() throws {
        let finder = tree.paths
        let failures = PathFailures()
        var views: [BoardView] = []
        for path in paths {
            try failures.attempt { views.append(try BoardView(finder.open(path, following: follows))) }
        }
        if json {
            JSONValue.printDocument(version: 1, [("files", .array(views.map(\.json)))] + failures.members)
        } else {
            for view in views { print(view.description) }
        }
        try failures.finish()
    }
}
