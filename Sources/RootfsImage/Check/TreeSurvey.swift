internal import FakeRoot
internal import ImageEntries
internal import LinuxFiles

/// One walk over a tree, looking.
final class TreeSurvey {
    /// A finding, and what is needed to mend it.
    struct Found {
        var finding: CheckFinding
        /// `TreeCursor.Item.key` of the file; of a leftover, nil.
        var key: [UInt8]?
        var labels: [LabelFinding] = []
    }

    private let tree: FakeRootTree
    /// The root's path, as the user gave it.
    private let directory: String
    private let options: TreeCheck.Options
    private let cancellation: Cancellation
    private(set) var findings: [Found] = []
    private(set) var files = 0
    private(set) var rows: DatabaseRows
    /// Whether the walk has led everywhere.
    private(set) var isComplete = false
    private var comparison: ManifestComparison?

    /// What has changed since the import; after `run`.
    var drift: CheckReport.Drift? { comparison?.drift }

    init(
        _ tree: FakeRootTree,
        _ directory: String,
        _ options: TreeCheck.Options,
        _ cancellation: Cancellation
    ) throws(ImageError) {
        self.tree = tree
        self.directory = directory
        self.options = options
        self.cancellation = cancellation
        do throws(Errno) {
            rows = try DatabaseRows(of: tree)
        } catch {
            guard let problem = tree.databaseProblem, problem.code == .corrupt else {
                throw ImageError("can't read the metadata database", error)
            }
            // Then no file is known to have rows, so no row counts as stale.
            rows = DatabaseRows()
            findings.append(Found(finding: CheckFinding(.databaseDamaged, nil, TreeCheck.line(problem.message))))
        }
        if tree.hasManifest { comparison = ManifestComparison(tree, hashesAll: options.hashesAll) }
    }

    func run(_ observer: (Int) -> Void) throws(ImageError) {
        let cursor = TreeCursor(tree, toleratesChanges: true)
        cursor.onStaging = { [unowned self] _, _, path in noteLeftover(path) }
        while let item = try cursor.next() {
            if cancellation.isRequested { throw ImageError(.cancelled, "the check was cancelled") }
            files += 1
            observer(files)
            try look(at: item)
        }
        for path in cursor.skippedDirectories {
            findings.append(
                Found(finding: CheckFinding(.notEntered, path, "can't be read, so nothing in it was looked at"))
            )
        }
        // Files in skipped directories may still exist.
        isComplete = cursor.skippedDirectories.isEmpty
        guard isComplete else { return }
        comparison?.finish()
        for file in rows.unmet {
            let finding = CheckFinding(
                .rowStale,
                nil,
                "the database has rows for a file that no longer exists (\(file.text))"
            )
            findings.append(Found(finding: finding))
        }
    }

    private func look(at item: borrowing TreeCursor.Item) throws(ImageError) {
        tree.forgetDatabaseProblem()
        do throws(Errno) {
            try rows.meet(item.descriptor.raw, in: tree)
            let labels = try tree.findings(of: item.descriptor.raw, at: item.key)
            for label in labels {
                let finding = Self.finding(label, item.name.isEmpty ? "." : item.displayed, place(item.key))
                findings.append(Found(finding: finding, key: item.key, labels: [label]))
            }
            try comparison?.compare(item, hasLostLabel: labels.contains(where: \.isLoss))
        } catch .ENOENT, .ESTALE {
            // Somebody has removed it.
        } catch {
            if let problem = tree.databaseProblem, problem.code == .corrupt {
                // The database is damaged, not the file: the others can be looked at.
                let name = item.name.isEmpty ? "." : item.displayed
                let finding = CheckFinding(.databaseDamaged, name, TreeCheck.line(problem.message))
                return findings.append(Found(finding: finding))
            }
            throw .unreadable(item.displayed, error, item.host)
        }
    }

    /// The host's path of a file, as a word of a shell's command line.
    private func place(_ key: [UInt8]) -> ShellWord {
        var path = Array(directory.utf8)
        if !key.isEmpty, path.last != UInt8(ascii: "/") { path.append(UInt8(ascii: "/")) }
        return ShellWord(path + key)
    }

