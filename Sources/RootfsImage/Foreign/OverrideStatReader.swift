internal import FakeRoot
internal import ImageEntries
internal import LinuxFiles

/// `user.containers.override_stat`, as `FakeRootTree` reads it; and fuse-overlayfs' own older name of the same.
final class OverrideStatReader: MetadataReader {
    private let tree: FakeRootTree

    /// For a tree that is open.
    init(_ tree: FakeRootTree) {
        self.tree = tree
    }

    init(_ root: CInt) throws(ImageError) {
        tree = try ImageError.openTree("can't open the directory") { (warn) throws(Errno) in
            try FakeRootTree(owning: System.open(at: root, ".", [.path, .directory]), mayRaiseModes: false, warn: warn)
        }
    }

    func metadata(of file: HostFile) throws(ImageError) -> FileMetadata? {
        try ImageError.attempt("can't read the label of \(file.description)") { () throws(Errno) in
            let status = try tree.status(of: file.descriptor)
            var metadata = FileMetadata(
                owner: Owner(uid: status.uid, gid: status.gid),
                permissions: status.permissions,
                kind: status.kind
            )
            for name in try tree.attributeNames(of: file.descriptor).split(separator: 0) {
                let name = Array(name)
                let value = try tree.attribute(name.span.bytes, of: file.descriptor)
                if name.elementsEqual(Self.olderName.utf8) {
                    let label = value.withUnsafeBytes { Label(parsing: $0) }
                    guard let label else { continue }
                    metadata.owner = Owner(uid: label.uid, gid: label.gid)
                    metadata.permissions = label.mode
                    metadata.kind = label.kind ?? metadata.kind
                } else if !HostAttributes.isToolName(name) {
                    metadata.attributes.append(ImageEntry.Attribute(name: name, value: value))
                }
            }
            return metadata
        }
    }

    /// By its label or by what the board sees: a symbolic link's owner is in the database only.
    func knows(_ file: HostFile) throws(ImageError) -> Bool {
        if file.kind == .file || file.kind == .directory {
            let attributes = try HostAttributes(of: file)
            if attributes[Self.olderName] != nil || !attributes.stripped(of: "user.containers.override_").isEmpty {
                return true
            }
        }
        let status = try ImageError.attempt("can't read the label of \(file.description)") { () throws(Errno) in
            try tree.status(of: file.descriptor)
        }
        return status.uid != 0 || status.gid != 0 || status.permissions != file.status.mode & 0o7777
            || status.kind != file.kind
    }

    static let olderName = "user.fuseoverlayfs.override_stat"
}
