public import CommandSupport
public import LinuxFiles

extension CommandFailure {
    /// The failure of a system call on a file of a tree.
    /// - Parameter action: what was being done, to go before the path.
    public init(path: String, _ action: String, _ error: Errno) {
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
