internal import LinuxFiles

extension ImageError {
    /// The error for a tree that somebody wrote to during the export.
    /// - Parameter name: of what was changed, as `displayed` gives it.
    package static func treeChanged(_ name: String) -> ImageError {
        ImageError(
            .treeChanged,
            "\(name) was changed during the export",
            hint: "An export is of one moment: stop what writes to the tree, a board too, and export again."
        )
    }

    package static func treeChanged(_ path: [UInt8]) -> ImageError { treeChanged(displayed(path)) }

    /// A path of a tree as it may be printed. Of one that is longer than any that Linux takes the middle is left out:
    /// a tree's deepest files can have paths of megabytes.
    package static func displayed(_ path: [UInt8]) -> String { displayed([], path) }

    /// As above, of the file that a directory has under a name; no name for the directory itself.
    /// - Parameter limit: bytes that are shown whole.
    package static func displayed(
        _ directory: ArraySlice<UInt8>,
        _ name: [UInt8],
        limit: Int = maxShown
    ) -> String {
        let separator = directory.isEmpty || name.isEmpty ? [] : [UInt8(ascii: "/")]
        let count = directory.count + separator.count + name.count
        guard count > 0 else { return "the tree's root" }
        guard count > limit else { return printable(directory + separator + name) }
        let end = Array(directory.suffix(shownEnd)) + separator + name
        let beginning = Array(directory.prefix(shownEnd)) + separator + name
        return "\(printable(beginning.prefix(shownEnd)))...\(printable(end.suffix(shownEnd))) (\(count) bytes)"
    }

    /// As many bytes as a path can have (PATH_MAX and its NUL): what is longer can't be typed.
    package static let maxShown = 4095

    /// Bytes that are shown of each end of a path that is too long.
    private static var shownEnd: Int { 100 }
}
