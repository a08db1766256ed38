/// What an import did.
public struct ImportSummary: Hashable, Sendable {
    /// What the source was imported as.
    public var kind = SourceKind.tar
    /// Entries of the archive, its root directory's included.
    public var entries = 0
    /// Regular files.
    public var files = 0
    /// Made, the root and those that the archive only implies included.
    public var directories = 0
    /// Symbolic links.
    public var symlinks = 0
    /// Further names of files.
    public var hardLinks = 0
    /// Device nodes, FIFOs and sockets.
    public var specials = 0
    /// Entries that took the place of an earlier one of the same name.
    public var replaced = 0
    /// Entries that were put where symbolic links in their path lead.
    public var entriesThroughLinks = 0
    /// Whiteouts of a container image's layers.
    public var whiteouts = 0
    /// Bytes of file content written; holes of sparse files don't count.
    public var contentBytes: UInt64 = 0
    /// Bytes of the archive file.
    public var archiveBytes: UInt64 = 0
    /// Entries whose owner, mode or kind the host's file can't show, so that a label keeps it.
    public var labels = 0
    /// Extended attributes kept.
    public var attributes = 0
    /// What was left out.
    public var losses = Losses()
    /// What the archive reader found odd but not wrong, at most `maxNotices`; printable.
    public var notices: [String] = []
    /// Left by earlier imports to the same destination that were killed, and removed.
    public var leftoversRemoved = 0
    /// How long it took.
    public var seconds = 0.0

    static let maxNotices = 10

    /// What the archive holds and this version can't keep, as numbers of entries (attributes: of attributes).
    public struct Losses: Hashable, Sendable {
        /// Attributes that Linux would not have there either: larger than 64 KiB, of a class that it doesn't know,
        /// `user.*` of a symbolic link or a special file.
        public var attributes = 0
        /// Attributes in which fake-root tools keep owner and mode; an archive may not set these.
        public var hiddenAttributes = 0

        /// Whether nothing was left out.
        public var isEmpty: Bool { self == Losses() }
    }
}
