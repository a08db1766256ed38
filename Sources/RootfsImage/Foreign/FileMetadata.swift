internal import FakeRoot
internal import ImageEntries
internal import LinuxFiles

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
