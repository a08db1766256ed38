internal import LinuxFiles
internal import Synchronization

/// Reading and writing labels, wherever they are.
extension FakeRootTree {
    /// What the board sees of a file, and the label that says it.
    /// - Parameter isLocked: the caller holds `labelChanges`.
    func read(_ descriptor: CInt, isLocked: Bool) throws(Errno) -> (status: BoardStatus, label: Label?) {
        let sequence = changeSequence.load(ordering: .acquiring)
        let look = metadata.look
        let host = try System.status(of: descriptor)
        if let label = cache.label(of: host) { return (BoardStatus(host: host, label: label), label) }
        do throws(Errno) {
            let label = try storedLabel(descriptor, host)
            // The two readings may belong to different moments of a change.
            let isOneMoment = isLocked || sequence & 1 == 0 && changeSequence.load(ordering: .acquiring) == sequence
            if isOneMoment, label.map({ !BoardStatus.isAdopted(host, $0) }) ?? true {
                if metadata.isUndisturbed(since: look) { cache.remember(label, of: host) }
                return (BoardStatus(host: host, label: label), label)
            }
        } catch .EACCES {
            // Somebody else's file, or a tree that must not be touched: what its label says can't be known.
            guard host.uid == System.effectiveUser, mayRaiseModes else {
                return (BoardStatus(host: host, label: nil), nil)
            }
        }
        guard isLocked else {
            return try labelChanges.withLock { _ throws(Errno) in try read(descriptor, isLocked: true) }
        }
        return try readTwice(descriptor)
    }

    /// Reads mode and label until two readings agree: another process may be changing both.
    private func readTwice(_ descriptor: CInt) throws(Errno) -> (status: BoardStatus, label: Label?) {
        let look = metadata.look
        var last: (host: FileStatus, label: Label?)?
        for _ in 0..<100 {
            let host = try System.status(of: descriptor)
            let label: Label?
            do throws(Errno) {
                label = try storedLabel(descriptor, host)
            } catch .EACCES {
                return try readUnreadable(descriptor, host)
            }
            if let last, last.host.mode == host.mode, last.host.changeTime == host.changeTime, last.label == label,
                last.label?.mirror == label?.mirror
            {
                if metadata.isUndisturbed(since: look) { cache.remember(label, of: host) }
                return (BoardStatus(host: host, label: label), label)
            }
            last = (host, label)
        }
        throw .EBUSY
    }

    /// The label of a file, if it has one that can be read as such.
    /// - Throws: `EACCES` if the host's mode forbids to read it.
    func storedLabel(_ descriptor: CInt, _ host: FileStatus) throws(Errno) -> Label? {
        let content = metadata.holds
        let isSymlink = host.format == .symlink
        guard isSymlink || Self.canCarryAttributes(host) else { return nil }
        let isOrphan = host.linkCount == 0 && metadata.hasOrphans
        if content.contains(isSymlink ? .symlinks : .nodes) || isOrphan {
            let file = try handle(of: descriptor, host)
            if metadata.filters.contains(file.fingerprint, in: isSymlink ? \.symlinks : \.nodes),
                let database = metadata.database
            {
                let label = try metadata.reporting { () throws(MetadataError) in try database.label(file) }
                if let label { return label }
            }
            if isOrphan, let label = metadata.orphan(file) { return label }
        }
        guard !isSymlink, storage == .extendedAttributes else { return nil }
        return try Self.readLabel(of: descriptor)
    }

    private static func readLabel(of descriptor: CInt) throws(Errno) -> Label? {
        try withUnsafeStackBuffer(Label.maxSize) { (buffer) throws(Errno) -> Label? in
            do throws(Errno) {
                let size = try System.getAttribute(AttributeName.label.cString, of: descriptor, into: buffer)
                return Label(parsing: UnsafeRawBufferPointer(rebasing: buffer[..<size]))
            } catch .ENODATA, .EOPNOTSUPP, .ERANGE {
                return nil  // none; none possible on this file system; too long to be one
            }
        }
    }

    /// getxattr(2) wants a readable file, and the developer has said `chmod 000` or `chmod 200`. Raises the host's mode
    /// to the floor; a label keeps what the developer said.
    private func readUnreadable(
        _ descriptor: CInt,
        _ host: FileStatus
    ) throws(Errno) -> (status: BoardStatus, label: Label?) {
        guard host.uid == System.effectiveUser, mayRaiseModes else {
            return (BoardStatus(host: host, label: nil), nil)
        }
        beginChange()
        defer { endChange() }
        try System.changeMode(of: descriptor, to: BoardStatus.hostPermissions(host.mode, NodeKind(host: host)))
        var status = BoardStatus(host: host, label: try Self.readLabel(of: descriptor))
        try put(status.label, on: descriptor, host)
        status.host = try System.status(of: descriptor)
        return (status, status.label)
    }

    func beginChange() { changeSequence.wrappingAdd(1, ordering: .acquiringAndReleasing) }

