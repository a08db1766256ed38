import TestSupport

/// A Swift file as the rules see it: what it imports, and what it declares at its top level.
struct SourceFile: Sendable {
    /// From the package's directory, such as "Sources/P9Wire/Tag.swift".
    var path: String
    var lines: [Substring]

    init(path: String, text: String) {
        self.path = path
        lines = text.split(separator: "\n", omittingEmptySubsequences: false)
        if lines.last?.isEmpty == true { lines.removeLast() }
    }

    /// All Swift files of a target, in the order of their paths; none if there is no such target.
    static func all(of target: String) -> [SourceFile] { all(beneath: "Sources/\(target)") }

    private static func all(beneath directory: String) -> [SourceFile] {
        listFiles("\(Fixture.package)/\(directory)").sorted().flatMap { name in
            let path = "\(directory)/\(name)"
            guard name.hasSuffix(".swift") else { return all(beneath: path) }
            return [SourceFile(path: path, text: readText("\(Fixture.package)/\(path)"))]
        }
    }

    /// The modules that the file imports, at any access level, with any attributes, as a whole or in part.
    var imports: Set<String> {
        Set(
            lines.compactMap { line in
                let words = line.split(separator: " ")
                guard let keyword = words.firstIndex(of: "import"), keyword + 1 < words.count,
                    words[..<keyword].allSatisfy(Declaration.isModifier)
                else { return nil }
                // import struct Module.Name
                let module = Declaration.Kind(rawValue: String(words[keyword + 1])) == nil ? keyword + 1 : keyword + 2
                return words.indices.contains(module) ? String(words[module].prefix { $0 != "." }) : nil
            }
        )
    }

    /// What stands at the beginning of a line: the sources are formatted, so that what a type contains is indented.
    var declarations: [Declaration] { lines.indices.compactMap { Declaration(lines[$0...]) } }
}

/// A declaration at a file's top level.
struct Declaration: Equatable, Sendable {
    enum Kind: String, Sendable {
        case `struct`, `class`, `enum`, `actor`, `protocol`, `extension`, `func`, `let`, `var`, `typealias`
    }

    var kind: Kind
    /// Without generic parameters; an extension's is the name of the type.
    var name: String
    /// What it inherits from and conforms to.
    var inherited: Set<String>
    /// True if nothing stands between its braces.
    var isEmpty: Bool

    init(_ kind: Kind, _ name: String, inherited: Set<String> = [], isEmpty: Bool = false) {
        (self.kind, self.name, self.inherited, self.isEmpty) = (kind, name, inherited, isEmpty)
    }

    /// The declaration that begins with the first of these lines; nil if none does.
    init?(_ lines: ArraySlice<Substring>) {
        // An attribute may have the line before for itself.
        guard let first = lines.first, let letter = first.first, letter.isLetter || letter == "@" else { return nil }
        let words = first.split(separator: " ").drop(while: Self.isModifier)
        guard let kind = words.first.flatMap({ Kind(rawValue: String($0)) }), words.count > 1 else { return nil }
        let name = words[words.startIndex + 1].prefix { $0.isLetter || $0.isNumber || $0 == "_" || $0 == "." }
        self.init(kind, String(name))
        guard ![.func, .let, .var, .typealias].contains(kind) else { return }
        // To the brace that opens the body: what comes before may take several lines.
        let opening = lines.firstIndex { $0.contains("{") } ?? lines.startIndex
        let header = lines[...opening].joined(separator: " ").prefix { $0 != "{" }
        let next = lines.index(after: opening)
        isEmpty = lines[opening].hasSuffix("{}") || next < lines.endIndex && lines[next].hasPrefix("}")
        guard let colon = header.firstIndex(of: ":") else { return }
        let clause = header[header.index(after: colon)...].split(separator: " where ")[0]
        inherited = Set(clause.split(separator: ",").map { String($0.split(separator: " ").last ?? "") })
    }

    /// True for commands, groups of options and values of options.
    var isParsing: Bool {
        !inherited.isDisjoint(with: ["ParsableCommand", "ParsableArguments", "ExpressibleByArgument"])
    }

    static func isModifier(_ word: Substring) -> Bool {
        word.hasPrefix("@")
            || ["public", "package", "internal", "fileprivate", "private", "final", "indirect", "nonisolated"].contains(
                word
            )
    }
}
