internal import FakeRoot
internal import ImageEntries
internal import LinuxFiles

/// No metadata: the caller's own files become root's, other people's keep their numbers; and so do all where the caller
/// is root, who could have made them as they shall be.
final class PlainReader: MetadataReader {
    private let user = System.effectiveUser

    func metadata(of file: HostFile) throws(ImageError) -> FileMetadata? {
        var metadata = FileMetadata(of: file)
        if user != 0, file.status.uid == user { metadata.owner = Owner(uid: 0, gid: 0) }
        metadata.attributes = try HostAttributes(of: file).own
        return metadata
    }
}
