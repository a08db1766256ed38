/// How far an export has come. The totals are known from the beginning: a first look at the tree counts its files.
public struct ExportProgress: Hashable, Sendable {
    /// What the export does.
    public var phase = Phase.exporting
    /// Entries that are written.
    public var entries = 0
    /// Entries in all.
    public var entriesTotal = 0
    /// Bytes of file content read so far. Holes of sparse files are not read, so it may end below the total; and some
    /// formats read those files twice.
    public var contentBytes: UInt64 = 0
    /// Bytes that the files take up, holes not counted.
    public var contentTotal: UInt64 = 0
    /// Bytes that the compressor got and has not compressed yet; xz takes some 50 MB at once.
    public var pendingBytes: UInt64 = 0

    package init() {}

    /// The names are an interface: of `p9serve export --json`.
    public enum Phase: String, Hashable, Sendable {
        case exporting
        /// Every file was read; what is left is the compressor's work.
        case finishing
        /// What was made is being written to the disk.
        case syncing
    }
}
