import CommandSupport
import RootfsImage

extension CommandFailure {
    init(_ error: ImageError) {
        self.init(error.exitCause, error.message, advice: error.hint)
    }
}

extension ImageError {
    fileprivate var exitCause: ExitCause {
        switch code {
        case .badArchive, .refusedEntry, .badDestination: .badInput
        case .notFound: .notFound
        case .permission: .permission
        case .cancelled: .interrupted
        case .unsupportedFileSystem, .noSpace, .treeChanged, .system: .failure
        }
    }
}
