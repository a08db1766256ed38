import BoardHost
import CommandSupport
import RPiBoot

extension BootDirectory {
    /// Opens the directory that a command line names.
    static func open(argument path: String) throws(CommandFailure) -> BootDirectory {
        do throws(BoardFailure) {
            return try open(path)
        } catch {
            throw CommandFailure(error)
        }
    }
}
