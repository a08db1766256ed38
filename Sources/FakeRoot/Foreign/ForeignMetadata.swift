internal import LinuxFiles

/// What another fake-root tool has kept for a directory: owners, modes and devices that are not in labels of ours.
///
/// If such a directory were served as it stands all of it would be root's, and a label on one of its files would hide what
/// the tool knew of that file.
public struct ForeignMetadata: Hashable, Sendable {
    /// The tool that wrote the metadata.
    public let tool: Tool
    /// The tool's file, or the first file of the directory that has its attributes; printable.
    public let evidence: String
    /// The first file that also has a label of ours, if one was met; printable.
    public internal(set) var label: String?

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
    static let maxFiles = 300

    /// Looks at what lies beside a directory, and at its first files.
    ///
    /// Only for a directory without a database of ours: with one it is our tree. Labels alone don't prove that: one command
    /// can have put them on some of the other tool's files.
    /// - Parameter path: as the user wrote it.
    public static func find(in path: String) -> ForeignMetadata? { find(in: path, prefix: "") }

    /// - Parameter prefix: what stands before the names of what is found in the directory, such as "/srv/tree/".
    static func find(in path: String, prefix: String) -> ForeignMetadata? {
        guard (try? System.open(path, [.path, .directory])) != nil else { return nil }
        let beside = filesBeside(path)
        guard let opened = try? System.open(path, [.readOnly, .directory]), let trust = try? FileTrust(root: opened.raw)
        else { return beside.first }
        var survey = AttributeSurvey(trust)
        survey.look(at: opened, maxFiles: maxFiles, prefix: prefix)
        guard var found = beside.first ?? survey.found else { return nil }
        found.label = survey.label
        return found
    }

    /// The error for somebody who wants to use the directory: a sentence, and lines with what to do.
    /// - Parameters:
    ///   - path: as the user wrote it.
    ///   - directory: what the tool's metadata are about, the same or one above.
    public func refusal(of path: String, in directory: String) -> (message: String, hint: String) {
        let word = ShellWord(directory.utf8).text
        let shown = ShellWord(path.utf8)
        let subject = path == directory ? shown.text : "\(shown) lies in a directory that"
        if let label {
            return (
                "\(subject) has metadata of more than one tool: \(tool.label) (\(evidence)), "
                    + "user.containers.override_stat (\(label))",
                "Say which counts:\n    p9serve import \(word) NEW --from \(tool.rawValue)\n"
                    + "    p9serve import \(word) NEW --from override-stat\n"
                    + "Without what the other tool knows, as it stands: --as-is."
            )
        }
        return (
            "\(subject) has another tool's metadata, \(tool.label) (\(evidence)), which would be passed over",
            "Make a tree of \(path == directory ? "it" : "the directory"):\n    p9serve import \(word) NEW\n"
                + "or turn it into one:\n    p9serve convert \(word) --to override-stat\n"
                + "Without what the tool knows: --as-is."
        )
    }
}
