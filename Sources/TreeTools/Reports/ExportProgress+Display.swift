public import CommandSupport
public import ImageEntries

extension ExportProgress {
    /// What a progress line shows.
    /// - Parameter seconds: since the export began.
    public func state(seconds: Double) -> ProgressLine.State {
        let encoded = contentBytes - min(contentBytes, pendingBytes)
        let rate = ByteCount(UInt64(Double(encoded) / max(seconds, 0.001))).text
        // A file is some work even if it is empty.
        let read = Double(contentBytes) + Double(entries) * 4096
        // What the compressor still has is not done.
        let done = max(0, read - Double(pendingBytes))
        let total = Double(contentTotal) + Double(entriesTotal) * 4096
        let fraction = total > 0 ? done / total : nil
        switch phase {
        case .exporting:
            return ProgressLine.State(
                fraction: fraction,
                text: "\(entries) of \(entriesTotal) entries",
                more: ["\(rate)/s", ByteCount(contentBytes).text]
            )
        case .finishing:
            return ProgressLine.State(
                fraction: fraction,
                text: "compressing the rest",
                more: [pendingBytes > 0 ? ByteCount(pendingBytes).text : nil].compactMap { $0 }
            )
        case .syncing:
            return ProgressLine.State(text: "writing to the disk", more: ["\(entries) entries"])
        }
    }

    /// The members of an event "progress"; the keys are an interface: version 1.
    public var members: [(key: String, value: JSONValue)] {
        [
            ("phase", .string(phase.rawValue)),
            ("entries", .integer(entries)), ("entries_total", .integer(entriesTotal)),
            ("content_bytes", .integer(contentBytes)), ("content_bytes_total", .integer(contentTotal)),
            ("pending_bytes", .integer(pendingBytes)),
        ]
    }
}
