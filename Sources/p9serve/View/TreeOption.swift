import ArgumentParser
import CommandSupport
import LinuxFiles

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

extension CommandFailure {
    /// The failure of a system call on a file of a tree.
    init(path: String, _ action: String, _ error: Errno) {
        let (cause, advice): (ExitCause, String?) =
            switch error {
            case .ENOENT, .ENOTDIR: (.notFound, nil)
            case .EACCES, .EPERM:
                (
                    .permission,
                    action.hasPrefix("can't change") || action.hasPrefix("can't make")
                        ? "Only the owner of the host's files can change what the board sees. Nobody changes a device by a label\n"
                            + "that everybody on the host could have written: p9serve check says what to do about it."
                        : "If it is yours: chmod u+rwX \(ShellWord(path))"
                )
            case .EEXIST: (.badInput, nil)
            case .EOPNOTSUPP:
                (
                    .badInput,
                    "Only a tree's database can hold this, as the owner of a symbolic link: name the tree with --tree DIR."
                )
            default: (.failure, nil)
            }
        self.init(cause, "\(action) \(printable(path)): \(error.text)", advice: advice)
    }
}
