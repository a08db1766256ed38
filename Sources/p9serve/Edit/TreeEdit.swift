import ArgumentParser
import CommandSupport
import FakeRoot
import LinuxFiles

/// What `chown` and `chmod` have in common.
struct TreeEdit: ParsableArguments {
    @OptionGroup var tree: TreeOption

    @Flag(
        name: [.customShort("R"), .customLong("recursive")],
        help: "Directories with all that is in them; symbolic links in them are not followed."
    )
    var isRecursive = false

    @Flag(name: [.customShort("h"), .customLong("no-dereference")], help: "A symbolic link itself.")
    var keepsLinks = false

    /// Changes each file, and with -R what is in it.
    func apply(to paths: [String], _ change: (borrowing TreeFile) throws -> OwnerAndMode?) throws {
        let finder = TreePaths(root: tree.tree)
        for path in paths {
            try apply(to: finder.open(path, following: !isRecursive && !keepsLinks), change)
        }
    }

    private func apply(
        to file: consuming TreeFile,
        _ change: (borrowing TreeFile) throws -> OwnerAndMode?
    ) throws {
        if let new = try change(file) {
            do throws(Errno) {
                try file.tree.change(file.descriptor.raw, new)
            } catch {
                throw CommandFailure(path: file.path, "can't change", error)
            }
        }
        guard isRecursive else { return }
        try file.forEachChild { child in try apply(to: child, change) }
    }
}