    func endChange() { changeSequence.wrappingAdd(1, ordering: .acquiringAndReleasing) }

    /// Makes label and host mode say `status`. At every moment, and if the process is killed there, the board sees the
    /// old or the new state. Only under `labelChanges`.
    /// - Parameters:
    ///   - old: the label that there is.
    ///   - keepsLabel: a label is written even if the host's file alone would show the same.
    func store(
        _ status: BoardStatus,
        replacing old: Label?,
        on descriptor: CInt,
        keepsLabel: Bool = false
    ) throws(Errno) {
        let host = status.host
        beginChange()
        defer {
            cache.forget(host)
            endChange()
        }
        // Under a manifest a missing label means a lost one.
        let keeps = keepsLabel || status.needsLabel || old != nil && hasManifest
        guard host.format != .symlink else {
            if keeps {
                try put(status.label, on: descriptor, host)
            } else if old != nil {
                _ = try removeLabel(of: descriptor, host)
            }
            return try System.touchChangeTime(of: descriptor)
        }
        let target = status.hostPermissions
        guard keeps || old != nil else { return try System.changeMode(of: descriptor, to: target) }

        var standing = host.mode & 0o7777
        if standing != target {
            // The label first, with the host's mode that is about to change: so no crash shows one without the other.
            var passing = status.label
            passing.mirror = .standing(standing)
            do throws(Errno) {
                try put(passing, on: descriptor, host)
            } catch .EACCES {
                // setxattr(2) wants a writable file. Its owner may change that.
                standing = BoardStatus.hostPermissions(host.mode, NodeKind(host: host))
                try System.changeMode(of: descriptor, to: standing)
                passing.mirror = .standing(standing)
                try put(passing, on: descriptor, host)
            }
            try System.changeMode(of: descriptor, to: target)
        }
        let isInRow = try keeps ? put(status.label, on: descriptor, host) : removeLabel(of: descriptor, host)
        // The board expects the change time to move, and the cache relies on it: a row doesn't move it, and ext4
        // ignores a setxattr of an equal value.
        if isInRow || old == status.label { try System.changeMode(of: descriptor, to: target) }
    }

    /// Writes a label to where the file's is kept.
    /// - Returns: whether that is a row of the database, and the change time has not moved.
    @discardableResult
    func put(_ label: Label, on descriptor: CInt, _ host: FileStatus) throws(Errno) -> Bool {
        guard host.format != .symlink, storage == .extendedAttributes else {
            try putRow(label, of: handle(of: descriptor, host))
            return true
        }
        let text = Array(label.text.utf8)
        do throws(Errno) {
            try System.setAttribute(AttributeName.label.cString, of: descriptor, to: text.span.bytes)
        } catch .ENOSPC, .EDQUOT, .EOPNOTSUPP, .ERANGE, .E2BIG {
            // The room for attributes is used up, or there is none on this very file system. A row counts more than an
            // attribute, so the old label may go after it.
            try putRow(label, of: handle(of: descriptor, host))
            try? System.removeAttribute(AttributeName.label.cString, of: descriptor)
            return true
        }
        if metadata.holds.contains(.nodes) { try removeRow(of: handle(of: descriptor, host)) }
        return false
    }

    private func putRow(_ label: Label, of file: FileHandle) throws(Errno) {
        if metadata.orphan(file) != nil { return metadata.keepOrphan(file, label) }
        let database = try metadata.create()
        try metadata.reporting { () throws(MetadataError) in try database.setLabel(file, label) }
        let fingerprint = file.fingerprint
        metadata.filters.insert {
            _ = label.kind == .symlink ? $0.symlinks.insert(fingerprint) : $0.nodes.insert(fingerprint)
        }
    }

    /// - Returns: whether there was one.
    @discardableResult
    func removeRow(of file: FileHandle) throws(Errno) -> Bool {
        guard metadata.filters.containsLabel(file.fingerprint), let database = metadata.database else { return false }
        let isRemoved = try metadata.reporting { () throws(MetadataError) in try database.removeLabel(file) }
        if isRemoved { metadata.countRemoval() }
        return isRemoved
    }

    /// - Returns: as `put`.
    private func removeLabel(of descriptor: CInt, _ host: FileStatus) throws(Errno) -> Bool {
        if host.format != .symlink, storage == .extendedAttributes {
            do throws(Errno) {
                try System.removeAttribute(AttributeName.label.cString, of: descriptor)
            } catch .ENODATA, .EOPNOTSUPP {
                // in a row, then
            }
        }
        guard !metadata.holds.isDisjoint(with: [.nodes, .symlinks]) else { return false }
        return try removeRow(of: handle(of: descriptor, host))
    }

    /// Linux allows `user.*` attributes on regular files and directories only.
    static func canCarryAttributes(_ host: FileStatus) -> Bool {
        host.format == .regular || host.format == .directory
    }
}
