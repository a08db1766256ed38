/// How far an import has come.
public struct ImportProgress: Hashable, Sendable {
    /// Bytes of the archive file read so far; compressed ones if it is compressed.
    public var archiveBytes: UInt64 = 0
    /// Bytes in the archive file; nil where it is a pipe.
    public var archiveSize: UInt64?
    /// Entries that were taken.
    public var entries = 0
    /// About how many entries there will be, where the bytes don't tell how far it is.
    public var entriesTotal: Int?
    /// What the import does.
    public var phase = Phase.importing
    /// Bytes of file content written.
    public var contentBytes: UInt64 = 0

    /// The names are an interface: of `p9serve import --json`.
    public enum Phase: String, Hashable, Sendable {
        /// The source is being copied into a temporary file first, since it can't be read in one go.
        case copying
        case importing
        /// What was made is being written to the disk.
        case syncing
    }
}
