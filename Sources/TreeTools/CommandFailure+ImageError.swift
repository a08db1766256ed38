public import CommandSupport
public import ImageEntries
internal import LinuxFiles

extension CommandFailure {
    /// The failure of an import, export, check or conversion. Its texts are printable.
    public init(_ error: ImageError) {
        // It has names of files and texts of archives in it, which a terminal must not obey.
        let advice = error.hint.map { hint in
            hint.split(separator: "\n", omittingEmptySubsequences: false).map { printable($0) }.joined(separator: "\n")
        }
        self.init(error.exitCause, printable(error.message), advice: advice)
    }
}

extension ImageError {
    fileprivate var exitCause: ExitCause {
        switch code {
        case .badArchive, .refusedEntry, .badDestination: .badInput
        case .notFound: .notFound
        case .permission: .permission
        case .busy: .busy
        case .cancelled: .interrupted
        case .unsupportedFileSystem, .noSpace, .treeChanged, .system: .failure
        }
    }
}
