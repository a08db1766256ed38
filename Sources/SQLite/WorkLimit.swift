internal import CSQLite
internal import LinuxFiles

/// How much SQLite may work before a statement fails with `.interrupted`: a database that somebody else has made can keep
/// it busy for ever.
public enum WorkLimit: Hashable, Sendable {
    case none
    /// All statements together, from now on.
    case milliseconds(UInt64)
    /// Instructions of SQLite's virtual machine, anew for each step. A row takes a dozen. Independent of the host's load.
    case instructionsPerStep(Int)
}

/// Counts a connection's work. SQLite has its address, so it lives as long as the connection.
final class WorkMeter {
    /// Instructions between two calls of the handler.
    private static let period = 1000

    /// When statements end, by the monotonic clock in milliseconds; 0 for never.
    private var deadline: UInt64 = 0
    /// How many periods a step may take.
    private var maxPeriods = Int.max
    private var periods = 0

    func set(_ limit: WorkLimit) {
        (deadline, maxPeriods, periods) = (0, .max, 0)
        switch limit {
        case .none: break
        case .milliseconds(let time): deadline = System.monotonicMilliseconds + time
        case .instructionsPerStep(let count): maxPeriods = count / Self.period
        }
    }

    func beginStep() { periods = 0 }

    private var isExhausted: Bool {
        periods += 1
        return periods > maxPeriods || deadline != 0 && System.monotonicMilliseconds > deadline
    }

    func attach(to connection: OpaquePointer) {
        sqlite3_progress_handler(
            connection,
            CInt(Self.period),
            { context in
                guard let context else { return 1 }
                return Unmanaged<WorkMeter>.fromOpaque(context).takeUnretainedValue().isExhausted ? 1 : 0
            },
            Unmanaged.passUnretained(self).toOpaque()
        )
    }
}
