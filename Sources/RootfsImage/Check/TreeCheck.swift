internal import FakeRoot
public import ImageEntries
internal import LinuxFiles

/// Looks at every file of a tree for labels that are lost, wrong or in the wrong place, at the metadata database, and at
/// what has changed since the import; and mends what can be mended.
///
/// The tree may be in use: files that come and go are passed over.
public struct TreeCheck {
    /// What to look at, and whether to mend it.
    public struct Options: Sendable {
        /// Whether to mend what is found.
        public var repairs = false
        /// Whether to hash every file's content. Without, one of the import's size and time counts as unchanged.
        public var hashesAll = false

        /// Looks only.
        public init() {}
    }

    private let directory: String
    private let options: Options
    private let cancellation: Cancellation

    /// A check of a directory; see `run`.
    public init(directory: String, options: Options = Options(), cancellation: Cancellation = Cancellation()) {
        self.directory = directory
        self.options = options
        self.cancellation = cancellation
    }

    /// Checks the tree, and with `repairs` mends it.
    /// - Parameter observer: called for every file with how many there were so far.
    /// - Throws: `ImageError` if the tree can't be looked at, or with `repairs` not be changed.
    public func run(observer: (Int) -> Void = { _ in }) throws(ImageError) -> CheckReport {
        var report = CheckReport()
        guard let tree = try open(&report) else { return report }
        if let marker = try ConversionMarker.read(tree.root.raw, directory) { throw marker.failure(directory) }
        let survey = try TreeSurvey(tree, directory, options, cancellation)
        try survey.run(observer)
        report.files = survey.files
        // The survey's first: a repair goes by their places.
        report.findings = survey.findings.map(\.finding) + report.findings
        report.drift = survey.drift
        report.databasePath = tree.databasePath
        report.labelRows = survey.rows.labelCount
        report.attributeRows = survey.rows.attributeCount
        do throws(Errno) {
            report.host = try HostAbilities(of: tree)
            tree.forgetDatabaseProblem()
            report.findings += try tree.databaseProblems().map {
                CheckFinding(.databaseDamaged, nil, printable($0.utf8))
            }
        } catch {
            guard let problem = tree.databaseProblem, problem.code == .corrupt else {
                throw ImageError("can't check \(directory)", error)
            }
            report.findings.append(CheckFinding(.databaseDamaged, nil, Self.line(problem.message)))
        }
        if options.repairs { try TreeRepair(tree, survey).run(&report) }
        return report
    }

    /// A finding is a line; what to do stands in further ones.
    static func line(_ text: String) -> String {
        text.split(separator: "\n").map { printable($0) }.joined(separator: ". ")
    }

    /// - Returns: nil if the database can't be used, which is a finding.
    private func open(_ report: inout CheckReport) throws(ImageError) -> FakeRootTree? {
        let problem = Monitor("")
        do throws(Errno) {
            // Looking restores no labels: a lost one stays lost.
            return try FakeRootTree(directory: directory, mayRaiseModes: options.repairs, restoresLabels: false) {
                text in
                problem.update { $0 = text }
            }
        } catch {
            let text = problem.update { $0 }
            guard error == .EIO, !text.isEmpty else {
                throw ImageError("can't open the directory \(ShellWord(directory))", error)
            }
            var finding = CheckFinding(.databaseDamaged, nil, Self.line(text))
            defer { report.findings.append(finding) }
            // The tree is used without what was lost. Without `repairs` a damaged database stays as it is.
            guard options.repairs else { return nil }
            let tree = try? FakeRootTree(directory: directory, restoresLabels: false, acceptsLoss: true)
            finding.isRepaired = tree != nil
            return tree
        }
    }
}
