import CommandSupport
import ImageEntries
import LinuxFiles
import RootfsImage

extension CommandFailure {
    init(_ error: ImageError) {
        // Names of files and texts of archives are in it: nothing of that shall move a terminal's cursor.
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
