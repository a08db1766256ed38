import ArgumentParser
import TreeTools

/// The options that say which tree is meant, and whether it may be another tool's.
struct TreeOption: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "The tree's directory; found by itself for one that p9serve import has made.",
            valueName: "dir"
        ),
        completion: .directory
    )
    var tree: String?

    @Flag(name: .customLong("as-is"), help: "Pass over another tool's metadata, which the files have.")
    var asIs = false
}

extension TreeOption {
    var paths: TreePaths { TreePaths(root: tree, acceptsForeignFiles: asIs) }
}
