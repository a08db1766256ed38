/// How far an export has come. The totals are known from the beginning: a first look at the tree counts its files.
public struct ExportProgress: Hashable, Sendable {
    public var entries = 0
    public var entriesTotal = 0
    /// Bytes of file content read so far. Holes of sparse files are not read, so it may end below the total; and some
    /// formats read those files twice.
    public var contentBytes: UInt64 = 0
    /// Bytes that the files take up, holes not counted.
    public var contentTotal: UInt64 = 0
}
