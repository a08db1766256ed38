/// What tells a file from all others, also from those that get its inode number later.
public struct FileIdentity: Hashable, Sendable {
    /// The device number of its file system.
    public let device: UInt64
    /// Its inode number.
    public let inode: UInt64
    /// 0 where the file system doesn't know it: then the other two must do.
    public let birthTime: FileTime
}
