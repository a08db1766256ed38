/// What a conversion did, or would do.
public struct ConversionSummary: Hashable, Sendable {
    /// The metadata that were read.
    public var from: MetadataKind
    /// The metadata that were written.
    public var to: MetadataKind
    /// Names in the tree, the root included.
    public var files = 0
    /// Host files that were replaced: symbolic links that became regular files or the other way round, device nodes.
    public var replaced = 0
    /// What the new metadata can't hold.
    public var losses = ConversionLosses()
    /// What was odd but not wrong; printable.
    public var notices: [String] = []
    /// The metadata file that was written; nil for the kinds that have none.
    public var metadataFile: String?
    /// Whether this finished a conversion that was interrupted.
    public var isContinued = false
    /// How long it took.
    public var seconds = 0.0

    static let maxNotices = 10

    init(from: MetadataKind, to: MetadataKind) {
        self.from = from
        self.to = to
    }

    mutating func note(_ notice: String) {
        if notices.count < Self.maxNotices, !notices.contains(notice) { notices.append(notice) }
    }
}

/// What the target can't hold, as numbers of files (attributes: of attributes).
public struct ConversionLosses: Hashable, Sendable {
    /// Extended attributes, ACLs and capabilities among them.
    public var attributes = 0
    /// Symbolic links whose owner is not 0:0.
    public var symlinkOwners = 0
    /// Sockets, which a device table can't make.
    public var sockets = 0
    /// Files with a blank in their path, which a device table can't name.
    public var names = 0

    /// Nothing is lost.
    public init() {}

    /// Whether nothing is lost.
    public var isEmpty: Bool { self == ConversionLosses() }

    static func += (left: inout ConversionLosses, right: ConversionLosses) {
        left.attributes += right.attributes
        left.symlinkOwners += right.symlinkOwners
        left.sockets += right.sockets
        left.names += right.names
    }

    /// One sentence per kind of loss.
    public func sentences(for kind: MetadataKind) -> [String] {
        func say(_ count: Int, _ one: String, _ many: String) -> String? {
            count == 0 ? nil : "\(kind.label) can't hold \(count == 1 ? "1 \(one)" : "\(count) \(many)")"
        }
        return [
            say(attributes, "extended attribute", "extended attributes"),
            say(symlinkOwners, "symbolic link's owner", "symbolic links' owners"),
            say(sockets, "socket", "sockets"),
            say(names, "file with a blank in its path", "files with a blank in their paths"),
        ].compactMap { $0 }
    }
}
