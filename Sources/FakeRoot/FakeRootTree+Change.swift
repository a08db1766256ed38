public import LinuxFiles
internal import Synchronization

/// New owner and mode of a file; nil keeps what there is.
public struct OwnerAndMode: Hashable, Sendable {
    /// The new owner.
    public var uid: UInt32?
    /// The new group.
    public var gid: UInt32?
    /// Permission, setuid, setgid and sticky bits.
    public var permissions: UInt32?

    /// A change of what is given.
    public init(uid: UInt32? = nil, gid: UInt32? = nil, permissions: UInt32? = nil) {
        self.uid = uid
        self.gid = gid
        self.permissions = permissions
    }

    /// Whether it changes nothing.
    public var isEmpty: Bool { uid == nil && gid == nil && permissions == nil }
}

extension FakeRootTree {
    /// Changes owner and mode of a file in one step. A POSIX ACL follows the mode, as in Linux.
    /// - Throws: `EINVAL` for the owner or group 4294967295, which chown(2) takes for "no change"; `EPERM` for a file of
    ///   another user of the host, whose label would not be believed, and for a file whose label says that it is a device and
    ///   is not believed; `EOPNOTSUPP` for the mode of a symbolic link, and for a device node of the host's own, which can't
    ///   carry the label that it would need.
    public func change(_ descriptor: CInt, _ change: OwnerAndMode) throws(Errno) {
        guard Owner(uid: change.uid ?? 0, gid: change.gid ?? 0).isPossible else { throw .EINVAL }
        try changes.withLock(descriptor) { () throws(Errno) in try changeLocked(descriptor, change) }
    }

    func changeLocked(_ descriptor: CInt, _ change: OwnerAndMode) throws(Errno) {
        metadata.refreshNow()
        let (old, label) = try read(descriptor, isLocked: true)
        guard trust.covers(descriptor, old.host) else { throw .EPERM }
        var status = old
        status.uid = change.uid ?? status.uid
        status.gid = change.gid ?? status.gid
        if let permissions = change.permissions { status.permissions = permissions & 0o7777 }
        let isSymlink = status.host.format == .symlink
        guard Self.canCarryAttributes(status.host) || isSymlink && change.permissions == nil else {
            let isUnchanged = status.uid == 0 && status.gid == 0 && change.permissions == nil
            guard isUnchanged else { throw .EOPNOTSUPP }
            return
        }
        // Beside a mode that lets everybody write, a capability counts only in a row.
        let isOpened = !BoardStatus.isAnybodys(old.host) && status.hostPermissions & 0o002 != 0
        let name = AttributeName(.capability)
        let capability = isOpened ? try? value(of: name, descriptor, old.host, isLocked: true) : nil
        try store(status, replacing: label, on: descriptor)
        if let capability { try setLocked(name, of: descriptor, to: capability.span.bytes, flags: 0) }
        if change.permissions != nil { try adjustAccessList(of: descriptor, status) }
        follow(descriptor)
    }

    /// Takes the setuid bit, the setgid bit of an executable and file capabilities away, as Linux does when another
    /// user than root writes to a file or changes its size. Does nothing unless it is a regular file.
    /// - Throws: as `status` and `change`.
    public func dropPrivileges(of descriptor: CInt) throws(Errno) {
        let status = try status(of: descriptor)
        guard status.kind == .file else { return }
        // Every write by a user other than root comes here: the usual file costs no lock.
        let hasCapability =
            (try? value(of: AttributeName(.capability), descriptor, status.host, isLocked: false)) != nil
        guard hasCapability || Self.unprivileged(status.permissions) != status.permissions else { return }
        try changes.withLock(descriptor) { () throws(Errno) in
            // Read again, to keep a chmod that somebody did since.
            let permissions = try read(descriptor, isLocked: true).status.permissions
            let unprivileged = Self.unprivileged(permissions)
            if unprivileged != permissions {
                try changeLocked(descriptor, OwnerAndMode(permissions: unprivileged))
            }
            guard hasCapability else { return }
            do throws(Errno) {
                try removeLocked(AttributeName(.capability), of: descriptor)
                follow(descriptor)
            } catch .ENODATA, .EOPNOTSUPP {
                // as for nearly every file
            }
        }
    }

    private static func unprivileged(_ permissions: UInt32) -> UInt32 {
        let setuid: UInt32 = 0o4000
        let setgidAndGroupExecute: UInt32 = 0o2010
        let isSetgidExecutable = permissions & setgidAndGroupExecute == setgidAndGroupExecute
        return permissions & ~(isSetgidExecutable ? setuid | 0o2000 : setuid)
    }

    /// Changes a file's size.
    /// - Throws: `EISDIR` for a directory, `EINVAL` for all else but regular files.
    public func truncate(_ descriptor: CInt, to size: Int64) throws(Errno) {
        switch try status(of: descriptor).kind {
        case .directory: throw .EISDIR
        case .file: break
        default: throw .EINVAL
        }
        try raisingToFloor(descriptor) { () throws(Errno) in try System.truncate(descriptor, to: size) }
    }
}
