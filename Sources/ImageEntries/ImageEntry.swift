public import FakeRoot
public import LinuxFiles

/// One file of a root filesystem on its way from or to an archive, an image or a directory.
///
/// Its content, if it has any, comes apart: from the `EntrySource` that gave it, or with it to an `EntrySink`.
public struct ImageEntry: Hashable, Sendable {
    /// As the source writes it, unchecked: relative to the root, perhaps with "/" or "./" at the beginning. Sinks get
    /// the names joined by "/", and nothing for the root itself.
    public var path: [UInt8]
    /// What kind of file it is, with what only this kind has.
    public var body: Body
    /// The owner and the group.
    public var owner: Owner
    /// Permission, setuid, setgid and sticky bits.
    public var permissions: UInt32
    /// Bytes in a regular file, holes included.
    public var size: UInt64
    /// How many names the file has in the tree, for sinks; 1 where a source doesn't know.
    public var linkCount: UInt32 = 1
    /// Nil if the source doesn't say.
    public var modificationTime: FileTime?
    /// With the names that the board uses; POSIX ACLs are among them in Linux' own binary form, as
    /// `system.posix_acl_access` and `system.posix_acl_default`.
    public var attributes: [Attribute]

    /// The kinds of files.
    public enum Body: Hashable, Sendable {
        case file
        case directory
        /// With its target, not empty.
        case symlink([UInt8])
        /// A device node, FIFO or socket.
        case special(NodeKind)
        /// Another name of the file at this path, which came before.
        case hardLink([UInt8])
    }

    /// An extended attribute.
    public struct Attribute: Hashable, Sendable {
        /// The name on the board.
        public var name: [UInt8]
        /// At most 64 KiB.
        public var value: [UInt8]

        /// An attribute.
        public init(name: [UInt8], value: [UInt8]) {
            self.name = name
            self.value = value
        }
    }

    /// An entry without attributes unless they are given.
    public init(
        path: [UInt8],
        body: Body,
        owner: Owner = Owner(uid: 0, gid: 0),
        permissions: UInt32,
        size: UInt64 = 0,
        modificationTime: FileTime? = nil,
        attributes: [Attribute] = []
    ) {
        self.path = path
        self.body = body
        self.owner = owner
        self.permissions = permissions & 0o7777
        self.size = size
        self.modificationTime = modificationTime
        self.attributes = attributes
    }

    /// Why Linux has no such file, to go after its name; nil if it has. One rule for all that is imported and exported.
    package var reasonToRefuse: String? {
        // chown(2) takes this number for "leave it".
        guard owner.uid != UInt32.max, owner.gid != UInt32.max else {
            return "its owner or group is not a number that Linux has"
        }
        switch kind {
        case .block(let major, let minor), .character(let major, let minor):
            return major < 1 << 12 && minor < 1 << 20 ? nil : "Linux has no such type of file or device number"
        default: return nil
        }
    }

    /// What the board takes the file for; nil for a hard link, which is what its target is.
    public var kind: NodeKind? {
        switch body {
        case .file: .file
        case .directory: .directory
        case .symlink: .symlink
        case .special(let kind): kind
        case .hardLink: nil
        }
    }
}
