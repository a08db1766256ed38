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

/// What some tool says of a file.
struct FileMetadata: Hashable, Sendable {
    var owner: Owner
    /// Permission, setuid, setgid and sticky bits.
    var permissions: UInt32
    /// A symbolic link may be a regular file of the host that holds the target.
    var kind: NodeKind
    var attributes: [ImageEntry.Attribute] = []

    /// What the host says; its numbers are taken as they are.
    init(of file: HostFile) {
        owner = Owner(uid: file.status.uid, gid: file.status.gid)
        permissions = file.status.mode & 0o7777
        kind = file.kind
    }

    init(owner: Owner, permissions: UInt32, kind: NodeKind, attributes: [ImageEntry.Attribute] = []) {
        self.owner = owner
        self.permissions = permissions & 0o7777
        self.kind = kind
        self.attributes = attributes
    }

    /// - Parameter mode: with the S_IFMT bits; nil results for a type that Linux doesn't have.
    init?(owner: Owner, mode: UInt32, rawDevice: UInt64) {
        let (major, minor) = System.deviceNumbers(rawDevice)
        guard let kind = NodeKind(FileFormat(mode: mode), major: major, minor: minor) else { return nil }
        self.init(owner: owner, permissions: mode, kind: kind)
    }
}

/// Knows what one tool's metadata say of the files in a directory.
protocol MetadataReader: AnyObject {
    /// - Returns: nil for a name that is no file of the tree but holds metadata.
    /// - Throws: `badArchive` for metadata that can't be read, `permission`.
    func metadata(of file: HostFile) throws(ImageError) -> FileMetadata?

    /// What the metadata say is in a directory that the host doesn't have there, by name.
    /// - Parameter existing: the names that the host has.
    func additions(to directory: [UInt8], existing: Set<[UInt8]>) throws(ImageError) -> [[UInt8]: FileMetadata]

    /// To be called after the last file.
    /// - Returns: what was odd about the whole, one sentence each.
    func finish() throws(ImageError) -> [String]
}

extension MetadataReader {
    func additions(to directory: [UInt8], existing: Set<[UInt8]>) throws(ImageError) -> [[UInt8]: FileMetadata] { [:] }

    func finish() throws(ImageError) -> [String] { [] }
}
