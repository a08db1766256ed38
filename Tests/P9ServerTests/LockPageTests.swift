import TestSupport
import Testing

/// docs/locks.md names every lock of the sources, and none that is gone: read both, and compare the names.
@Suite("Lock page") struct LockPageTests {
    private struct Source {
        var file: String
        /// Without comments.
        var lines: [Substring]

        init(_ file: String) {
            self.file = file
            lines = readText(file).split(separator: "\n", omittingEmptySubsequences: false).map { line in
                line.firstRange(of: "//").map { line[..<$0.lowerBound] } ?? line
            }
        }

        /// The type that a line belongs to: of the declarations above it, the nearest one that is indented less.
        func type(ofLine index: Int) -> String? {
            var indentation = Self.indentation(lines[index])
            for line in lines[..<index].reversed() {
                guard !line.allSatisfy(\.isWhitespace), Self.indentation(line) < indentation else { continue }
                indentation = Self.indentation(line)
                if let match = line.firstMatch(of: /\b(?:class|struct|enum|actor|extension) (\w+)/) {
                    return String(match.1)
                }
            }
            return nil
        }

        private static func indentation(_ line: Substring) -> Int { line.prefix { $0 == " " }.count }
    }

    private static let sources = files(beneath: "\(Fixture.package)/Sources").map(Source.init)

    private static func files(beneath path: String) -> [String] {
        listFiles(path).sorted().flatMap { name in
            name.hasSuffix(".swift")
                ? ["\(path)/\(name)"] : name.contains(".") ? [] : files(beneath: "\(path)/\(name)")
        }
    }

    /// "Type.name" of each mutex and monitor that is declared, "flock(Type)" of each file lock that is taken.
    private static let declared: Set<String> = {
        var names: Set<String> = []
        for source in sources {
            for (index, line) in source.lines.enumerated() {
                guard let type = source.type(ofLine: index) else { continue }
                if let match = line.firstMatch(of: /\b(?:let|var) (\w+)\b.*\b(?:Mutex|Monitor)\b/) {
                    names.insert("\(type).\(match.1)")
                }
                if line.contains(/\bSystem\.(?:tryLock|lock)\(/) { names.insert("flock(\(type))") }
            }
        }
        return names
    }()

    /// What stands in code in the first column of the page's tables.
    private static let documented: Set<String> = {
        var names: Set<String> = []
        for line in readText("\(Fixture.package)/docs/locks.md").split(separator: "\n") where line.hasPrefix("| ") {
            let cell = line.split(separator: "|")[0]
            for match in cell.matches(of: /`([A-Z]\w*\.[a-z]\w*|flock\(\w+\))`/) { names.insert(String(match.1)) }
        }
        return names
    }()

    @Test("every lock is on docs/locks.md, with its order")
    func complete() {
        #expect(Self.declared.count > 40)
        let missing = Self.declared.subtracting(Self.documented).sorted()
        #expect(missing.isEmpty, "add these to a table of docs/locks.md, where they belong in the order")
    }

    @Test("docs/locks.md names no lock that is gone")
    func current() {
        let gone = Self.documented.subtracting(Self.declared).sorted()
        #expect(gone.isEmpty, "these are not in the sources any more: take them out of docs/locks.md")
    }

    @Test("only LinuxFiles has locks of other kinds")
    func kinds() {
        let others =
            /\b(?:pthread_(?:mutex|rwlock|spin|cond)_|sem_(?:init|wait)|DispatchSemaphore|NSLock|F_(?:OFD_)?SETLK|flock\()/
        for source in Self.sources where !source.file.contains("/Sources/LinuxFiles/") {
            let lines = source.lines.filter { $0.contains(others) }
            #expect(lines.isEmpty, "\(source.file)")
        }
    }
}
