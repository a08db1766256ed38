public import CommandSupport
public import RootfsImage

extension ImportProgress {
    /// What a progress line shows.
    /// - Parameter seconds: since the import began.
    public func state(seconds: Double) -> ProgressLine.State {
        let read = ByteCount(archiveBytes).text
        let rate = ByteCount(UInt64(Double(archiveBytes) / max(seconds, 0.001))).text
        let total = archiveSize.map { " of \(ByteCount($0).text)" } ?? " read"
        switch phase {
        case .copying:
            let fraction = archiveSize.flatMap { $0 > 0 ? Double(archiveBytes) / Double($0) : nil }
            return ProgressLine.State(
                fraction: fraction,
                text: "copying the source",
                more: ["\(read)\(total)", "\(rate)/s"]
            )
        case .syncing:
            return ProgressLine.State(
                text: "writing to the disk",
                more: [ByteCount(contentBytes).text, "\(entries) entries"]
            )
        case .importing: break
        }
        var fraction: Double?
        if let archiveSize, archiveSize > 0 { fraction = Double(archiveBytes) / Double(archiveSize) }
        if let entriesTotal, entriesTotal > 0 { fraction = Double(entries) / Double(entriesTotal) }
        return ProgressLine.State(
            fraction: fraction,
            text: "\(read)\(total)",
            more: ["\(rate)/s", "\(entries) entries"]
        )
    }

    /// The members of an event "progress"; the keys are an interface: version 1.
    public var members: [(key: String, value: JSONValue)] {
        [
            ("phase", .string(phase.rawValue)),
            ("source_bytes", .integer(archiveBytes)),
            ("source_bytes_total", archiveSize.map { .integer($0) } ?? .null),
            ("entries", .integer(entries)),
            ("entries_total", entriesTotal.map { .integer($0) } ?? .null),
            ("content_bytes", .integer(contentBytes)),
        ]
    }
}
