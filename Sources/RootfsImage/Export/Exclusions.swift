internal import Glibc

/// Names that an export leaves out, with all that is beneath them.
struct Exclusions {
    private let names: [[CChar]]
    private let paths: [[CChar]]

    /// - Parameter patterns: shell patterns; with a "/" in it for a path relative to the tree's root, else for a name
    ///   anywhere. "*" doesn't match a "/".
    init(_ patterns: [String]) {
        func isPath(_ pattern: String) -> Bool { pattern.utf8.contains(UInt8(ascii: "/")) }
        names = patterns.filter { !isPath($0) }.map { Array($0.utf8CString) }
        paths = patterns.filter(isPath).map { Array(String($0.drop { $0 == "/" }).utf8CString) }
    }

    /// The corresponding C function is `fnmatch` with FNM_PATHNAME.
    func match(_ name: [UInt8], in directory: [UInt8]) -> Bool {
        func matches(_ patterns: [[CChar]], _ text: [UInt8]) -> Bool {
            let text = text.map { CChar(bitPattern: $0) } + [0]
            return patterns.contains { fnmatch($0, text, FNM_PATHNAME) == 0 }
        }
        if !names.isEmpty, matches(names, name) { return true }
        guard !paths.isEmpty else { return false }
        return matches(paths, directory.isEmpty ? name : directory + [UInt8(ascii: "/")] + name)
    }
}
