/// How far an import has come.
public struct ImportProgress: Hashable, Sendable {
    /// Bytes of the archive file read so far; compressed ones if it is compressed.
    public var archiveBytes: UInt64 = 0
    /// Bytes in the archive file; nil where it is a pipe.
    public var archiveSize: UInt64?
    public var entries = 0
    /// About how many entries there will be, where the bytes don't tell how far it is.
    public var entriesTotal: Int?
    /// Whether the source is being copied into a temporary file first, since it can't be read in one go.
    public var isSpooling = false
    /// Bytes of file content written.
    public var contentBytes: UInt64 = 0
}
