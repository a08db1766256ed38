internal import FakeRoot
internal import ImageEntries
internal import LinuxFiles

/// No metadata: the caller's own files become root's, others' files keep their numbers. If the caller is root all files keep
/// theirs: root could give each its owner.
final class PlainReader: MetadataReader {
    private let user = System.effectiveUser

    func metadata(of file: HostFile) throws(ImageError) -> FileMetadata? {
        var metadata = FileMetadata(of: file)
        if user != 0, file.status.uid == user { metadata.owner = Owner(uid: 0, gid: 0) }
        metadata.attributes = try HostAttributes(of: file).own
        return metadata
    }
}
