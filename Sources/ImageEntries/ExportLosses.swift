internal import LinuxFiles

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

    /// Nothing is lost.
    public init() {}

    /// Whether nothing is lost.
    public var isEmpty: Bool { sockets == 0 && attributes == 0 && accessControlLists == 0 && times == 0 }

    /// Counts what an entry loses, and remembers the first such entry.
    package mutating func note(_ kind: WritableKeyPath<ExportLosses, Int>, _ entry: ImageEntry, count: Int = 1) {
        guard count > 0 else { return }
        self[keyPath: kind] += count
        if example == nil { example = printable(entry.path) }
    }

    /// Each a sentence for people, without a full stop.
    public var descriptions: [String] {
        var texts: [String] = []
        func tell(_ count: Int, _ one: String, _ many: String) {
            if count > 0 { texts.append(count == 1 ? "1 \(one)" : "\(count) \(many)") }
        }
        tell(sockets, "socket was left out", "sockets were left out")
        tell(attributes, "extended attribute was left out", "extended attributes were left out")
        tell(accessControlLists, "access control list was left out", "access control lists were left out")
        let range = "moved into the range that the format has"
        tell(times, "time was \(range)", "times were \(range)")
        if let example, let last = texts.popLast() { texts.append("\(last) (the first loss is at \(example))") }
        return texts
    }
}
