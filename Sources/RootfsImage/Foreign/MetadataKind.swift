internal import FakeRoot

/// The ways in which tools keep owners, modes and device nodes beside an ordinary user's files; those of `SourceKind` that
/// are directories, under the same raw values.
public enum MetadataKind: String, CaseIterable, Hashable, Sendable {
    /// Only what the host says; the caller's own files are root's.
    case plain = "dir"
    /// `user.containers.override_stat`: ours, containers/storage, fuse-overlayfs, libkrun.
    case overrideStat = "override-stat"
    /// `rsync --fake-super`: `user.rsync.%stat`.
    case rsync
    /// QEMU's `security_model=mapped-xattr`: `user.virtfs.*`.
    case virtfs
    /// QEMU's `security_model=mapped-file`: `.virtfs_metadata` directories.
    case virtfsFile = "virtfs-file"
    /// umoci and PRoot: `user.rootlesscontainers`.
    case rootlesscontainers
    /// Yocto's pseudo: the SQLite database `files.db`.
    case pseudo
    /// What `fakeroot -s` saves.
    case fakeroot
    /// Buildroot's `target/` with a device table, which genext2fs and mkfs.ubifs take as well.
    case deviceTable = "device-table"

    /// Whether the metadata stands in a file of its own, and not with the files that it is about.
    public var needsMetadataFile: Bool {
        switch self {
        case .pseudo, .fakeroot, .deviceTable: true
        case .plain, .overrideStat, .rsync, .virtfs, .virtfsFile, .rootlesscontainers: false
        }
    }

    /// What it is, in words.
    public var label: String {
        switch self {
        case .plain: "a directory without such metadata"
        case .overrideStat: "user.containers.override_stat"
        case .rsync, .virtfs, .virtfsFile, .rootlesscontainers, .pseudo, .fakeroot, .deviceTable: tool?.label ?? ""
        }
    }

    /// The tool, if it is another one's.
    var tool: ForeignMetadata.Tool? { ForeignMetadata.Tool(rawValue: rawValue) }
}
