internal import FakeRoot
internal import ImageEntries
internal import LinuxFiles

/// `rsync --fake-super`: the attribute `user.rsync.%stat` says "OCTALMODE MAJOR,MINOR UID:GID", with the S_IFMT bits;
/// symbolic links are regular files with the target in them. What only root may set is kept as `user.rsync.NAME`, ACLs as
/// `%aacl` and `%dacl` (`RsyncACL`).
///
/// rsync leaves `%stat` out where the host's file shows the same; then, as for rsync, what the host says is right.
final class RsyncReader: MetadataReader {
    static let prefix = "user.rsync."
    static let status = "user.rsync.%stat"
    private var unlabelled = 0

    func metadata(of file: HostFile) throws(ImageError) -> FileMetadata? {
        let attributes = try HostAttributes(of: file)
        var metadata = FileMetadata(of: file)
        if let value = attributes[Self.status] {
            guard let parsed = Self.parse(value) else {
                throw ImageError(.badArchive, "the attribute \(Self.status) of \(file.description) is damaged")
            }
            metadata = parsed
        } else {
            unlabelled += 1
        }
        metadata.attributes = attributes.own
        for attribute in attributes.stripped(of: Self.prefix) {
            guard attribute.name.first == UInt8(ascii: "%") else {
                metadata.attributes.append(attribute)
                continue
            }
            let isDefault = attribute.name.elementsEqual("%dacl".utf8)
            guard isDefault || attribute.name.elementsEqual("%aacl".utf8) else { continue }
            guard let value = RsyncACL.decode(attribute.value, permissions: isDefault ? nil : metadata.permissions)
            else {
                throw ImageError(.badArchive, "the access control list of \(file.description) is damaged")
            }
            let name = isDefault ? "system.posix_acl_default" : "system.posix_acl_access"
            metadata.attributes.append(ImageEntry.Attribute(name: Array(name.utf8), value: value))
        }
        return metadata
    }

    func knows(_ file: HostFile) throws(ImageError) -> Bool {
        try !HostAttributes(of: file).stripped(of: Self.prefix).isEmpty
    }

    private static func parse(_ value: [UInt8]) -> FileMetadata? {
        var scanner = ByteScanner(value)
        guard let mode = scanner.takeNumber(UInt32.self, radix: 8), scanner.take(" "),
            let major = scanner.takeNumber(UInt32.self), scanner.take(","),
            let minor = scanner.takeNumber(UInt32.self), scanner.take(" "),
            let uid = scanner.takeNumber(UInt32.self), scanner.take(":"),
            let gid = scanner.takeNumber(UInt32.self), scanner.isAtEnd,
            let kind = NodeKind(FileFormat(mode: mode), major: major, minor: minor)
        else { return nil }
        return FileMetadata(owner: Owner(uid: uid, gid: gid), permissions: mode, kind: kind)
    }

    func finish() throws(ImageError) -> [String] {
        guard unlabelled > 0 else { return [] }
        return ["\(unlabelled) files have no \(Self.status): they keep the host's owner, as rsync itself takes them"]
    }
}
