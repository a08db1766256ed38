import ArgumentParser
import TreeTools

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

    var editor: TreeEditor { TreeEditor(tree.paths, isRecursive: isRecursive, keepsLinks: keepsLinks) }
}
