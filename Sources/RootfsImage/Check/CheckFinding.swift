internal import LinuxFiles

/// Something that a check came across.
public struct CheckFinding: Hashable, Sendable {
    /// The raw values are an interface: keys of `--json`.
    public enum Kind: String, Hashable, Sendable, CaseIterable {
        // The board sees something else than it should, or nobody can say what it should see.
        case labelLost = "label_lost"
        case privilegesLost = "privileges_lost"
        case labelMalformed = "label_malformed"
        case labelMisplaced = "label_misplaced"
        case labelNotBelieved = "label_not_believed"
        case unreadable = "unreadable"
        case notEntered = "not_entered"
        case databaseDamaged = "database_damaged"
        // Harmless, and mended with the rest.
        case changeUnfinished = "change_unfinished"
        case modeBelowFloor = "mode_below_floor"
        case leftover = "leftover"
        case rowStale = "row_stale"

        /// Whether the tree is not as it should be.
        public var isProblem: Bool {
            switch self {
            case .labelLost, .privilegesLost, .labelMalformed, .labelMisplaced, .labelNotBelieved, .unreadable,
                .notEntered, .databaseDamaged:
                true
            case .changeUnfinished, .modeBelowFloor, .leftover, .rowStale: false
            }
        }
    }

    /// What is wrong.
    public var kind: Kind
    /// Relative to the root, printable; nil for what is about the database.
    public var path: String?
    /// What exactly, as half a sentence.
    public var detail: String
    /// Whether it is gone, by `repairs`.
    public var isRepaired = false

    /// - Parameter path: printable.
    init(_ kind: Kind, _ path: String?, _ detail: String) {
        self.kind = kind
        self.path = path
        self.detail = detail
    }
}
