internal import LinuxFiles

/// A POSIX ACL repeats a part of the mode, so both change together. All of this is for the file's lock only.
extension FakeRootTree {
    /// - Throws: `EPERM` for another user's file of the host, `EINVAL` for a malformed list, `EACCES` for a default list of
    ///   anything but a directory.
    func setAccessList(
        _ value: [UInt8],
        _ name: borrowing AttributeName,
        of descriptor: CInt,
        flags: CInt
    ) throws(Errno) {
        let (status, label) = try read(descriptor, isLocked: true)
        guard status.host.format != .symlink else { throw .EOPNOTSUPP }
        guard trust.covers(descriptor, status.host), !BoardStatus.hidesNode(status.host, label) else { throw .EPERM }
        // Linux takes a list without entries for none.
        guard !value.isEmpty, value != [2, 0, 0, 0] else { return try removeAccessList(name, of: descriptor) }
        guard let list = AccessControlList(attribute: value) else { throw .EINVAL }
        // As Linux reads it: in order.
        let value = list.attribute
        guard !name.isDefaultList else {
            guard status.kind == .directory else { throw .EACCES }
            return try setLocked(name, of: descriptor, to: value.span.bytes, flags: flags)
        }
        if list.isTrivial {
            try removeAccessList(name, of: descriptor)
        } else {
            try setLocked(name, of: descriptor, to: value.span.bytes, flags: flags)
        }
        let permissions = status.permissions & 0o7000 | list.modeBits
        if permissions != status.permissions {
            try changeLocked(descriptor, OwnerAndMode(permissions: permissions))
        }
    }

    /// A list with the bits of the file's mode: a developer's chmod counts here too.
    func accessList(_ value: [UInt8], of descriptor: CInt) throws(Errno) -> [UInt8] {
        guard var list = AccessControlList(attribute: value) else { return value }
        list.setModeBits(try status(of: descriptor).permissions)
        return list.attribute
    }

    private func removeAccessList(_ name: borrowing AttributeName, of descriptor: CInt) throws(Errno) {
        do throws(Errno) {
            try removeLocked(name, of: descriptor)
        } catch .ENODATA {
            // nothing to do
        }
    }

    /// Lets a file's list follow its new mode.
    func adjustAccessList(of descriptor: CInt, _ status: BoardStatus) throws(Errno) {
        let host = try System.status(of: descriptor)
        let name = AttributeName(.accessList)
        let value: [UInt8]
        do throws(Errno) {
            value = try self.value(of: name, descriptor, host, isLocked: true)
        } catch .ENODATA {
            return
        }
        guard var list = AccessControlList(attribute: value), list.modeBits != status.permissions & 0o777 else {
            return
        }
        list.setModeBits(status.permissions)
        try setLocked(name, of: descriptor, to: list.attribute.span.bytes, flags: 0)
    }
}
