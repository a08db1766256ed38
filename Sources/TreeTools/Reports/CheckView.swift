public import CommandSupport
internal import LinuxFiles
public import RootfsImage

/// A check's report, for people and as JSON.
public struct CheckView {
    private let report: CheckReport
    private let directory: String
    private let showsAll: Bool

    private static let shown = 10

    /// A report for a person, or for a script as JSON.
    /// - Parameters:
    ///   - directory: as the user wrote it.
    ///   - showsAll: every path, not only the first ten of each kind.
    public init(_ report: CheckReport, directory: String, showsAll: Bool) {
        self.report = report
        self.directory = directory
        self.showsAll = showsAll
    }

    // MARK: Text

    /// For a person: a line for each finding, and what to do.
    public var text: String {
        var lines = hostLines
        for kind in CheckFinding.Kind.allCases {
            let findings = report.findings.filter { $0.kind == kind }
            guard !findings.isEmpty else { continue }
            let repaired = findings.count(where: \.isRepaired)
            let suffix = repaired == 0 ? "" : repaired == findings.count ? ", repaired" : ", \(repaired) repaired"
            lines.append(
                "\(kind.isProblem ? "problem" : "note"): \(findings.count) \(kind.title(findings.count))\(suffix)"
            )
            lines += list(findings.map { ($0.path.map { "\($0): " } ?? "") + $0.detail })
        }
        lines += driftLines
        let left = report.findings.count { $0.kind.isProblem && !$0.isRepaired }
        lines.append(
            "\(report.files) files looked at, \(left == 0 ? "no problem" : left == 1 ? "1 problem" : "\(left) problems")"
        )
        return lines.map { printable($0) }.joined(separator: "\n") + "\n"
    }

    private var hostLines: [String] {
        guard !report.host.fileSystem.isEmpty else { return [] }
        let host = report.host
        var lines = [
            "file system: \(host.fileSystem), "
                + (host.hasUserAttributes ? "user attributes" : "no user attributes: all labels are in the database")
                + (host.hasFileHandles
                    ? ", file handles" : ", no file handles: inode number and time of birth stand in")
                + (host.hasUnnamedFiles ? ", unnamed files" : ", no unnamed files")
        ]
        if let path = report.databasePath {
            lines.append("database: \(path), \(report.labelRows) labels, \(report.attributeRows) attributes")
        } else {
            lines.append("database: none")
        }
        return lines
    }

    private var driftLines: [String] {
        guard let drift = report.drift else { return ["since the import: not known, there is no manifest"] }
        guard !drift.isEmpty else { return ["since the import: nothing has changed"] }
        var lines: [String] = []
        let parts: [(String, [String])] = [
            ("added", drift.added), ("removed", drift.removed), ("edited", drift.edited),
            ("changed in owner, mode or kind", drift.changed),
        ]
        for (name, paths) in parts where !paths.isEmpty {
            lines.append("since the import: \(paths.count) \(name)")
            lines += list(paths)
        }
        return lines
    }

    private func list(_ lines: [String]) -> [String] {
        let shown = showsAll ? lines.count : min(lines.count, Self.shown)
        let rest = lines.count - shown
        return lines.prefix(shown).map { "    \($0)" } + (rest > 0 ? ["    and \(rest) more; --all shows them"] : [])
    }

    /// What to do about problems.
    public var advice: String {
        let kinds = problems
        if kinds.contains(.databaseDamaged) {
            return "Restore the database from a backup, or move it away and import again."
        }
        let mendable = kinds.subtracting([.labelNotBelieved, .privilegesLost])
        // Owner and mode of such a program come back by --repair; where they have, only the user can go on.
        let mend =
            mendable.isEmpty ? [] : ["Mend them: p9serve check --repair \(ShellWord(directory.utf8).text)"]
        return (mend + decisions(kinds)).joined(separator: "\n")
    }

    /// What --repair leaves to the user.
    private func decisions(_ kinds: Set<CheckFinding.Kind>) -> [String] {
        var lines: [String] = []
        if kinds.contains(.privilegesLost) {
            lines.append("Whether a program with another content has its privileges you decide, by the commands above.")
        }
        if kinds.contains(.labelNotBelieved) {
            lines.append(
                "Whether a label that is not believed is right only you know, and --repair leaves it alone: see above what to do."
            )
        }
        return lines
    }

    private var problems: Set<CheckFinding.Kind> {
        Set(report.findings.filter { $0.kind.isProblem && !$0.isRepaired }.map(\.kind))
    }

    /// What to do about problems that were not mended.
    public var remainder: String? {
        let kinds = problems
        if kinds.contains(.databaseDamaged) { return advice }
        let lines = decisions(kinds)
        return lines.isEmpty ? nil : lines.joined(separator: "\n")
    }

    // MARK: JSON

    /// The keys are an interface: version 2, in which only an `error` differs from version 1.
    public var members: [(key: String, value: JSONValue)] {
        let host = report.host
        let hostMembers: [(key: String, value: JSONValue)] = [
            ("file_system", .string(host.fileSystem)), ("user_attributes", .bool(host.hasUserAttributes)),
            ("file_handles", .bool(host.hasFileHandles)), ("unnamed_files", .bool(host.hasUnnamedFiles)),
            ("bytes_available", .integer(host.bytesAvailable)),
        ]
        let findings = report.findings.map { finding in
            JSONValue.object([
                ("kind", .string(finding.kind.rawValue)), ("problem", .bool(finding.kind.isProblem)),
                ("path", JSONValue(finding.path)), ("detail", .string(finding.detail)),
                ("repaired", .bool(finding.isRepaired)),
            ])
        }
        let drift = report.drift.map { drift in
            func paths(_ paths: [String]) -> JSONValue { .array(paths.map(JSONValue.string)) }
            return JSONValue.object([
                ("added", paths(drift.added)), ("removed", paths(drift.removed)), ("edited", paths(drift.edited)),
                ("changed", paths(drift.changed)),
            ])
        }
        return [
            ("directory", .string(directory)), ("clean", .bool(!report.hasProblems)), ("files", .integer(report.files)),
            ("host", .object(hostMembers)), ("database", JSONValue(report.databasePath)),
            ("label_rows", .integer(report.labelRows)), ("attribute_rows", .integer(report.attributeRows)),
            ("findings", .array(findings)), ("drift", drift ?? .null),
        ]
    }
}

extension CheckFinding.Kind {
    /// What it is, after its number.
    fileprivate func title(_ count: Int) -> String {
        let isOne = count == 1
        return switch self {
        case .labelLost: isOne ? "lost label" : "lost labels"
        case .privilegesLost: isOne ? "program without its privileges" : "programs without their privileges"
        case .labelMalformed: isOne ? "malformed label" : "malformed labels"
        case .labelNotBelieved: isOne ? "label that is not believed" : "labels that are not believed"
        case .labelMisplaced: isOne ? "label on the wrong kind of file" : "labels on the wrong kind of file"
        case .unreadable: isOne ? "label that can't be read" : "labels that can't be read"
        case .notEntered: isOne ? "directory that can't be read" : "directories that can't be read"
        case .databaseDamaged: "damage in the database"
        case .changeUnfinished: isOne ? "unfinished change" : "unfinished changes"
        case .modeBelowFloor: isOne ? "mode below the floor" : "modes below the floor"
        case .leftover: isOne ? "leftover" : "leftovers"
        case .rowStale: isOne ? "stale row" : "stale rows"
        }
    }
}
