/// What tells a file from all others, also from those that get its inode number later.
public struct FileIdentity: Hashable, Sendable {
    public let device: UInt64
    public let inode: UInt64
    /// 0 where the file system doesn't know it: then the other two must do.
    public let birthTime: FileTime
}
