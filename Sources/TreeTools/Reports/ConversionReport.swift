internal import CommandSupport
internal import LinuxFiles
public import RootfsImage

/// The report of a conversion that has succeeded.
public struct ConversionReport {
    private let summary: ConversionSummary
    private let directory: String
    private let output: String?
    private let isDryRun: Bool

    /// A report of a conversion.
    public init(_ summary: ConversionSummary, directory: String, output: String?, isDryRun: Bool) {
        self.summary = summary
        self.directory = directory
        self.output = output
        self.isDryRun = isDryRun
    }

    /// Prints the warnings, then the summary or a JSON document.
    /// - Parameter isQuiet: whether warnings are all that a person gets.
    public func write(isQuiet: Bool, asJSON: Bool) {
        for warning in warnings { StandardError.say("warning: \(warning)") }
        if asJSON {
            JSONValue.printDocument(version: 1, members)
        } else if !isQuiet {
            StandardError.write(printable(text) + "\n")
        }
    }

    var text: String {
        let action = isDryRun ? "would convert" : summary.isContinued ? "finished converting" : "converted"
        var text = "\(action) \(summary.files) files from \(summary.from.label) to \(summary.to.label)"
        text += output.map { " in \(ShellWord($0))" } ?? ""
        if summary.replaced > 0 { text += ", \(summary.replaced) of them by replacing them" }
        if let file = summary.metadataFile {
            text += "; the metadata \(isDryRun ? "would be" : "are") in \(ShellWord(file))"
        }
        return text
    }

    var warnings: [String] {
        (summary.losses.sentences(for: summary.to) + summary.notices).map { printable($0) }
    }

    /// The keys are an interface: version 1.
    var members: [(key: String, value: JSONValue)] {
        [
            ("directory", .string(directory)),
            ("output", JSONValue(output)),
            ("from", .string(summary.from.rawValue)),
            ("to", .string(summary.to.rawValue)),
            ("dry_run", .bool(isDryRun)),
            ("continued", .bool(summary.isContinued)),
            ("files", .integer(summary.files)),
            ("replaced", .integer(summary.replaced)),
            ("metadata_file", JSONValue(summary.metadataFile)),
            (
                "losses",
                .object([
                    ("attributes", .integer(summary.losses.attributes)),
                    ("symlink_owners", .integer(summary.losses.symlinkOwners)),
                    ("sockets", .integer(summary.losses.sockets)),
                    ("names", .integer(summary.losses.names)),
                ])
            ),
            ("milliseconds", .integer(Int(summary.seconds * 1000))),
            ("warnings", .array(warnings.map(JSONValue.string))),
        ]
    }
}
