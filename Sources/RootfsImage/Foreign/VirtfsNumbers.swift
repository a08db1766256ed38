internal import FakeRoot
internal import ImageEntries
internal import LinuxFiles

/// What QEMU keeps of a file; nil leaves it to the host's.
struct VirtfsNumbers {
    var uid: UInt32?
    var gid: UInt32?
    /// With the S_IFMT bits.
    var mode: UInt32?
    var device: UInt64?

    func metadata(of file: HostFile) throws(ImageError) -> FileMetadata {
        let owner = Owner(uid: uid ?? file.status.uid, gid: gid ?? file.status.gid)
        let metadata = FileMetadata(
            owner: owner,
            mode: mode ?? file.status.mode,
            rawDevice: device ?? file.status.rawDevice
        )
        guard let metadata else { throw ImageError(.badArchive, "the mode that \(file.description) has is damaged") }
        return metadata
    }
}
