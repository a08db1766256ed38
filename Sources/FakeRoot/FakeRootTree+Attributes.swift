public import LinuxFiles
internal import Synchronization

/// Extended attributes, as the board names them.
///
/// One is kept in an attribute of the host's file; or, where that can't be (symbolic links, a value or a name that is
/// too long for it, a file system without), in a row of the database. A row counts more than an attribute of the same
/// name, so that a value moves from one to the other in one step.
///
/// Of files that belong to other users of the host only `user.*` attributes are seen: anybody may have written the
/// others.
extension FakeRootTree {
    /// XATTR_SIZE_MAX, in bytes.
    public static let maxAttributeSize = 65_536
    /// XATTR_NAME_MAX, in bytes.
    public static let maxAttributeNameLength = AttributeName.maxLength

    /// Reads an attribute.
    /// - Throws: `ENODATA` if there is none, or the name is hidden; `EOPNOTSUPP` for a class that can't be kept.
    public func attribute(_ name: RawSpan, of descriptor: CInt) throws(Errno) -> [UInt8] {
        let host = try System.status(of: descriptor)
        do throws(Errno) {
            let name = try AttributeName(board: name)
            let value = try value(of: name, descriptor, host, isLocked: false)
            guard name.isAccessList, !name.isDefaultList else { return value }
            return try accessList(value, of: descriptor)
        } catch .EPERM {
            throw .ENODATA
        }
    }

    func value(
        of name: borrowing AttributeName,
        _ descriptor: CInt,
        _ host: FileStatus,
        isLocked: Bool
    ) throws(Errno) -> [UInt8] {
        guard try !isForbidden(name, descriptor, host, isLocked: isLocked) else { throw .ENODATA }
        let absence = name.absence
        let look = metadata.look
        if let absence, cache.knows(absence, of: host) { throw .ENODATA }
        do throws(Errno) {
            if let file = try rowKey(descriptor, host), let database = metadata.database {
                let value = try metadata.reporting { () throws(MetadataError) in
                    try name.withBytes { (name) throws(MetadataError) in try database.attribute(file, name) }
                }
                if let value { return value }
            }
            guard canHold(name, host) else { throw .ENODATA }
            return try raisingToFloor(descriptor, isLocked: isLocked) { () throws(Errno) in
                try name.withCString { (name) throws(Errno) in try Self.readAttribute(name, of: descriptor) }
            }
        } catch .ENODATA {
            if let absence, metadata.isUndisturbed(since: look) { cache.remember(absence, of: host) }
            throw .ENODATA
        } catch .EOPNOTSUPP {
            throw .ENODATA
        }
    }

    /// The handle under which the file may have attributes in the database; nil if it has none there.
    private func rowKey(_ descriptor: CInt, _ host: FileStatus) throws(Errno) -> FileHandle? {
        guard metadata.holds.contains(.attributes) else { return nil }
        let file = try handle(of: descriptor, host)
        return metadata.filters.contains(file.fingerprint, in: \.attributes) ? file : nil
    }

    /// Whether the host's file may have this attribute. A capability that everybody could write would make a root of
    /// anybody.
    private func canHold(_ name: borrowing AttributeName, _ host: FileStatus) -> Bool {
        storage == .extendedAttributes && Self.canCarryAttributes(host) && name.fitsHost
            && !(name.isCapability && BoardStatus.isAnybodys(host))
    }

    /// Whether the file can't have this attribute, whatever the host's file has: `user.*` of what is neither file nor
    /// directory for the board, as in Linux, and all others of a file whose label is not believed.
    private func isForbidden(
        _ name: borrowing AttributeName,
        _ descriptor: CInt,
        _ host: FileStatus,
        isLocked: Bool
    ) throws(Errno) -> Bool {
        guard name.isUser else { return !trust.covers(descriptor, host) }
        return try !allowsUserAttributes(descriptor, host, isLocked: isLocked)
    }

    private func allowsUserAttributes(
        _ descriptor: CInt,
        _ host: FileStatus,
        isLocked: Bool
    ) throws(Errno) -> Bool {
        guard host.format == .regular else { return host.format == .directory }
        guard host.size == 0 else { return true }
        return try !read(descriptor, isLocked: isLocked).status.kind.isSpecial
    }

