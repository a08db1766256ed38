public import LinuxFiles

/// What the board sees of a file: the host's facts beneath a label, or root's file with the host's mode.
public struct BoardStatus: Sendable {
    /// The file on the host: size, times, link count, identity.
    public var host: FileStatus
    public var kind: NodeKind
    public var uid: UInt32
    public var gid: UInt32
    /// Permission, setuid, setgid and sticky bits.
    public var permissions: UInt32

    init(host: FileStatus, label: Label?) {
        self.host = host
        // A label can make an empty regular file a special one. It can't make a directory of a file or a file of a
        // directory, nor a device of a file with content; one that claims so was put on the wrong file, and only its
        // owner and mode are taken.
        let hostKind = NodeKind(host: host)
        if let kind = label?.kind, kind.isSpecial, hostKind == .file, host.size == 0 {
            self.kind = kind
        } else {
            kind = hostKind
        }
        uid = label?.uid ?? 0
        gid = label?.gid ?? 0
        permissions = label.map { Self.permissions(host, $0) } ?? host.mode & 0o7777
    }

    /// The label's mode, or the host's where a developer has changed that.
    ///
    /// setuid, setgid and the sticky bit stay: the host's file doesn't mirror them, so no chmod there takes them away.
    static func permissions(_ host: FileStatus, _ label: Label) -> UInt32 {
        guard isAdopted(host, label) else { return host.format == .symlink ? host.mode & 0o7777 : label.mode }
        return host.mode & 0o7777 | label.mode & 0o7000
    }

    /// Whether a developer's chmod counts, not the label's mode.
    static func isAdopted(_ host: FileStatus, _ label: Label) -> Bool {
        guard host.format != .symlink, label.mirror != .unrelated else { return false }
        let mode = host.mode & 0o7777
        if case .standing(mode) = label.mirror { return false }
        return mode != hostPermissions(label.mode, NodeKind(host: host))
    }

    /// With the S_IFMT bits, as `st_mode`.
    public var mode: UInt32 { kind.format.rawValue | permissions }

    /// The label that says just this.
    var label: Label { Label(uid: uid, gid: gid, mode: permissions, kind: kind) }

    /// The mode of the host's file: the board's, but never less than what keeps it usable for its owner.
    var hostPermissions: UInt32 { Self.hostPermissions(permissions, kind) }

    static func hostPermissions(_ permissions: UInt32, _ kind: NodeKind) -> UInt32 {
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
