import ArgumentParser
import CommandSupport
import FakeRoot

struct ListCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "ls",
        abstract: "List a directory as the board sees it, as ls -l does there.",
        discussion: """
            Examples:
              p9serve ls rootfs/dev
              p9serve ls -d rootfs/tmp
              p9serve ls --json rootfs/etc
            """
    )

    @Argument(help: "Directories, or files.", completion: .file())
    var paths: [String] = ["."]

    @OptionGroup var tree: TreeOption

    @Flag(name: .shortAndLong, help: "A directory itself, not what is in it.")
    var directory = false

    @Flag(help: "Print JSON.")
    var json = false

    func run() throws {
        let finder = TreePaths(root: tree.tree)
        var lists: [(path: String, views: [BoardView], isDirectory: Bool)] = []
        let failures = PathFailures()
        for path in paths {
            try failures.attempt {
                let file = try finder.open(path, following: !directory)
                guard try !directory && file.status().kind == .directory else {
                    lists.append((path, [try BoardView(file)], false))
                    return
                }
                var views: [BoardView] = []
                try file.forEachChild { child in views.append(try BoardView(child)) }
                lists.append((path, views, true))
            }
        }
        if json {
            JSONValue.printDocument(version: 1, [("files", .array(lists.flatMap(\.views).map(\.json)))])
            return try failures.finish()
        }
        for (index, list) in lists.enumerated() {
            if lists.count > 1, list.isDirectory { print("\(index > 0 ? "\n" : "")\(list.path):") }
            Self.printLines(list.views, prefix: list.isDirectory ? list.path : nil)
        }
        try failures.finish()
    }

    /// - Parameter prefix: the directory's path, which its files are listed without.
    private static func printLines(_ views: [BoardView], prefix: String?) {
        let rows = views.map(\.columns)
        let widths = (rows.first ?? []).indices.map { column in rows.map { $0[column].count }.max() ?? 0 }
        for (view, row) in zip(views, rows) {
            let cells = zip(row, widths).enumerated().map { column, cell in
                let space = String(repeating: " ", count: cell.1 - cell.0.count)
                return column == 1 || column == 4 ? space + cell.0 : cell.0 + space
            }
            var name = prefix.map { String(view.path.dropFirst($0.count)) } ?? view.path
            if prefix != nil, name.hasPrefix("/") { name.removeFirst() }
            print(cells.joined(separator: " "), terminator: " ")
            print(name + (view.target.map { " -> \($0)" } ?? ""))
        }
    }
}
