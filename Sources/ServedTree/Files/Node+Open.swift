internal import FakeRoot
public import LinuxFiles

extension Node {
    /// Opens the file.
    ///
    /// A server ignores the client's other flags: O_APPEND is the client's own business (it sends offsets), O_DIRECT and
    /// O_NOATIME are about its own cache.
    /// - Throws: `EROFS`; `EISDIR` and `ENOTDIR` for the wrong kind of file, `ELOOP` for a symbolic link, `ENXIO` for a special
    ///   file; `EMFILE`, `EACCES`, `ESTALE`.
    public func open(_ access: FileAccess, by caller: Caller) throws(Errno) -> Opened {
        if access.isChange { try expectChangeable() }
        let open = OpenNode(self)
        let held = try descriptor()
        try client.reserve()
        if isDirectory {
            guard !access.isChange else { throw .EISDIR }
            let descriptor = try held.use { (held) throws(Errno) in try tree.open(held, [.readOnly, .directory]) }
            return .directory(DirectoryStream(open, SharedDescriptor(descriptor, countedBy: client)))
        }
        guard !access.contains(.directory) else { throw .ENOTDIR }
        let descriptor = try held.use { (held) throws(Errno) in try openFile(held, access, caller) }
        return .file(OpenFile(open, SharedDescriptor(descriptor, countedBy: client), access))
    }

    private func openFile(
        _ held: CInt,
        _ access: FileAccess,
        _ caller: Caller
    ) throws(Errno) -> OwnedDescriptor {
        guard access.contains(.truncate) else { return try tree.open(held, access.mode) }
        guard !caller.keepsPrivileges else { return try tree.open(held, access.mode.union(.truncate)) }
        // A file that a user other than root truncates loses its privileges, once it could be opened.
        let descriptor = try tree.open(held, access.mode)
        try tree.dropPrivileges(of: descriptor.raw)
        try tree.truncate(descriptor.raw, to: 0)
        return descriptor
    }
}
