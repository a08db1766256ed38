internal import FakeRoot
public import ImageEntries
internal import LinuxFiles

/// Whether the directory that a user names is a tree that can be read as one.
public enum TreeArgument {
    /// Refuses a part of a tree, whose database is the whole tree's, and a directory with another tool's metadata: both
    /// would give an incomplete view, silently.
    /// - Parameter isForeignAccepted: whether another tool's metadata are to be passed over.
    /// - Throws: `ImageError` with the code `badDestination`.
    public static func verify(_ directory: String, isForeignAccepted: Bool) throws(ImageError) {
        // The caller reports what can't be opened.
        guard let root = try? System.open(directory, [.path, .directory]),
            let path = try? System.currentPath(of: root.raw),
            (try? ConversionMarker.read(root.raw, directory)) == .some(nil),
            !FakeRootTree.hasDatabase(directory: directory)
        else { return }
        try refusePart(directory, path)
        guard !isForeignAccepted, let found = ForeignMetadata.find(in: directory) else { return }
        let refusal = found.refusal(of: directory, in: directory)
        throw ImageError(.badDestination, refusal.message, hint: refusal.hint)
    }

    /// The error for a directory that is between two formats; nil if it is not.
    public static func conversion(of directory: String) -> ImageError? {
        guard let root = try? System.open(directory, [.path, .directory]) else { return nil }
        do throws(ImageError) {
            return try ConversionMarker.read(root.raw, directory)?.failure(directory)
        } catch {
            // A marker that can't be read is a marker; the caller reports a directory that may not be looked at.
            return error.cause == nil ? error : nil
        }
    }

    private static func refusePart(_ directory: String, _ path: [UInt8]) throws(ImageError) {
        guard let (parent, levels) = nearestTree(above: path) else { return }
        let tree = shortened(directory, by: levels, parent)
        throw ImageError(
            .badDestination,
            "\(directory) is a part of the tree \(tree): its owners of symbolic links and lost labels are known there only",
            hint: "Name the tree: \(ShellWord(tree))"
        )
    }

    /// The tree that a directory lies in; nil if we know of none.
    static func tree(above directory: String) -> String? {
        guard let opened = try? System.open(directory, [.path, .directory]),
            let path = try? System.currentPath(of: opened.raw)
        else { return nil }
        return nearestTree(above: path)?.path
    }

    /// - Returns: its absolute path, and how many names above.
    private static func nearestTree(above path: [UInt8]) -> (path: String, levels: Int)? {
        guard let absolute = String(validating: path, as: UTF8.self) else { return nil }
        var names = absolute.split(separator: "/").map(String.init)
        var levels = 0
        while names.popLast() != nil, !names.isEmpty {
            levels += 1
            let parent = "/" + names.joined(separator: "/")
            if FakeRootTree.hasDatabase(directory: parent) { return (parent, levels) }
        }
        return nil
    }

    /// What the user wrote, without its last names, if that is the same directory; its absolute path otherwise.
    private static func shortened(_ directory: String, by levels: Int, _ absolute: String) -> String {
        let names = directory.split(separator: "/")
        guard names.count > levels else { return absolute }
        let text = (directory.hasPrefix("/") ? "/" : "") + names.dropLast(levels).joined(separator: "/")
        guard let opened = try? System.open(text, [.path, .directory]),
            let path = try? System.currentPath(of: opened.raw), path.elementsEqual(absolute.utf8)
        else { return absolute }
        return text
    }
}
