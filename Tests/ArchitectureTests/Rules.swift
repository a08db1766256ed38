/// The rules of the house. Each gives a line for everything that breaks it.
enum Rules {
    /// Modules of the toolchain that a server of boards can do without: each costs start time, memory and a thread pool.
    private static let foundation: Set<String> = [
        "Foundation", "FoundationEssentials", "FoundationNetworking", "Dispatch",
    ]

    static func noFoundation(_ files: [SourceFile]) -> [String] { imports(files, of: foundation) }

    /// The files that import one of these modules.
    static func imports(_ files: [SourceFile], of modules: Set<String>) -> [String] {
        files.flatMap { file in file.imports.intersection(modules).sorted().map { "\(file.path) imports \($0)" } }
    }

    /// `targets` are in order: a target may import those before it.
    static func order(_ targets: [(name: String, files: [SourceFile])]) -> [String] {
        targets.indices.flatMap { index in
            imports(targets[index].files, of: Set(targets[(index + 1)...].map(\.name)))
        }
    }

    /// A command line's target parses and wires, and leaves what can be tested without a process to the libraries.
    ///
    /// So it declares commands, options and values of options, and extends those; makes library types conform by empty
    /// extensions; and turns results into text or JSON by extensions in the folder Texts. It has no system calls, no
    /// locks and no long files.
    ///
    /// - Parameter presentation: the names of types besides, which turn results into text or JSON.
    static func parsesAndWires(_ files: [SourceFile], presentation: Set<String>) -> [String] {
        let longest = 250
        let system: Set<String> = ["Glibc", "CLinux", "CLibUSB", "Synchronization"]
        let own = files.flatMap(\.declarations).filter { $0.isParsing && $0.kind != .extension }.map(\.name)
        let allowed = presentation.union(own)
        return imports(files, of: system.union(foundation))
            + files.filter { $0.lines.count > longest }
            .map { "\($0.path) has \($0.lines.count) lines, more than \(longest)" }
            + files.flatMap { file in
                file.declarations.filter { declaration in
                    switch declaration.kind {
                    case .struct, .enum, .class: !declaration.isParsing && !presentation.contains(declaration.name)
                    case .extension:
                        !declaration.isEmpty && !allowed.contains(declaration.name) && !file.path.contains("/Texts/")
                    default: true
                    }
                }
                .map { "\(file.path): \($0.kind) \($0.name) neither parses nor wires" }
            }
    }

    /// Names that a list of exceptions has and the sources no longer declare.
    static func stale(_ exceptions: Set<String>, in files: [SourceFile]) -> [String] {
        exceptions.subtracting(files.flatMap(\.declarations).map(\.name)).sorted().map { "nothing declares \($0)" }
    }
}
