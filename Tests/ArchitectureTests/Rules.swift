/// The rules of the house. Each says in a line what breaks it, and says nothing of sources that keep it.
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

    /// A command line's target parses and wires, and leaves what can be tested without a process to the libraries. So it
    /// declares commands, options and values of options; makes library types options by empty conformances; and
    /// has no system calls, no locks and no long files.
    ///
    /// - Parameter presentation: the names of the types besides, which turn results into text or JSON, and of the types
    ///   that they extend to do so.
    static func parsesAndWires(_ files: [SourceFile], presentation: Set<String>) -> [String] {
        let longest = 250
        let system: Set<String> = ["Glibc", "CLinux", "CLibUSB", "Synchronization"]
        return imports(files, of: system.union(foundation))
            + files.filter { $0.lines.count > longest }.map {
                "\($0.path) has \($0.lines.count) lines, more than \(longest)"
            }
            + files.flatMap { file in
                file.declarations.filter { !parsesAndWires($0, presentation: presentation) }
                    .map { "\(file.path) declares \($0.kind) \($0.name), which neither parses nor wires" }
            }
    }

    private static func parsesAndWires(_ declaration: Declaration, presentation: Set<String>) -> Bool {
        let parsing: Set<String> = ["ParsableCommand", "ParsableArguments", "ExpressibleByArgument"]
        if presentation.contains(declaration.name) { return true }
        switch declaration.kind {
        case .struct, .enum, .class: return !parsing.isDisjoint(with: declaration.inherited)
        case .extension: return declaration.isEmpty && !parsing.isDisjoint(with: declaration.inherited)
        default: return false
        }
    }

    /// Names that a list of exceptions has and the sources no longer declare.
    static func stale(_ exceptions: Set<String>, in files: [SourceFile]) -> [String] {
        exceptions.subtracting(files.flatMap(\.declarations).map(\.name)).sorted().map { "nothing declares \($0)" }
    }
}
