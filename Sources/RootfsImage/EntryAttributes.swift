internal import FakeRoot
internal import LinuxFiles

/// What an entry's header says of the file itself, checked.
struct EntryAttributes {
    var kind: NodeKind
    var owner: Owner
    /// The low 12 bits of the mode.
    var permissions: UInt32
    /// Of modification; nil if the archive doesn't say.
    var time: FileTime?

    init(_ entry: ArchiveEntry) throws(TarExtraction.Failure) {
        guard let kind = entry.kind else { throw .refused("Linux has no such type of file or device number") }
        guard let owner = entry.owner else { throw .refused("its owner or group is no number that Linux has") }
        self.kind = kind
        self.owner = owner
        permissions = entry.permissions
        time = entry.modificationTime
    }
}
