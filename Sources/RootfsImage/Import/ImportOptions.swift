/// How to import.
public struct ImportOptions: Hashable, Sendable {
    /// What the source is; nil to find out.
    public var kind: SourceKind?
    /// The platform to take of an image for several, such as "linux/arm64" or "linux/arm/v7".
    public var platform: String?
    /// The image to take of a layout with several: a tag or reference.
    public var image: String?
    /// Where a directory's metadata is; nil to look where the tool puts it.
    public var metadata: String?
    /// The partition to take of a disk image, from 1; nil to find it.
    public var partition: Int?
    /// How many bytes the files may have in all, holes included; nil for no limit.
    public var maxSize: UInt64?
    /// How many entries the source may have; nil for no limit.
    public var maxEntries: Int?
    /// Whether a "/" at the beginning of a name is stripped; otherwise such an entry is refused.
    public var stripsAbsoluteNames = false
    /// Whether an entry goes where symbolic links in its path lead, if they come from the source and stay within the tree;
    /// else it is refused. For tar and cpio archives and container images; other sources have no such entries.
    public var followsLinks = true
    /// Whether all is on the disk before the import says that it is done.
    public var isSynchronized = true

    /// What a user gets without options.
    public init() {}
}