    private static func readAttribute(
        _ name: UnsafePointer<CChar>,
        of descriptor: CInt
    ) throws(Errno) -> [UInt8] {
        let nothing = UnsafeMutableRawBufferPointer(start: nil, count: 0)
        while true {
            let size = try System.getAttribute(name, of: descriptor, into: nothing)
            if size == 0 { return [] }
            var value = [UInt8](repeating: 0, count: size)
            do throws(Errno) {
                let used = try value.withUnsafeMutableBufferPointer { (buffer) throws(Errno) in
                    try System.getAttribute(name, of: descriptor, into: UnsafeMutableRawBufferPointer(buffer))
                }
                value.removeLast(size - used)
                return value
            } catch .ERANGE {
                continue  // it grew between the two calls
            }
        }
    }

    /// The names of a file's attributes, each ended by a NUL.
    /// - Throws: what the database gives; else as `statx(2)` and `listxattr(2)`.
    public func attributeNames(of descriptor: CInt) throws(Errno) -> [UInt8] {
        let host = try System.status(of: descriptor)
        let allowsUser = try allowsUserAttributes(descriptor, host, isLocked: false)
        let allowsOthers = trust.covers(descriptor, host)
        func isVisible(_ name: [UInt8]) -> Bool {
            guard let name = try? AttributeName(board: name.span.bytes) else { return false }
            return name.isUser ? allowsUser : allowsOthers
        }
        var visible: [UInt8] = []
        var inRows: [[UInt8]] = []
        if let file = try rowKey(descriptor, host), let database = metadata.database {
            inRows = try metadata.reporting { () throws(MetadataError) in try database.attributeNames(file) }
            for name in inRows where isVisible(name) { visible += name + [0] }
        }
        guard storage == .extendedAttributes, Self.canCarryAttributes(host) else { return visible }
        let names: [UInt8]
        do throws(Errno) {
            names = try System.listAttributes(of: descriptor)
        } catch .EOPNOTSUPP {
            return visible
        }
        for name in names.split(separator: 0) {
            guard let part = AttributeName.boardName(ofHost: Array(name).span.bytes) else { continue }
            let boardName = Array(name.dropFirst(part.lowerBound))
            guard isVisible(boardName), !inRows.contains(boardName) else { continue }
            if try canHold(AttributeName(board: boardName.span.bytes), host) { visible += boardName + [0] }
        }
        return visible
    }

    /// Sets an attribute. An ACL sets the mode's bits too, and one that says no more than a mode is not kept; an empty
    /// one is removed.
    /// - Parameter flags: XATTR_CREATE 1, XATTR_REPLACE 2, or 0.
    /// - Throws: `EPERM` for a hidden name, for `user.*` on what is neither file nor directory, and for all else on a
    ///   file of another user of the host; `EOPNOTSUPP` for a class that can't be kept, `E2BIG` beyond 64 KiB, `EINVAL`
    ///   for a value that is not an ACL.
    public func setAttribute(
        _ name: RawSpan,
        of descriptor: CInt,
        to value: RawSpan,
        flags: CInt
    ) throws(Errno) {
        guard value.byteCount <= Self.maxAttributeSize else { throw .E2BIG }
        let attribute = try AttributeName(board: name)
        try changes.withLock(descriptor) { () throws(Errno) in
            if attribute.isAccessList {
                let list = value.withUnsafeBytes { Array($0) }
                try setAccessList(list, attribute, of: descriptor, flags: flags)
            } else {
                try setLocked(attribute, of: descriptor, to: value, flags: flags)
            }
            if attribute.isCapability { follow(descriptor) }
        }
    }

    /// Moves the change time, which a row doesn't do.
    private static func touch(_ descriptor: CInt, _ host: FileStatus) throws(Errno) {
        // For a file chown would do, but that clears a setuid bit of the host's.
        guard host.format != .symlink else { return try System.touchChangeTime(of: descriptor) }
        try System.changeMode(of: descriptor, to: host.mode & 0o7777)
    }

    private static let createOnly: CInt = 1
    private static let replaceOnly: CInt = 2

