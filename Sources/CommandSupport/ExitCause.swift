/// Why a command ended, as its exit code; the same in all our executables, and stable.
public enum ExitCause: Int32, Sendable, CaseIterable {
    /// All went well.
    case success = 0
    /// None of the causes below.
    case failure = 1
    /// No such board, file or directory.
    case notFound = 3
    /// No permission.
    case permission = 4
    /// In use by another process.
    case busy = 5
    /// A time limit that was given or is built in ran out.
    case timeout = 6
    /// The board is gone, or must be rebooted.
    case deviceGone = 7
    /// The 9P server can't be reached, or failed.
    case serverError = 8
    /// EX_USAGE of `sysexits.h`, which the argument parser uses as well.
    case badInput = 64
    /// Work that has an end was ended before it. 128 and SIGINT's number, which shells report of a command that Ctrl-C
    /// ended; the same for SIGTERM and SIGHUP. What runs until somebody ends it (serve, connect) ends with `success`.
    case interrupted = 130

    /// What `--help` and the manual say.
    public var meaning: String {
        switch self {
        case .success: "success"
        case .failure: "any other failure"
        case .notFound: "not found: no such board, file or directory"
        case .permission: "no permission"
        case .busy: "in use by another process"
        case .timeout: "timed out"
        case .deviceGone: "the board is gone or needs a reboot"
        case .serverError: "the 9P server can't be reached or failed"
        case .badInput: "wrong arguments or malformed input"
        case .interrupted: "ended by Ctrl-C, SIGTERM or SIGHUP before it was done"
        }
    }

    /// The list for a program's `discussion`.
    public static let help = list(allCases)

    /// The list for a subcommand's `discussion`.
    /// - Parameter causes: those that it may end with besides `success`, `failure`, `badInput` and `interrupted`.
    public static func help(_ causes: ExitCause...) -> String {
        let all = [.success, .failure, .badInput, .interrupted] + causes
        return list(allCases.filter(all.contains))
    }

    private static func list(_ causes: [ExitCause]) -> String {
        let lines = causes.map { cause in
            let code = String(cause.rawValue)
            return String(repeating: " ", count: 5 - code.utf8.count) + code + "  " + cause.meaning
        }
        return "Exit codes:\n" + lines.joined(separator: "\n")
    }
}
