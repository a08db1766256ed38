import CommandSupport
import RootfsImage

extension EventStream {
    /// Sends the last event of work that failed.
    /// - Returns: what the command ends with.
    func failure(_ error: ImageError) -> CommandFailure {
        failure(CommandFailure(error.exitCause, error.message, advice: error.hint))
    }
}
