internal import FakeRoot
internal import LinuxFiles

/// Mends what a survey has found.
struct TreeRepair {
    private let tree: FakeRootTree
    private let survey: TreeSurvey

    init(_ tree: FakeRootTree, _ survey: TreeSurvey) {
        self.tree = tree
        self.survey = survey
    }

    /// Marks in a report what is mended.
    func run(_ report: inout CheckReport) throws(ImageError) {
        let stale = try staleRows()
        for (index, found) in survey.findings.enumerated() {
            switch found.finding.kind {
            case .rowStale, .databaseDamaged, .notEntered: continue
            case .leftover: report.findings[index].isRepaired = (try? removeLeftover(found.path)) != nil
            default: report.findings[index].isRepaired = (try? mend(found)) == true
            }
        }
        var repairedRows = 0
        for file in stale where (try? tree.removeRows(of: file)) != nil { repairedRows += 1 }
        for index in report.findings.indices where report.findings[index].kind == .rowStale && repairedRows > 0 {
            report.findings[index].isRepaired = true
            repairedRows -= 1
        }
    }

    /// - Returns: whether there is nothing odd about the file any more.
    private func mend(_ found: TreeSurvey.Found) throws(Errno) -> Bool {
        let file = try open(found.path)
        try tree.repair(file.raw, found.labels)
        let left = try tree.findings(of: file.raw, at: found.path)
        if found.finding.kind == .privilegesLost { return false }  // owner and mode are back, the privileges aren't
        return !left.contains { finding in found.labels.contains { $0 == finding } }
    }

    /// What a server is making right now has its row before it has its name: so only what a second walk doesn't meet
    /// either is stale.
    private func staleRows() throws(ImageError) -> Set<FileHandle> {
        var rows = survey.rows
        guard survey.isComplete, !rows.unmet.isEmpty else { return [] }
        let cursor = TreeCursor(tree, toleratesChanges: true)
        while let item = try cursor.next() {
            do throws(Errno) {
                try rows.meet(item.descriptor.raw, in: tree)
            } catch {
                throw .unreadable(item.path, error, item.host)
            }
        }
        return cursor.skippedDirectories.isEmpty ? rows.unmet : []
    }

    private func open(_ path: [UInt8]) throws(Errno) -> OwnedDescriptor {
        let (parent, name) = Self.split(path)
        guard let name else { return try System.open(at: tree.root.raw, ".", [.path, .directory]) }
        let directory = try open(beneath: parent)
        return try tree.lookup(FileName(name.span.bytes), in: directory.raw)
    }

    private func open(beneath path: [UInt8]) throws(Errno) -> OwnedDescriptor {
        try (path + [0]).span.withUnsafeBytes { (bytes) throws(Errno) -> OwnedDescriptor in
            guard let base = bytes.baseAddress else { throw .EINVAL }
            return try System.open(
                beneath: tree.root.raw,
                base.assumingMemoryBound(to: CChar.self),
                [.path, .directory]
            )
        }
    }

    private func removeLeftover(_ path: [UInt8]) throws(Errno) {
        let (parent, last) = Self.split(path)
        guard let last else { throw .EINVAL }
        let directory = try open(beneath: parent)
        let name = try FileName(last.span.bytes)
        let host = try name.withCString { (name) throws(Errno) in try System.status(at: directory.raw, name) }
        guard FakeRootTree.isAbandoned(name, host) else { throw .EBUSY }
        try System.removeTree(at: directory.raw, name)
    }

    /// The path of the directory, and the name in it; no name for the root.
    private static func split(_ path: [UInt8]) -> (parent: [UInt8], name: [UInt8]?) {
        guard !path.isEmpty else { return ([UInt8(ascii: ".")], nil) }
        guard let slash = path.lastIndex(of: UInt8(ascii: "/")) else { return ([UInt8(ascii: ".")], path) }
        return (Array(path[..<slash]), Array(path[(slash + 1)...]))
    }
}
