/// Why a command ended, as its exit code; the same in all our executables, and stable.
public enum ExitCause: Int32, Sendable, CaseIterable {
    case success = 0
    /// None of the causes below.
    case failure = 1
    case notFound = 3
    case permission = 4
    case busy = 5
    case timeout = 6
    case deviceGone = 7
    case serverError = 8
    /// EX_USAGE of `sysexits.h`, which the argument parser uses as well.
    case badInput = 64

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
        }
    }

    /// The list for a command's `discussion`.
    public static let help =
        "Exit codes:\n"
        + allCases.map { "  \($0.rawValue < 10 ? " " : "")\($0.rawValue)  \($0.meaning)" }.joined(separator: "\n")
}
