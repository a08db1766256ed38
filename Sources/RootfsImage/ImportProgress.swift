/// How far an import has come.
public struct ImportProgress: Hashable, Sendable {
    /// Bytes of the archive file read so far; compressed ones if it is compressed.
    public var archiveBytes: UInt64 = 0
    /// Bytes in the archive file; nil where it is a pipe.
    public var archiveSize: UInt64?
    public var entries = 0
    /// Bytes of file content written.
    public var contentBytes: UInt64 = 0
}
