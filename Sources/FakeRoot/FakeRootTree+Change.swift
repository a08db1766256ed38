public import LinuxFiles
internal import Synchronization

/// New owner and mode of a file; nil keeps what there is.
public struct OwnerAndMode: Hashable, Sendable {
    public var uid: UInt32?
    public var gid: UInt32?
    /// Permission, setuid, setgid and sticky bits.
    public var permissions: UInt32?

    public init(uid: UInt32? = nil, gid: UInt32? = nil, permissions: UInt32? = nil) {
        self.uid = uid
        self.gid = gid
        self.permissions = permissions
    }

    public var isEmpty: Bool { uid == nil && gid == nil && permissions == nil }
}

extension FakeRootTree {
    /// Changes owner and mode of a file in one step.
    /// - Throws: `EOPNOTSUPP` where the host's file can't carry a label and would need one: a symbolic link that is to
    ///   belong to another than root, a device node of the host's own.
    public func change(_ descriptor: CInt, _ change: OwnerAndMode) throws(Errno) {
        try labelChanges.withLock { _ throws(Errno) in
            let old = try status(of: descriptor)
            var status = old
            status.uid = change.uid ?? status.uid
            status.gid = change.gid ?? status.gid
            if let permissions = change.permissions { status.permissions = permissions & 0o7777 }
            guard Self.canCarryAttributes(status.host) else {
                let isUnchanged = status.uid == 0 && status.gid == 0 && change.permissions == nil
                guard isUnchanged else { throw .EOPNOTSUPP }
                return
            }
            try store(status, on: descriptor)
            if status.label == old.label {
                // The board expects the change time to move all the same; ext4 ignores a setxattr of an equal value.
                try System.changeMode(of: descriptor, to: status.hostPermissions)
            }
        }
    }

    /// Takes the setuid bit, the setgid bit of an executable and file capabilities away, as Linux does when another user
    /// than root writes to a file.
    public func dropPrivileges(of descriptor: CInt) throws(Errno) {
        let status = try status(of: descriptor)
        let setuid: UInt32 = 0o4000
        let setgidAndGroupExecute: UInt32 = 0o2010
        var permissions = status.permissions & ~setuid
        if permissions & setgidAndGroupExecute == setgidAndGroupExecute { permissions &= ~0o2000 }
        if permissions != status.permissions { try change(descriptor, OwnerAndMode(permissions: permissions)) }
        do throws(Errno) {
            try System.removeAttribute(AttributeName.capability.cString, of: descriptor)
        } catch .ENODATA, .EOPNOTSUPP {
            // as for nearly every file
        }
    }

    /// Makes label and host mode say `status`. At every moment the board sees the old or the new state.
    func store(_ status: BoardStatus, on descriptor: CInt) throws(Errno) {
        let needsLabel = BoardStatus.needsLabel(
            uid: status.uid,
            gid: status.gid,
            permissions: status.permissions,
            kind: status.kind
        )
        if needsLabel { try write(status.label, on: descriptor) }
        if status.host.mode & 0o7777 != status.hostPermissions {
            try System.changeMode(of: descriptor, to: status.hostPermissions)
        }
        if !needsLabel {
            do throws(Errno) {
                try System.removeAttribute(AttributeName.label.cString, of: descriptor)
            } catch .ENODATA, .EOPNOTSUPP {
                // There was none. The board still expects a chmod or chown to show in the change time.
                try System.changeMode(of: descriptor, to: status.hostPermissions)
            }
        }
    }

    /// - Parameter flags: as of `setxattr`.
    func write(_ label: Label, on descriptor: CInt, flags: CInt = 0) throws(Errno) {
        let text = Array(label.text.utf8)
        let value = text.span.bytes
        do throws(Errno) {
            try System.setAttribute(AttributeName.label.cString, of: descriptor, to: value, flags: flags)
        } catch .EACCES {
            // setxattr(2) wants a writable file, and we are here because this one isn't. Its owner may change that.
            let host = try System.status(of: descriptor)
            let kind = NodeKind(host.format) ?? .file
            try System.changeMode(of: descriptor, to: BoardStatus.hostPermissions(host.mode, kind))
            try System.setAttribute(AttributeName.label.cString, of: descriptor, to: value, flags: flags)
        }
    }

    /// Changes a file's size.
    /// - Throws: `EISDIR`, `EINVAL` for what is no regular file.
    public func truncate(_ descriptor: CInt, to size: Int64) throws(Errno) {
        switch try status(of: descriptor).kind {
        case .directory: throw .EISDIR
        case .file: break
        default: throw .EINVAL
        }
        try raisingToFloor(descriptor) { () throws(Errno) in try System.truncate(descriptor, to: size) }
    }
}
