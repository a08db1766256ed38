/// What an export did.
public struct ExportSummary: Hashable, Sendable {
    public var kind = TargetKind.tar
    /// Files of every kind, the root included.
    public var entries = 0
    /// Bytes of file content read.
    public var contentBytes: UInt64 = 0
    /// Bytes of the target, or of all its files.
    public var targetBytes: UInt64 = 0
    public var losses = ExportLosses()
    public var seconds = 0.0

    public init() {}
}

extension ExportLosses {
    /// Each a sentence for people, without a full stop.
    public var descriptions: [String] {
        var texts: [String] = []
        func tell(_ count: Int, _ one: String, _ many: String) {
            if count > 0 { texts.append(count == 1 ? "1 \(one)" : "\(count) \(many)") }
        }
        tell(sockets, "socket was left out", "sockets were left out")
        tell(attributes, "extended attribute was left out", "extended attributes were left out")
        tell(accessControlLists, "access control list was left out", "access control lists were left out")
        tell(times, "time was moved into the range that the format has", "times were moved into the range that the format has")
        if let example, let last = texts.popLast() { texts.append("\(last) (the first loss is at \(example))") }
        return texts
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
