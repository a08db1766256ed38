internal import FakeRoot
internal import ImageEntries
internal import LinuxFiles

/// A file that a `ForeignWalk` has come to.
final class ForeignFile {
    /// Relative to the root, names joined by "/"; empty for the root itself.
    let path: [UInt8]
    /// O_PATH; nil for what only the metadata know.
    let descriptor: OwnedDescriptor?
    /// Nil for what only the metadata know.
    let status: FileStatus?
    /// The directory that holds it, O_RDONLY, until the walk goes on; -1 where the host has none.
    let directory: CInt
    let metadata: FileMetadata
    /// Where a symbolic link leads; not empty.
    let target: [UInt8]
    /// The first name of the same file, which came before.
    let firstName: [UInt8]?
    /// Why the metadata were not taken as they are; printable.
    let notice: String?

    init(
        path: [UInt8],
        descriptor: consuming OwnedDescriptor?,
        status: FileStatus?,
        directory: CInt,
        metadata: FileMetadata,
        target: [UInt8] = [],
        firstName: [UInt8]? = nil,
        notice: String? = nil
    ) {
        self.path = path
        self.descriptor = descriptor
        self.status = status
        self.directory = directory
        self.metadata = metadata
        self.target = target
        self.firstName = firstName
        self.notice = notice
    }

    var name: [UInt8] { Array(path[(path.lastIndex(of: UInt8(ascii: "/")).map { $0 + 1 } ?? 0)...]) }

    /// Whether a tool's metadata say anything of it.
    /// - Parameter root: the tree's root.
    func isKnown(to reader: any MetadataReader, _ root: CInt) throws(ImageError) -> Bool {
        guard let host = host(root) else { return true }
        return try reader.knows(host)
    }

    /// The host's file; nil if it has none.
    func host(_ root: CInt) -> HostFile? {
        guard let status else { return nil }
        let parent = directory >= 0 ? directory : root
        switch descriptor {
        case .some(let descriptor):
            return HostFile(path: path, descriptor: descriptor.raw, status: status, directory: parent)
        case nil: return nil
        }
    }

    /// As it may be printed.
    var description: String { path.isEmpty ? "./" : printable(path) }

    var entry: ImageEntry {
        let body: ImageEntry.Body =
            if let firstName {
                .hardLink(firstName)
            } else {
                switch metadata.kind {
                case .file: .file
                case .directory: .directory
                case .symlink: .symlink(target)
                case .pipe, .socket, .block, .character: .special(metadata.kind)
                }
            }
        return ImageEntry(
            path: path.isEmpty ? [UInt8(ascii: ".")] : path,
            body: body,
            owner: metadata.owner,
            permissions: metadata.permissions,
            size: metadata.kind == .file ? status?.size ?? 0 : 0,
            modificationTime: status?.modificationTime,
            attributes: firstName == nil ? metadata.attributes : []
        )
    }
}
