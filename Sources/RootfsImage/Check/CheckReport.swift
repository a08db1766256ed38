/// What a check has found.
public struct CheckReport: Hashable, Sendable {
    /// What is wrong, in the order of the walk.
    public var findings: [CheckFinding] = []
    /// Nil without a manifest: the tree was not imported, or its database is gone.
    public var drift: Drift?
    /// What the host can do for the tree.
    public var host = HostAbilities()
    /// Looked at, the root included.
    public var files = 0
    /// The metadata database's path; nil if there is none.
    public var databasePath: String?
    /// Labels that the database holds, of symbolic links above all.
    public var labelRows = 0
    /// Extended attributes that the database holds.
    public var attributeRows = 0

    /// What has changed since the import; printable paths relative to the root, sorted.
    public struct Drift: Hashable, Sendable {
        /// Paths that the import did not make.
        public var added: [String] = []
        /// Paths of the import that are gone.
        public var removed: [String] = []
        /// Another content, or another target of a symbolic link.
        public var edited: [String] = []
        /// Another owner, mode or kind. What the board changes counts as meant and is not among these.
        public var changed: [String] = []

        /// Whether nothing has changed.
        public var isEmpty: Bool { self == Drift() }
    }

    /// Whether something is not as it should be and has not been mended.
    public var hasProblems: Bool { findings.contains { $0.kind.isProblem && !$0.isRepaired } }
}
