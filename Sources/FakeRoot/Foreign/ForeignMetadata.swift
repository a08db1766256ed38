internal import LinuxFiles

/// What another fake-root tool has kept for a directory: owners, modes and devices that a tree of ours knows nothing of.
///
/// Served as it stands, such a directory would be all root's, and a label that is put on one of its files takes the rest of
/// what the tool knew of it away.
public struct ForeignMetadata: Hashable, Sendable {
    public let tool: Tool
    /// The tool's file, or the first file of the directory that has its attributes; printable.
    public let evidence: String

    /// The tools that leave something to be found. The raw values are those of `p9serve convert --from`.
    public enum Tool: String, CaseIterable, Hashable, Sendable {
        case rsync
        case virtfs
        case virtfsFile = "virtfs-file"
        case rootlesscontainers
        case pseudo
        case fakeroot
        case deviceTable = "device-table"

        /// What it has left, in words.
        public var label: String {
            switch self {
            case .rsync: "rsync --fake-super"
            case .virtfs: "QEMU mapped-xattr"
            case .virtfsFile: "QEMU mapped-file"
            case .rootlesscontainers: "user.rootlesscontainers"
            case .pseudo: "a pseudo database"
            case .fakeroot: "a fakeroot save file"
            case .deviceTable: "a device table"
            }
        }
    }

    /// This many files tell whether a tool has kept attributes for a directory: enough of any, and few enough not to
    /// delay a server's start.
    private static let maxFiles = 300

    /// Looks at what lies beside a directory, and at its first files. Nothing is found for a directory with labels of ours:
    /// those count.
    ///
    /// Only for a directory without a database of ours: with one it is our tree, whatever lies in it.
    /// - Parameter path: as the user wrote it.
    public static func find(in path: String) -> ForeignMetadata? {
        guard (try? System.open(path, [.path, .directory])) != nil else { return nil }
        let beside = filesBeside(path)
        guard let opened = try? System.open(path, [.readOnly, .directory]), let trust = try? FileTrust(root: opened.raw)
        else { return beside.first }
        var survey = AttributeSurvey(trust)
        survey.look(at: opened, maxFiles: maxFiles)
        return survey.hasLabels ? nil : beside.first ?? survey.found
    }

    /// Looks at a single file and the directories above it, for a command that is not told where the tree begins.
    /// - Parameter names: of the absolute path.
    /// - Returns: also the directory that the tool's file is about; nil where attributes don't tell which one it is.
    public static func find(above names: [String]) -> (found: ForeignMetadata, directory: String?)? {
        var result: (found: ForeignMetadata, directory: String?)?
        var trust: FileTrust?
        for count in stride(from: names.count, through: 1, by: -1) {
            let path = "/" + names[..<count].joined(separator: "/")
            guard let opened = try? System.open(path, [.path, .noFollow]), let host = try? System.status(of: opened.raw)
            else { continue }
            let isDirectory = host.format == .directory
            if trust == nil, isDirectory { trust = try? FileTrust(root: opened.raw) }
            var survey = AttributeSurvey(trust ?? FileTrust.ofProcess)
            survey.look(at: opened.raw, host, printable(path))
            if survey.hasLabels { return nil }
            if isDirectory {
                survey.lookForMetadata(in: opened.raw, printable(path))
                if let found = filesBeside(path).first { result = (found, path) }
            }
            if result == nil, let found = survey.found { result = (found, nil) }
        }
        return result
    }

    /// What to tell who wants to use the directory all the same: a sentence, and lines with what to do.
    /// - Parameters:
    ///   - path: as the user wrote it.
    ///   - directory: what the tool's metadata are about; nil if that is not known.
    public func refusal(of path: String, in directory: String?) -> (message: String, hint: String) {
        let word = directory.map { ShellWord($0.utf8).text } ?? "TREE"
        let (made, turned) = directory == nil ? ("the whole TREE that it lies in", "that") : ("it", "it")
        return (
            "\(ShellWord(path)) has another tool's metadata, \(tool.label) (\(evidence)), which would be passed over",
            "Make a tree of \(made):\n    p9serve import \(word) NEW\nor turn \(turned) into one:\n"
                + "    p9serve convert \(word) --to override-stat\nWithout what the tool knows: --as-is."
        )
    }
}
