public import ImageEntries

/// What an export did.
public struct ExportSummary: Hashable, Sendable {
    /// What was made.
    public var kind = TargetKind.tar
    /// Files of every kind, the root included.
    public var entries = 0
    /// Bytes of file content read.
    public var contentBytes: UInt64 = 0
    /// Bytes of the target, or of all its files.
    public var targetBytes: UInt64 = 0
    /// What the target can't hold.
    public var losses = ExportLosses()
    /// Files that an edit on the host has made lose their labels, exported with owners and modes of their import.
    public var restoredLabels = 0
    /// Paths of files that have another content than at their import, and so lack setuid, setgid and capabilities; at most
    /// ten, printable.
    public var lostPrivileges: [String] = []
    /// What else a user should know, each a sentence without a full stop; printable.
    public var notices: [String] = []
    /// How long it took.
    public var seconds = 0.0

    /// Nothing was exported yet.
    public init() {}
}

extension ExportSummary {
    /// Each a sentence for people, without a full stop.
    public var warnings: [String] {
        var texts = losses.descriptions
        if restoredLabels > 0 {
            let isOne = restoredLabels == 1
            let files = isOne ? "1 file has lost its label" : "\(restoredLabels) files have lost their labels"
            texts.append("\(files) by an edit on the host: exported with owner and mode of the import")
        }
        for path in lostPrivileges {
            texts.append("\(path) has changed since its import: it goes without setuid, setgid and capabilities")
        }
        return texts + notices
    }
}

extension ImageError {
    static func lossy(_ losses: ExportLosses) -> ImageError {
        ImageError(
            .refusedEntry,
            "the format can't hold everything: " + losses.descriptions.joined(separator: "; "),
            hint: "Choose a format that can, or export without --strict."
        )
    }
}
