internal import FakeRoot
internal import ImageEntries
internal import LinuxFiles

/// Mends what a survey has found, in a second walk: so a file is mended where it is met, however deep that is.
struct TreeRepair {
    private let tree: FakeRootTree
    private let survey: TreeSurvey

    init(_ tree: FakeRootTree, _ survey: TreeSurvey) {
        self.tree = tree
        self.survey = survey
    }

    /// Marks in a report what is mended.
    func run(_ report: inout CheckReport) throws(ImageError) {
        guard !survey.findings.isEmpty else { return }
        // The numbers of the findings about each file.
        var found: [[UInt8]: [Int]] = [:]
        for (index, finding) in survey.findings.enumerated() {
            if let key = finding.key { found[key, default: []].append(index) }
        }
        // What a server is making right now has its row before it has its name: so only what a second walk doesn't meet
        // either is stale.
        var rows = survey.rows
        var removedLeftovers: [String: Int] = [:]
        let cursor = TreeCursor(tree, toleratesChanges: true)
        cursor.onStaging = { name, directory, path in
            if (try? Self.removeLeftover(name, in: directory)) != nil { removedLeftovers[path, default: 0] += 1 }
        }
        while let item = try cursor.next() {
            do throws(Errno) {
                try rows.meet(item.descriptor.raw, in: tree)
            } catch {
                throw .unreadable(item.displayed, error, item.host)
            }
            for index in found[item.key] ?? [] where (try? mend(survey.findings[index], item)) == true {
                report.findings[index].isRepaired = true
            }
        }
        for index in report.findings.indices {
            guard let path = report.findings[index].path, let count = removedLeftovers[path], count > 0,
                report.findings[index].kind == .leftover
            else { continue }
            report.findings[index].isRepaired = true
            removedLeftovers[path] = count - 1
        }
        if survey.isComplete, cursor.skippedDirectories.isEmpty { remove(rows.unmet, &report) }
    }

    private func remove(_ stale: Set<FileHandle>, _ report: inout CheckReport) {
        var repairedRows = 0
        for file in stale where (try? tree.removeRows(of: file)) != nil { repairedRows += 1 }
        for index in report.findings.indices where report.findings[index].kind == .rowStale && repairedRows > 0 {
            report.findings[index].isRepaired = true
            repairedRows -= 1
        }
    }

    /// - Returns: whether there is nothing odd about the file any more.
    private func mend(_ found: TreeSurvey.Found, _ item: borrowing TreeCursor.Item) throws(Errno) -> Bool {
        let file = item.descriptor.raw
        try tree.repair(file, found.labels)
        let left = try tree.findings(of: file, at: item.key)
        if found.finding.kind == .privilegesLost { return false }  // owner and mode are back, the privileges aren't
        return !left.contains { finding in found.labels.contains { $0 == finding } }
    }

    private static func removeLeftover(_ bytes: [UInt8], in directory: CInt) throws(Errno) {
        let name = try FileName(bytes.span.bytes)
        let host = try name.withCString { (name) throws(Errno) in try System.status(at: directory, name) }
        guard FakeRootTree.isAbandoned(name, host) else { throw .EBUSY }
        try System.removeTree(at: directory, name)
    }
}
