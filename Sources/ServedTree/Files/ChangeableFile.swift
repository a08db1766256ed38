public import FakeRoot
public import LinuxFiles

/// What a client changes of a file in one request; nil, or `keep`, for what stays.
public struct AttributeChange: Sendable {
    /// The new owner, group and mode.
    public var ownerAndMode: OwnerAndMode
    /// In bytes.
    public var size: Int64?
    /// The new time of the last reading.
    public var accessTime: TimeChange
    /// The new time of the last change.
    public var modificationTime: TimeChange

    /// A change of what is given.
    public init(
        _ ownerAndMode: OwnerAndMode = OwnerAndMode(),
        size: Int64? = nil,
        accessTime: TimeChange = .keep,
        modificationTime: TimeChange = .keep
    ) {
        self.ownerAndMode = ownerAndMode
        self.size = size
        self.accessTime = accessTime
        self.modificationTime = modificationTime
    }
}

/// A file of an export that may be changed, for the length of one request.
public struct ChangeableFile {
    let file: HeldFile

    /// Changes owner and mode, then the size, then the times. If another caller than root changes the size, setuid, setgid
    /// and capabilities go first, as in Linux.
    /// - Throws: as `FakeRootTree.change` and `truncate`.
    public func change(_ change: AttributeChange, by caller: Caller) throws(Errno) {
        try file.use { (tree, file) throws(Errno) in
            // Linux' client sends this in the mode of the same message, but computes it from the mode that it has cached.
            if change.size != nil, !caller.keepsPrivileges { try tree.dropPrivileges(of: file) }
            // Owner before mode, both in one step: a chown must not take the setuid bit that the same message gives.
            if !change.ownerAndMode.isEmpty { try tree.change(file, change.ownerAndMode) }
            if let size = change.size { try tree.truncate(file, to: size) }
            if change.setsTimes {
                try System.setTimes(of: file, access: change.accessTime, modification: change.modificationTime)
            }
        }
    }

    /// Sets an extended attribute.
    /// - Parameter flags: XATTR_CREATE 1, XATTR_REPLACE 2, or 0.
    /// - Throws: as `FakeRootTree.setAttribute`.
    public func setAttribute(_ name: RawSpan, to value: RawSpan, flags: CInt = 0) throws(Errno) {
        try file.use { (tree, file) throws(Errno) in
            try tree.setAttribute(name, of: file, to: value, flags: flags)
        }
    }

    /// Removes an extended attribute.
    /// - Throws: `ENODATA` if there is none.
    public func removeAttribute(_ name: RawSpan) throws(Errno) {
        try file.use { (tree, file) throws(Errno) in try tree.removeAttribute(name, of: file) }
    }

    /// Moves the file, wherever it is now, to a name in a directory.
    /// - Throws: `EXDEV` for another export's directory, `EBUSY` for what the client attached to; `ENOENT` for a file that was
    ///   removed; else as `rename(2)`.
    public func move(to newName: borrowing FileName, in target: ChangeableDirectory) throws(Errno) {
        let node = file.node
        guard node.export === target.node.export else { throw .EXDEV }
        guard !node.isAttachRoot else { throw .EBUSY }
        let place = try locate()
        try node.move(place.name, in: place.directory.raw, to: newName, in: target.directory)
    }

    /// Removes the file's name, wherever it is now.
    /// - Throws: `EBUSY` for what the client attached to; `ENOENT` for a file that was removed already; else as `unlink(2)`.
    public func remove() throws(Errno) {
        let node = file.node
        guard !node.isAttachRoot else { throw .EBUSY }
        let place = try locate()
        try node.tree.unlink(place.name, in: place.directory.raw, isDirectory: node.isDirectory)
    }

    private func locate() throws(Errno) -> Place {
        let attachPoint = file.node.attachPoint
        return try file.descriptor.use { (file) throws(Errno) -> Place in
            try attachPoint.root.use { (root) throws(Errno) in
                try attachPoint.export.tree.locate(file, beneath: root)
            }
        }
    }
}

extension AttributeChange {
    fileprivate var setsTimes: Bool {
        if case .keep = accessTime, case .keep = modificationTime { false } else { true }
    }
}
