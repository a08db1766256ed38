internal import CommandSupport
internal import FakeRoot
internal import LinuxFiles

/// Lists files and directories as the board sees them.
public final class TreeListing {
    /// How a listing looks.
    public struct Style: Sendable {
        /// Owners and groups as numbers.
        public var isNumeric: Bool
        /// Sizes such as "3.4 MiB".
        public var isHumanReadable: Bool
        /// One document at the end, instead of lines.
        public var isJSON: Bool

        /// How the lines look.
        /// - Parameters: as for ls(1), `-n` and `-h`; and `--json`.
        public init(isNumeric: Bool = false, isHumanReadable: Bool = false, isJSON: Bool = false) {
            self.isNumeric = isNumeric
            self.isHumanReadable = isHumanReadable
            self.isJSON = isJSON
        }
    }

    /// A directory and what is in it, or a file.
    private struct Listing {
        let path: String
        /// With the names that they are listed under.
        var views: [(name: String, view: BoardView)] = []
        let isDirectory: Bool
    }

    private let finder: TreePaths
    private let style: Style
    private let isRecursive: Bool
    private let entersDirectories: Bool
    /// Takes a line. Lines are printed as they come: a large tree's are more than fits into memory.
    private let print: (String) -> Void
    /// The first one is held back: a single one has no title.
    private var first: Listing?
    private var count = 0
    private var documents: [JSONValue] = []

    /// A listing in one style; `run` prints it.
    /// - Parameters:
    ///   - isRecursive: directories with all that is beneath them.
    ///   - entersDirectories: false to show a directory itself, not what is in it.
    ///   - print: takes a line, or the JSON document.
    public init(
        _ finder: TreePaths,
        _ style: Style,
        isRecursive: Bool = false,
        entersDirectories: Bool = true,
        print: @escaping (String) -> Void = { Swift.print($0) }
    ) {
        self.finder = finder
        self.style = style
        self.isRecursive = isRecursive
        self.entersDirectories = entersDirectories
        self.print = print
    }

    /// Lists files and directories one after another.
    /// - Throws: the failure of a file that can't be shown, after all others were.
    public func run(_ paths: [String]) throws {
        let failures = PathFailures()
        for path in paths {
            try failures.attempt {
                let file = try finder.open(path, following: entersDirectories)
                if try entersDirectories && file.status().kind == .directory {
                    try list(file, failures)
                } else {
                    add(Listing(path: path, views: [(path, try BoardView(file))], isDirectory: false))
                }
            }
        }
        finish(failures)
        try failures.finish()
    }

    /// Lists a directory, and those beneath it if asked for.
    private func list(_ top: borrowing TreeFile, _ failures: PathFailures) throws {
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
            add(listing)
            return inner
        }
    }

    private func add(_ listing: Listing) {
        count += 1
        guard !style.isJSON else { return documents += listing.views.map(\.view.json) }
        guard count > 1 else { return first = listing }
        if let first { printTitled(first) }
        first = nil
        if listing.isDirectory { print("") }
        printTitled(listing)
    }

    private func finish(_ failures: PathFailures) {
        if style.isJSON {
            print(JSONValue.document(version: 1, [("files", .array(documents))] + failures.members))
        } else if let first {
            printLines(first)
        }
    }

    private func printTitled(_ listing: Listing) {
        if listing.isDirectory { print("\(printable(listing.path)):") }
        printLines(listing)
    }

    private func printLines(_ listing: Listing) {
        let rows = listing.views.map {
            $0.view.columns(isNumeric: style.isNumeric, isHumanReadable: style.isHumanReadable)
        }
        let widths = (rows.first ?? []).indices.map { column in rows.map { $0[column].count }.max() ?? 0 }
        for ((name, view), row) in zip(listing.views, rows) {
            let cells = zip(row, widths).enumerated().map { column, cell in
                let space = String(repeating: " ", count: cell.1 - cell.0.count)
                return column == 1 || column == 4 ? space + cell.0 : cell.0 + space
            }
            print(cells.joined(separator: " ") + " " + printable(name) + (view.target.map { " -> \($0)" } ?? ""))
        }
    }
}
