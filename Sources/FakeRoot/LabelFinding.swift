/// Something about a file's label or mode that is not as this program leaves it.
public enum LabelFinding: Hashable, Sendable {
    /// The import gave it a label or a capability, and both are gone.
    case lost(ManifestEntry)
    /// As `lost`, and the content is another one: setuid, setgid and capabilities will not come back.
    case lostWithPrivileges(ManifestEntry)
    /// The attribute holds something that is not a label; its value, at most 128 bytes of it.
    case malformed([UInt8])
    /// The label is one of another kind of file, which this can't be: it was put on the wrong one.
    case misplaced(NodeKind)
    /// What its label or attributes say doesn't count: others than the tree's owner could have put it there.
    case notBelieved(Reason)
    /// The host's mode forbids to read the label.
    case unreadable
    /// A change of the mode was cut short; the board sees the new one in full.
    case unfinished
    /// The host's mode, which denies its owner what the server needs.
    case belowFloor(UInt32)

    /// Why a label is not believed.
    public enum Reason: Hashable, Sendable {
        /// The file belongs to another user of the host, of this number.
        case strangersFile(UInt32)
        /// Everybody on the host may write to the file, and the label, this one, gives it privileges that the import's
        /// list doesn't confirm.
        case writableByEverybody(Label)
    }
}
