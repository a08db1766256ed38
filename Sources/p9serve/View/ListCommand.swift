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
        /// With the names that they are listed under.
        var views: [(name: String, view: BoardView)] = []
        let isDirectory: Bool
    }

    func run() throws {
        let finder = TreePaths(tree)
        let output = Output(isNumeric: isNumeric, isHumanReadable: humanReadable, isJSON: json)
        let failures = PathFailures()
        for path in paths {
            try failures.attempt {
                let file = try finder.open(path, following: !directory)
                if try !directory && file.status().kind == .directory {
                    try list(file, failures, output)
                } else {
                    output.add(Listing(path: path, views: [(path, try BoardView(file))], isDirectory: false))
                }
            }
        }
        output.finish(failures)
        try failures.finish()
    }

    /// Lists a directory, with -R also those beneath it.
    private func list(_ top: borrowing TreeFile, _ failures: PathFailures, _ output: Output) throws {
        try TreeFileWalk(failures).run(from: top) { directory in
            var listing = Listing(path: directory.path, isDirectory: true)
            var inner: [[UInt8]] = []
            for name in directory.names {
                try failures.attempt {
                    let view = try BoardView(directory.child(name))
                    listing.views.append((TreeFileWalk.text(name), view))
                    if isRecursive, view.status.kind == .directory { inner.append(name) }
                }
            }
            output.add(listing)
            return inner
        }
    }

    /// Prints listings as they come: of a large tree they are more than fits into memory.
    private final class Output {
        private let isNumeric: Bool
        private let isHumanReadable: Bool
        private let isJSON: Bool
        /// The first one is held back: a single one has no title.
        private var first: Listing?
        private var count = 0
        private var documents: [JSONValue] = []

        init(isNumeric: Bool, isHumanReadable: Bool, isJSON: Bool) {
            self.isNumeric = isNumeric
            self.isHumanReadable = isHumanReadable
            self.isJSON = isJSON
        }

        func add(_ listing: Listing) {
            count += 1
            guard !isJSON else { return documents += listing.views.map(\.view.json) }
            guard count > 1 else { return first = listing }
            if let first { printTitled(first) }
            first = nil
            if listing.isDirectory { print("") }
            printTitled(listing)
        }

        func finish(_ failures: PathFailures) {
            if isJSON {
                JSONValue.printDocument(version: 1, [("files", .array(documents))] + failures.members)
            } else if let first {
                printLines(first)
            }
        }

        private func printTitled(_ listing: Listing) {
            if listing.isDirectory { print("\(printable(listing.path)):") }
            printLines(listing)
        }

        private func printLines(_ listing: Listing) {
            let rows = listing.views.map { $0.view.columns(isNumeric: isNumeric, isHumanReadable: isHumanReadable) }
            let widths = (rows.first ?? []).indices.map { column in rows.map { $0[column].count }.max() ?? 0 }
            for ((name, view), row) in zip(listing.views, rows) {
                let cells = zip(row, widths).enumerated().map { column, cell in
                    let space = String(repeating: " ", count: cell.1 - cell.0.count)
                    return column == 1 || column == 4 ? space + cell.0 : cell.0 + space
                }
                print(cells.joined(separator: " "), terminator: " ")
                print(printable(name) + (view.target.map { " -> \($0)" } ?? ""))
            }
        }
    }
}
