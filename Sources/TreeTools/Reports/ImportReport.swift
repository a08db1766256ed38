public import CommandSupport
internal import LinuxFiles
public import RootfsImage

/// The report of an import that has succeeded.
public struct ImportReport {
    private let summary: ImportSummary
    private let source: String
    private let directory: String

    private let notices: [String]

    /// A report on an import that is done.
    /// - Parameter notices: what else is odd, one sentence each.
    public init(_ summary: ImportSummary, source: String, directory: String, notices: [String]) {
        self.summary = summary
        self.notices = notices
        self.source = source
        self.directory = directory
    }

    /// Prints the warnings and the summary, and sends them as events.
    /// - Parameter isQuiet: whether warnings are all that a person gets.
    public func write(isQuiet: Bool, _ events: EventStream) {
        for warning in warnings {
            events.send("warning", [("message", .string(warning))])
            StandardError.say("warning: \(warning)")
        }
        events.send("done", members)
        guard !isQuiet else { return }
        StandardError.write(
            "imported \(summary.entries) \(summary.entries == 1 ? "entry" : "entries"), \(ByteCount(summary.contentBytes).text), into \(ShellWord(directory)) "
                + "(\(summary.kind.rawValue)) in \(ByteCount.seconds(summary.seconds)) s; "
                + "\(summary.labels) with a label\n"
        )
    }

    var warnings: [String] {
        let losses = summary.losses
        var warnings = summary.notices + notices
        func warn(_ count: Int, _ one: String, _ many: String) {
            if count > 0 { warnings.append(count == 1 ? "1 \(one)" : "\(count) \(many)") }
        }
        warn(
            losses.attributes,
            "extended attribute was left out: Linux has no such attribute there",
            "extended attributes were left out: Linux has no such attributes there"
        )
        warn(
            losses.hiddenAttributes,
            "attribute of a fake-root tool was left out; the archive's own owners and modes were taken",
            "attributes of fake-root tools were left out; the archive's own owners and modes were taken"
        )
        warn(
            summary.leftoversRemoved,
            "directory left by an import that was killed has been removed",
            "directories left by imports that were killed have been removed"
        )
        return warnings.map { printable($0) }
    }

    /// The keys are an interface: version 1.
    var members: [(key: String, value: JSONValue)] {
        [
            ("kind", .string(summary.kind.rawValue)),
            ("source", .string(source)),
            ("directory", .string(directory)),
            ("entries", .integer(summary.entries)),
            ("files", .integer(summary.files)),
            ("directories", .integer(summary.directories)),
            ("symlinks", .integer(summary.symlinks)),
            ("hard_links", .integer(summary.hardLinks)),
            ("specials", .integer(summary.specials)),
            ("replaced", .integer(summary.replaced)),
            ("entries_through_links", .integer(summary.entriesThroughLinks)),
            ("whiteouts", .integer(summary.whiteouts)),
            ("labels", .integer(summary.labels)),
            ("attributes", .integer(summary.attributes)),
            ("content_bytes", .integer(summary.contentBytes)),
            ("source_bytes", .integer(summary.archiveBytes)),
            ("milliseconds", .integer(Int(summary.seconds * 1000))),
            ("warnings", .array(warnings.map(JSONValue.string))),
        ]
    }
}
