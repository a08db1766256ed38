import ArgumentParser
import CommandSupport
import FakeRoot
import LinuxFiles
import RootfsImage

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

    // What fingers type: this is what is shown anyway.
    @Flag(name: [.customShort("l"), .customShort("a"), .customShort("A")], help: .hidden)
    var habits: Int

    @Flag(help: "Print JSON.")
    var json = false

    /// A directory and what is in it, or a file.
    private struct Listing {
        let path: String
        var views: [BoardView] = []
        let isDirectory: Bool
    }

    func run() throws {
        let finder = TreePaths(root: tree.tree)
        var lists: [Listing] = []
        let failures = PathFailures()
        for path in paths {
            try failures.attempt {
                let file = try finder.open(path, following: !directory)
                if try !directory && file.status().kind == .directory {
                    try list(file, failures) { lists.append($0) }
                } else {
                    lists.append(Listing(path: path, views: [try BoardView(file)], isDirectory: false))
                }
            }
        }
        if json {
            let files = JSONValue.array(lists.flatMap(\.views).map(\.json))
            JSONValue.printDocument(version: 1, [("files", files)] + failures.members)
            return try failures.finish()
        }
        for (index, list) in lists.enumerated() {
            if lists.count > 1, list.isDirectory { print("\(index > 0 ? "\n" : "")\(printable(list.path.utf8)):") }
            printLines(list.views, prefix: list.isDirectory ? list.path : nil)
        }
        try failures.finish()
    }

    /// Lists a directory, then with -R those in it.
    private func list(
        _ directory: borrowing TreeFile,
        _ failures: PathFailures,
        _ body: (Listing) -> Void
    ) throws {
        var listing = Listing(path: directory.path, isDirectory: true)
        try directory.forEachChild { child in listing.views.append(try BoardView(child)) }
        body(listing)
        guard isRecursive else { return }
        try directory.forEachChild { child in
            guard try child.status().kind == .directory else { return }
            do {
                try list(child, failures, body)
            } catch let failure as CommandFailure {
                failures.note(failure)
            }
        }
    }

    /// - Parameter prefix: the directory's path, which its files are listed without.
    private func printLines(_ views: [BoardView], prefix: String?) {
        let rows = views.map { $0.columns(isNumeric: isNumeric, isHumanReadable: humanReadable) }
        let widths = (rows.first ?? []).indices.map { column in rows.map { $0[column].count }.max() ?? 0 }
        for (view, row) in zip(views, rows) {
            let cells = zip(row, widths).enumerated().map { column, cell in
                let space = String(repeating: " ", count: cell.1 - cell.0.count)
                return column == 1 || column == 4 ? space + cell.0 : cell.0 + space
            }
            var name = prefix.map { String(view.path.dropFirst($0.count)) } ?? view.path
            if prefix != nil, name.hasPrefix("/") { name.removeFirst() }
            print(cells.joined(separator: " "), terminator: " ")
            print(printable(name.utf8) + (view.target.map { " -> \($0)" } ?? ""))
        }
    }
}
