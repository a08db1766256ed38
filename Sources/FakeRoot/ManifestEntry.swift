public import LinuxFiles

/// What the import remembers of a file, so that a lost label can be given back and changes can be told.
public struct ManifestEntry: Hashable, Sendable {
    /// Relative to the root, without a slash at the beginning; empty for the root itself.
    public var path: [UInt8]
    /// Owner, mode and kind, always complete, even if the file needs no label.
    public var status: Label
    /// Bytes in a regular file.
    public var size: UInt64
    /// When the content was last changed.
    public var modificationTime: FileTime
    /// SHA-256 of a regular file's content, 32 bytes; nil where the board has written another file since.
    public var hash: [UInt8]?
    /// Where a symbolic link leads.
    public var linkTarget: [UInt8]?
    /// The value of `security.capability`.
    public var capability: [UInt8]?

    /// An entry without hash, target and capability unless they are given.
    public init(
        path: [UInt8],
        status: Label,
        size: UInt64 = 0,
        modificationTime: FileTime = FileTime(seconds: 0, nanoseconds: 0),
        hash: [UInt8]? = nil,
        linkTarget: [UInt8]? = nil,
        capability: [UInt8]? = nil
    ) {
        self.path = path
        self.status = status
        self.size = size
        self.modificationTime = modificationTime
        self.hash = hash
        self.linkTarget = linkTarget
        self.capability = capability
    }

    /// Whether the host's file alone could not show this.
    public var expectsLabel: Bool {
        guard let kind = status.kind else { return false }
        return BoardStatus.needsLabel(uid: status.uid, gid: status.gid, permissions: status.mode, kind: kind)
    }

    /// Whether losing a label or the capability would show.
    var expectsSomething: Bool { expectsLabel || capability != nil }
}