    /// Only under the file's lock.
    func setLocked(
        _ name: borrowing AttributeName,
        of descriptor: CInt,
        to value: RawSpan,
        flags: CInt
    ) throws(Errno) {
        let host = try System.status(of: descriptor)
        guard try !isForbidden(name, descriptor, host, isLocked: true) else { throw .EPERM }
        guard Self.canCarryAttributes(host) || host.format == .symlink else { throw .EOPNOTSUPP }
        defer { cache.forget(host) }
        let row = try rowKey(descriptor, host)
        if row == nil, canHold(name, host), try setOnHost(name, of: descriptor, to: value, flags: flags) { return }
        // The slow way: the value is in a row, or has to be.
        if flags & (Self.createOnly | Self.replaceOnly) != 0 {
            let isThere: Bool
            do throws(Errno) {
                _ = try self.value(of: name, descriptor, host, isLocked: true)
                isThere = true
            } catch .ENODATA {
                isThere = false
            }
            if isThere, flags & Self.createOnly != 0 { throw .EEXIST }
            if !isThere, flags & Self.replaceOnly != 0 { throw .ENODATA }
        }
        if canHold(name, host), try setOnHost(name, of: descriptor, to: value, flags: 0) {
            if let row, try removeAttributeRow(name, of: row) { try Self.touch(descriptor, host) }
            return
        }
        let file = try handle(of: descriptor, host)
        let database = try metadata.create()
        try metadata.reporting { () throws(MetadataError) in
            try name.withBytes { (name) throws(MetadataError) in
                try value.withUnsafeBytes { (value) throws(MetadataError) in
                    try database.setAttribute(file, name, value)
                }
            }
        }
        let fingerprint = file.fingerprint
        metadata.filters.insert { _ = $0.attributes.insert(fingerprint) }
        if canHold(name, host) {
            try? name.withCString { (name) throws(Errno) in try System.removeAttribute(name, of: descriptor) }
        }
        try Self.touch(descriptor, host)
    }

    /// - Returns: false if the host's file has no room for it.
    private func setOnHost(
        _ name: borrowing AttributeName,
        of descriptor: CInt,
        to value: RawSpan,
        flags: CInt
    ) throws(Errno) -> Bool {
        do throws(Errno) {
            try raisingToFloor(descriptor, isLocked: true) { () throws(Errno) in
                try name.withCString { (name) throws(Errno) in
                    try System.setAttribute(name, of: descriptor, to: value, flags: flags)
                }
            }
            return true
        } catch .ENOSPC, .EDQUOT, .E2BIG, .ERANGE, .EOPNOTSUPP {
            // ext4 says ENOSPC for a value that doesn't fit into its one block of attributes, as for a full disk; there
            // the database says so, too.
            return false
        }
    }

    /// Removes an attribute, on the host and in the database.
    /// - Throws: `ENODATA` if there is none; else as `setAttribute`.
    public func removeAttribute(_ name: RawSpan, of descriptor: CInt) throws(Errno) {
        let name = try AttributeName(board: name)
        try changes.withLock(descriptor) { () throws(Errno) in
            // Record the removal even if nothing was set: the import may have had one.
            defer { if name.isCapability { follow(descriptor) } }
            try removeLocked(name, of: descriptor)
        }
    }

    /// Only under the file's lock.
    /// - Throws: `ENODATA` if there is none.
    func removeLocked(_ name: borrowing AttributeName, of descriptor: CInt) throws(Errno) {
        let host = try System.status(of: descriptor)
        guard try !isForbidden(name, descriptor, host, isLocked: true) else { throw .EPERM }
        guard Self.canCarryAttributes(host) || host.format == .symlink else { throw .EOPNOTSUPP }
        defer { cache.forget(host) }
        var isRemoved = false
        if canHold(name, host) {
            do throws(Errno) {
                try raisingToFloor(descriptor, isLocked: true) { () throws(Errno) in
                    try name.withCString { (name) throws(Errno) in
                        try System.removeAttribute(name, of: descriptor)
                    }
                }
                isRemoved = true
            } catch .ENODATA, .EOPNOTSUPP {
                // in a row, or nowhere
            }
        }
        if let row = try rowKey(descriptor, host), try removeAttributeRow(name, of: row) {
            isRemoved = true
            try Self.touch(descriptor, host)
        }
        guard isRemoved else { throw .ENODATA }
    }

    private func removeAttributeRow(_ name: borrowing AttributeName, of file: FileHandle) throws(Errno) -> Bool {
        guard let database = metadata.database else { return false }
        let isRemoved = try metadata.reporting { () throws(MetadataError) in
            try name.withBytes { (name) throws(MetadataError) in try database.removeAttribute(file, name) }
        }
        if isRemoved { metadata.countRemoval() }
        return isRemoved
    }
}
