internal import FakeRoot
internal import LinuxFiles

/// A file of the host whose metadata a `MetadataReader` is asked for.
struct HostFile {
    /// Relative to the root, names joined by "/"; empty for the root itself.
    let path: [UInt8]
    /// O_PATH.
    let descriptor: CInt
    let status: FileStatus
    /// The directory that holds it, O_RDONLY; of the root, the root itself.
    let directory: CInt

    var name: ArraySlice<UInt8> { path[(path.lastIndex(of: UInt8(ascii: "/")).map { $0 + 1 } ?? 0)...] }

    /// As it may be printed.
    var description: String { path.isEmpty ? "./" : printable(path) }

    /// What the host's own file is.
    var kind: NodeKind {
        let (major, minor) = System.deviceNumbers(status.rawDevice)
        return NodeKind(status.format, major: major, minor: minor) ?? .file
    }
}
