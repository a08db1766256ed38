public import LinuxFiles

/// What the board sees of a file: the host's facts beneath a label, or root's file with the host's mode.
public struct BoardStatus: Sendable {
    /// The file on the host: size, times, link count, identity.
    public var host: FileStatus
    /// What the board takes the file for.
    public var kind: NodeKind
    /// The owner.
    public var uid: UInt32
    /// The group.
    public var gid: UInt32
    /// Permission, setuid, setgid and sticky bits.
    public var permissions: UInt32

    init(host: FileStatus, label: Label?) {
        self.host = host
        kind = Self.kind(host, label)
        uid = label?.uid ?? 0
        gid = label?.gid ?? 0
        permissions = label.map { Self.permissions(host, $0) } ?? host.mode & 0o7777
    }

    /// A file of somebody whose labels are not believed: root's, without privileges, and no special node.
    init(ofStranger host: FileStatus) {
        self.host = host
        switch host.format {
        case .directory: kind = .directory
        case .symlink: kind = .symlink
        default: kind = .file
        }
        uid = 0
        gid = 0
        permissions = host.mode & (host.format == .directory ? 0o1777 : 0o777)
    }

    /// A label can turn an empty regular file into a special one. It can't turn a file into a directory, a directory into a
    /// file, or a file with content into a device: a label that says so was put on the wrong file, and only its owner and mode
    /// are taken.
    private static func kind(_ host: FileStatus, _ label: Label?) -> NodeKind {
        let hostKind = NodeKind(host: host)
        guard let kind = label?.kind, kind.isSpecial, hostKind == .file, host.size == 0 else { return hostKind }
        return isAnybodys(host, label) && !kind.isForEverybody ? hostKind : kind
    }

    /// The label's mode, or the host's where a developer has changed that.
    ///
    /// setuid, setgid and a file's sticky bit stay: the host's file doesn't mirror them, so no chmod there takes them
    /// away.
    static func permissions(_ host: FileStatus, _ label: Label) -> UInt32 {
        guard host.format != .symlink else { return host.mode & 0o7777 }
        let own = isAnybodys(host, label) ? label.mode & ~setIDs : label.mode
        guard isAdopted(host, label) else { return own }
        let isStickyMirrored = host.format == .directory && label.mirror == .mirrored
        return host.mode & 0o7777 | own & (isStickyMirrored ? setIDs : 0o7000)
    }

    /// Whether a developer's chmod counts, not the label's mode.
    static func isAdopted(_ host: FileStatus, _ label: Label) -> Bool {
        guard host.format != .symlink, label.mirror != .unrelated else { return false }
        let mode = host.mode & 0o7777
        if case .standing(mode) = label.mirror { return false }
        let kind = kind(host, label)
        guard mode != hostPermissions(label.mode, kind) else { return false }
        return kind == .directory && label.mirror == .mirrored || mode != olderHostPermissions(label.mode, kind)
    }

    /// Whether everybody on the host may write to this regular file, and so to its label.
    static func isAnybodys(_ host: FileStatus) -> Bool { host.format == .regular && host.mode & othersWrite != 0 }

    /// Whether a label's privileges don't count, as everybody could have written it and nothing confirms it.
    static func isWithheld(_ host: FileStatus, _ label: Label) -> Bool {
        guard isAnybodys(host, label) else { return false }
        let isSpecial = host.size == 0 && label.kind?.isSpecial == true
        return isPrivileged(label.mode, isSpecial ? label.kind ?? .file : .file)
    }

    /// Whether a withheld label is all that says that the file is a special node. A change of owner or mode would
    /// write a plain file's label in its place.
    static func hidesNode(_ host: FileStatus, _ label: Label?) -> Bool {
        guard let label, let kind = label.kind, kind.isSpecial, host.size == 0 else { return false }
        return isWithheld(host, label)
    }

    private static func isAnybodys(_ host: FileStatus, _ label: Label?) -> Bool {
        isAnybodys(host) && label?.isConfirmed != true
    }

    static let setIDs: UInt32 = 0o6000
    private static let othersWrite: UInt32 = 0o002

    /// Whether this says more than everybody who may write to a file should be able to say.
    var isPrivileged: Bool { Self.isPrivileged(permissions, kind) }

    private static func isPrivileged(_ permissions: UInt32, _ kind: NodeKind) -> Bool {
        switch kind {
        case .directory, .symlink: false
        case .file: permissions & setIDs != 0
        default: permissions & setIDs != 0 || !kind.isForEverybody
        }
    }

    /// With the S_IFMT bits, as `st_mode`.
    public var mode: UInt32 { kind.format.rawValue | permissions }

    /// The label that says just this.
    var label: Label { Label(uid: uid, gid: gid, mode: permissions, kind: kind) }

    /// As `label`, with what is withheld of the old one: that stays withheld, and is not lost.
    func label(keeping old: Label?) -> Label {
        var label = label
        guard let old, Self.isWithheld(host, old) else { return label }
        label.mode |= old.mode & Self.setIDs
        if Self.hidesNode(host, old) { label.kind = old.kind }
        return label
    }

    /// The mode of the host's file: the board's rwx bits, but never less than what keeps it usable for its owner.
    ///
    /// It has a directory's sticky bit, so that other users of the host can't rename or remove others' files. For a device, and
    /// for a file with a setuid or setgid bit, it lacks others' permission to write: who may write to a file may also write its
    /// label.
    var hostPermissions: UInt32 { Self.hostPermissions(permissions, kind) }

    static func hostPermissions(_ permissions: UInt32, _ kind: NodeKind) -> UInt32 {
        guard kind != .directory else { return permissions & 0o1777 | 0o700 }
        let mirrored = olderHostPermissions(permissions, kind)
        return isPrivileged(permissions, kind) ? mirrored & ~othersWrite : mirrored
    }

    /// As `hostPermissions`, as versions before this one had it.
    private static func olderHostPermissions(_ permissions: UInt32, _ kind: NodeKind) -> UInt32 {
        permissions & 0o777 | (kind == .directory ? 0o700 : 0o600)
    }

    /// Whether the host's file alone would not show this.
    var needsLabel: Bool { Self.needsLabel(uid: uid, gid: gid, permissions: permissions, kind: kind) }

    /// Whether a host file with `hostPermissions` and no label would not show the same.
    static func needsLabel(uid: UInt32, gid: UInt32, permissions: UInt32, kind: NodeKind) -> Bool {
        uid != 0 || gid != 0 || kind.isSpecial
            || kind != .symlink && permissions != hostPermissions(permissions, kind)
    }
}
