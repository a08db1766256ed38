/// What an export makes.
public enum TargetKind: String, Hashable, Sendable, CaseIterable {
    case tar
    case cpio
    case squashfs
    case ext4
    /// An OCI image layout, a directory.
    case oci
    /// The same in a tar file.
    case ociArchive = "oci-archive"

    /// The ends of names that say it.
    private var suffixes: [String] {
        switch self {
        case .tar: [".tar", ".tar.gz", ".tgz", ".tar.xz", ".txz", ".tar.zst", ".tzst", ".tar.bz2", ".tbz2", ".tbz"]
        case .cpio: [".cpio", ".cpio.gz", ".cpio.xz", ".cpio.zst", ".cpio.bz2"]
        case .squashfs: [".squashfs", ".sqfs", ".sqsh", ".sfs", ".snap"]
        case .ext4: [".ext4"]
        case .oci: [".oci", "/"]
        case .ociArchive: [".oci.tar", ".oci-archive"]
        }
    }

    /// All kinds with the ends of names that say them, one a line.
    public static var list: String {
        allCases.map { "    \($0.rawValue): \($0.suffixes.joined(separator: " "))" }.joined(separator: "\n")
    }

    /// The kind that a target's name tells; nil if it tells none.
    public init?(nameOf target: String) {
        let name = target.lowercased()
        // ".oci.tar" ends in ".tar", too.
        let kinds = [.ociArchive] + Self.allCases
        guard let kind = target == "-" ? .tar : kinds.first(where: { $0.suffixes.contains(where: name.hasSuffix) })
        else {
            return nil
        }
        self = kind
    }

    /// Whether it can be written to a pipe.
    public var canBeStreamed: Bool { self == .tar || self == .cpio }
}
