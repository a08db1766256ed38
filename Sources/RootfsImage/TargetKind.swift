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

    /// What a target's name says; nil for a name that says nothing.
    public init?(nameOf target: String) {
        let name = target.lowercased()
        func ends(_ suffixes: String...) -> Bool { suffixes.contains { name.hasSuffix($0) } }
        if ends(".oci.tar", ".oci-archive") {
            self = .ociArchive
        } else if ends(".tar", ".tgz", ".txz", ".tzst", ".tbz", ".tbz2", ".tar.gz", ".tar.xz", ".tar.zst", ".tar.bz2") {
            self = .tar
        } else if ends(".cpio", ".cpio.gz", ".cpio.xz", ".cpio.zst", ".cpio.bz2") {
            self = .cpio
        } else if ends(".squashfs", ".sqfs", ".sqsh", ".sfs", ".snap") {
            self = .squashfs
        } else if ends(".ext4") {
            self = .ext4
        } else if ends(".oci", "/") {
            self = .oci
        } else if target == "-" {
            self = .tar
        } else {
            return nil
        }
    }

    /// Whether it can be written to a pipe.
    public var canBeStreamed: Bool { self == .tar || self == .cpio }
}
