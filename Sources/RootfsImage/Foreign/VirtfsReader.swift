internal import FakeRoot
internal import ImageEntries
internal import LinuxFiles

/// QEMU's `security_model=mapped-xattr`: `user.virtfs.uid`, `.gid` and `.mode` are u32 LE, the mode with its S_IFMT bits,
/// `user.virtfs.rdev` is u64 LE. Each one that is missing leaves it to the host's file. Symbolic links are regular files
/// with the target in them.
final class VirtfsReader: MetadataReader {
    static let prefix = "user.virtfs."
    static let uid = "user.virtfs.uid"
    static let gid = "user.virtfs.gid"
    static let mode = "user.virtfs.mode"
    static let device = "user.virtfs.rdev"

    func metadata(of file: HostFile) throws(ImageError) -> FileMetadata? {
        let attributes = try HostAttributes(of: file)
        func number(_ name: String, size: Int) throws(ImageError) -> UInt64? {
            guard let value = attributes[name] else { return nil }
            guard value.count == size else {
                throw ImageError(.badArchive, "the attribute \(name) of \(file.description) is damaged")
            }
            return value.reversed().reduce(0) { $0 << 8 | UInt64($1) }
        }
        let said = VirtfsNumbers(
            uid: try number(Self.uid, size: 4).map { UInt32(truncatingIfNeeded: $0) },
            gid: try number(Self.gid, size: 4).map { UInt32(truncatingIfNeeded: $0) },
            mode: try number(Self.mode, size: 4).map { UInt32(truncatingIfNeeded: $0) },
            device: try number(Self.device, size: 8)
        )
        var metadata = try said.metadata(of: file)
        metadata.attributes =
            attributes.own.filter { !$0.name.starts(with: "system.posix_acl_".utf8) }
            + attributes.stripped(of: Self.prefix).filter { $0.name.starts(with: "system.posix_acl_".utf8) }
        return metadata
    }

    func knows(_ file: HostFile) throws(ImageError) -> Bool {
        try !HostAttributes(of: file).stripped(of: Self.prefix).isEmpty
    }
}
