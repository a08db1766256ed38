import ArgumentParser
import CommandSupport
import TreeTools

struct ListCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "ls",
        abstract: "List a directory as the board sees it, as ls -l does there.",
        discussion: """
            Examples:
              p9serve ls rootfs/dev
              p9serve ls -d rootfs/tmp
              p9serve ls -R rootfs/etc
              p9serve ls --json rootfs/etc

            -l, -a and -A are accepted: all files are shown, with everything, in any case.

            \(ExitCause.help(.notFound, .permission))
            """,
        helpNames: .long
    )

    @Argument(help: "Directories, or files.", completion: .file())
    var paths: [String] = ["."]

    @OptionGroup var tree: TreeOption

    @Flag(name: .shortAndLong, help: "A directory itself, not what is in it.")
    var directory = false

    @Flag(name: [.customShort("R"), .customLong("recursive")], help: "Directories with all that is beneath them.")
    var isRecursive = false

    @Flag(name: [.customShort("n"), .customLong("numeric-uid-gid")], help: "Owners and groups as numbers.")
    var isNumeric = false

    @Flag(name: [.customShort("h"), .long], help: "Sizes such as 3.4 MiB.")
    var humanReadable = false

    // Options that people type by habit; the listing shows this anyway.
    @Flag(name: [.customShort("l"), .customShort("a"), .customShort("A")], help: .hidden)
    var habits: Int

    @Flag(help: "Print JSON.")
    var json = false

    func run() throws {
        let style = TreeListing.Style(isNumeric: isNumeric, isHumanReadable: humanReadable, isJSON: json)
        let listing = TreeListing(tree.paths, style, isRecursive: isRecursive, entersDirectories: !directory)
        try listing.run(paths)
    }
}
