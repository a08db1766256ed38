public import CommandSupport
internal import ImageEntries
internal import LinuxFiles
public import RootfsImage

/// The report of an export that has succeeded.
public struct ExportReport {
    private let summary: ExportSummary
    /// As the user wrote it; "-" for standard output.
    private let target: String

    /// A report of an export.
    public init(_ summary: ExportSummary, target: String) {
        self.summary = summary
        self.target = target
    }

    /// Prints the warnings and the summary, and sends them as events.
    /// - Parameter isQuiet: whether warnings are all that a person gets.
    public func write(isQuiet: Bool, _ events: EventStream) {
        for warning in warnings {
            events.send("warning", [("message", .string(warning))])
            StandardError.say("warning: \(warning)")
        }
        events.send("done", members)
        if !isQuiet { StandardError.write(text + "\n") }
    }

    var text: String {
        "exported \(summary.entries) entries, \(ByteCount(summary.contentBytes).text), to "
            + "\(target == "-" ? "standard output" : ShellWord(target).text) (\(summary.kind.rawValue), "
            + "\(ByteCount(summary.targetBytes).text)) in \(ByteCount.seconds(summary.seconds)) s"
    }

    private var warnings: [String] { summary.warnings.map { printable($0) } }

    /// The keys are an interface: version 1.
    var members: [(key: String, value: JSONValue)] {
        [
            ("kind", .string(summary.kind.rawValue)),
            ("entries", .integer(summary.entries)),
            ("content_bytes", .integer(summary.contentBytes)),
            ("target_bytes", .integer(summary.targetBytes)),
            ("milliseconds", .integer(Int(summary.seconds * 1000))),
            ("sockets_left_out", .integer(summary.losses.sockets)),
            ("attributes_left_out", .integer(summary.losses.attributes)),
            ("access_control_lists_left_out", .integer(summary.losses.accessControlLists)),
            ("times_moved", .integer(summary.losses.times)),
            ("labels_restored", .integer(summary.restoredLabels)),
        ]
    }
}
