public import LinuxFiles

/// What a client tells a file by.
public struct FileID: Hashable, Sendable {
    /// Unique in the export as long as the file exists, and the same in every server; see `FileNumbers`.
    public let number: UInt64
    /// What the host's file is: a device node of the board may be a regular file here.
    public let format: FileFormat
}

extension FileStatus {
    /// Tells a file from one that had its inode number before it, in 31 bits.
    ///
    /// The real generation can't be asked for without opening the file. The time of birth serves as well: it never
    /// changes, and a file that gets a used inode number has another.
    public var generation: UInt64 {
        let mixed = UInt64(bitPattern: birthTime.seconds) &* 1_000_000_007 ^ UInt64(birthTime.nanoseconds)
        return mixed & 0x7fff_ffff
    }
}