    /// - Parameter place: where the file is on the host.
    private static func finding(
        _ label: LabelFinding,
        _ path: String,
        _ place: @autoclosure () -> ShellWord
    ) -> CheckFinding {
        func octal(_ mode: UInt32) -> String {
            let digits = String(mode, radix: 8)
            return String(repeating: "0", count: max(0, 4 - digits.count)) + digits
        }
        func wanted(_ entry: ManifestEntry) -> String {
            "the import made it \(entry.status.text)"
                + (entry.capability.flatMap(FileCapabilities.init).map { " with \($0.text)" } ?? "")
        }
        switch label {
        case .lost(let entry): return CheckFinding(.labelLost, path, wanted(entry))
        case .lostWithPrivileges(let entry):
            let detail = "\(wanted(entry)), but its content is another one now. \(decisions(on: entry, place().text))"
            return CheckFinding(.privilegesLost, path, detail)
        case .malformed(let value): return CheckFinding(.labelMalformed, path, "'\(printable(value))' is not a label")
        case .misplaced(let kind):
            return CheckFinding(.labelMisplaced, path, "the label is one of another kind of file: \(kind.format.word)")
        case .notBelieved(.strangersFile(let uid)):
            let detail = "the file is the host's user \(uid)'s, so its label and attributes don't count"
            return CheckFinding(.labelNotBelieved, path, detail)
        case .notBelieved(.writableByEverybody(let label)):
            let place = place().text
            let detail =
                "the label says \(label.privileges), but everybody on the host may write to the file, and so to its label, "
                + "and no import's list confirms it. If it is right: chmod o-w \(place)   else: "
                + "setfattr -x user.containers.override_stat \(place)"
            return CheckFinding(.labelNotBelieved, path, detail)
        case .unreadable: return CheckFinding(.unreadable, path, "the host's mode forbids to read its label")
        case .unfinished: return CheckFinding(.changeUnfinished, path, "a change of its mode was cut short")
        case .belowFloor(let mode):
            return CheckFinding(.modeBelowFloor, path, "the host's mode is \(octal(mode)), which hinders the server")
        }
    }

    /// The commands that decide whether a program with another content has the privileges of the old one.
    private static func decisions(on entry: ManifestEntry, _ place: String) -> String {
        var (with, without): ([String], [String]) = ([], [])
        let bits = [(UInt32(0o4000), "u"), (0o2000, "g")].filter { entry.status.mode & $0.0 != 0 }.map(\.1)
        if !bits.isEmpty {
            let letters = bits.joined()
            with.append("p9serve chmod \(letters)+s \(place)")
            without.append("p9serve chmod \(letters)-s \(place)")
        }
        if let capability = entry.capability {
            // Capabilities of a later kernel than ours have no names here.
            let words = FileCapabilities(capability).map { ShellWord($0.text.utf8).text } ?? "CAPABILITIES"
            with.append("p9serve setcap \(words) \(place)")
            without.append("p9serve setcap -r \(place)")
        }
        return "To give them: \(with.joined(separator: " && "))   else: \(without.joined(separator: " && "))"
    }

    private func noteLeftover(_ path: String) {
        let finding = CheckFinding(.leftover, path, "left by a process that was killed; the board doesn't see it")
        findings.append(Found(finding: finding))
    }
}

extension LabelFinding {
    fileprivate var isLoss: Bool {
        switch self {
        case .lost, .lostWithPrivileges: true
        default: false
        }
    }
}

extension Label {
    /// What it gives that a plain file has not, such as "block 8:0".
    fileprivate var privileges: String {
        var parts: [String] = []
        switch kind {
        case .block(let major, let minor): parts.append("block \(major):\(minor)")
        case .character(let major, let minor): parts.append("char \(major):\(minor)")
        case .pipe: parts.append("FIFO")
        case .socket: parts.append("socket")
        case .file, .directory, .symlink, nil: break
        }
        if mode & 0o4000 != 0 { parts.append("setuid") }
        if mode & 0o2000 != 0 { parts.append("setgid") }
        return parts.joined(separator: ", ")
    }
}

extension FileFormat {
    fileprivate var word: String {
        switch self {
        case .directory: "directory"
        case .symlink: "symbolic link"
        case .fifo: "FIFO"
        case .socket: "socket"
        case .block: "block device"
        case .character: "character device"
        default: "file"
        }
    }
}
