/// What a tree holds and an export's format can't, as numbers of entries (attributes: of attributes).
public struct ExportLosses: Hashable, Sendable {
    /// Sockets, which tar has no type for; they are left out. A program that needs one makes it when it starts.
    public var sockets = 0
    /// Extended attributes, file capabilities among them.
    public var attributes = 0
    /// Access control lists.
    public var accessControlLists = 0
    /// Times that are out of the format's range and were moved to its end.
    public var times = 0
    /// The path of the first entry that lost something; printable.
    public var example: String?

    public init() {}

    public var isEmpty: Bool { sockets == 0 && attributes == 0 && accessControlLists == 0 && times == 0 }
}
