internal import LinuxFiles
internal import Synchronization

/// Reading and writing labels, in attributes and in the database.
extension FakeRootTree {
    /// What the board sees of a file, and the label that says it.
    /// - Parameter isLocked: the caller holds the file's lock.
    func read(_ descriptor: CInt, isLocked: Bool) throws(Errno) -> (status: BoardStatus, label: Label?) {
        var moment = changes.moment
        let look = metadata.look
        var host = try System.status(of: descriptor)
        guard trust.coversOwner(of: host) else { return (BoardStatus(ofStranger: host), nil) }
        if let label = cache.label(of: host) { return (BoardStatus(host: host, label: label), label) }
        guard trust.covers(descriptor, host) else { return (BoardStatus(ofStranger: host), nil) }
        do throws(Errno) {
            // Some file is under change, perhaps for long. If it is another one, a second look costs no lock.
            let isBusy = !isLocked && !changes.isUndisturbed(since: moment)
            if isBusy {
                moment = changes.moment(for: host)
                host = try System.status(of: descriptor)
                guard trust.covers(descriptor, host) else { return (BoardStatus(ofStranger: host), nil) }
            }
            let label = try storedLabel(descriptor, host)
            // The two readings may belong to different moments of a change.
            let isOneMoment =
                isLocked
                || (isBusy ? changes.isUndisturbed(host, since: moment) : changes.isUndisturbed(since: moment))
            if isOneMoment, label.map({ !BoardStatus.isAdopted(host, $0) }) ?? true {
                if metadata.isUndisturbed(since: look) { cache.remember(label, of: host) }
                return (BoardStatus(host: host, label: label), label)
            }
        } catch .EACCES {
            // Somebody else's file, or a tree that must not be changed: its label can't be read.
            guard host.uid == System.effectiveUser, mayRaiseModes else {
                return (BoardStatus(host: host, label: nil), nil)
            }
        }
        guard isLocked else {
            return try changes.withLock(descriptor) { () throws(Errno) in try read(descriptor, isLocked: true) }
        }
        return try readTwice(descriptor)
    }

    /// Reads mode and label until two readings agree: another process may be changing both.
    private func readTwice(_ descriptor: CInt) throws(Errno) -> (status: BoardStatus, label: Label?) {
        let look = metadata.look
        var last: (host: FileStatus, label: Label?)?
        for _ in 0..<100 {
            let host = try System.status(of: descriptor)
            guard trust.covers(descriptor, host) else { return (BoardStatus(ofStranger: host), nil) }
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

    /// The label of a file, if it has one that can be read as such. Only for files that are trusted.
    /// - Throws: `EACCES` if the host's mode forbids to read it.
    func storedLabel(_ descriptor: CInt, _ host: FileStatus) throws(Errno) -> Label? {
        guard host.format == .symlink || Self.canCarryAttributes(host) else { return nil }
        if let label = try rowLabel(descriptor, host) { return Self.believed(label) }
        guard host.format != .symlink, storage == .extendedAttributes else { return nil }
        return try Self.readLabel(of: descriptor).map { confirmed($0, descriptor, host) }
    }

    /// Confirms a label that everybody could have written, if it says no more than the import's list.
    ///
    /// Earlier versions let everybody write to the host's file of a device with mode 0666, and a developer's chmod can
    /// do so. Usual files cost nothing here.
    private func confirmed(_ label: Label, _ descriptor: CInt, _ host: FileStatus) -> Label {
        guard BoardStatus.isWithheld(host, label), hasManifest, host.linkCount > 0,
            let path = try? manifestPath(of: descriptor), let entry = expectation(path),
            Self.says(entry, label), entry.fits(host)
        else { return label }
        // A program that everybody may write to is the import's only as long as its content is.
        if entry.status.kind == .file,
            (try? hasContent(of: entry, descriptor, host, raisesMode: false)) != true
        {
            return label
        }
        var label = label
        label.isConfirmed = true
        return label
    }

    /// Whether an entry has a label's owner and kind, and all of its setuid and setgid bits.
    private static func says(_ entry: ManifestEntry, _ label: Label) -> Bool {
        let expected = entry.status
        return expected.uid == label.uid && expected.gid == label.gid && expected.kind == label.kind ?? .file
            && label.mode & BoardStatus.setIDs & ~expected.mode == 0
    }

    /// The label that the database has for a file, unchecked.
    func rowLabel(_ descriptor: CInt, _ host: FileStatus) throws(Errno) -> Label? {
        let content = metadata.holds
        let isSymlink = host.format == .symlink
        let isOrphan = host.linkCount == 0 && metadata.hasOrphans
        guard content.contains(isSymlink ? .symlinks : .nodes) || isOrphan else { return nil }
        let file = try handle(of: descriptor, host)
        if metadata.filters.contains(file.fingerprint, in: isSymlink ? \.symlinks : \.nodes),
            let database = metadata.database
        {
            let label = try metadata.reporting { () throws(MetadataError) in try database.label(file) }
            if let label { return label }
        }
        return isOrphan ? metadata.orphan(file) : nil
    }

    /// The label of a row, if it is valid. Rows don't tell whether the host's mode mirrors the sticky bit.
    private static func believed(_ label: Label) -> Label? {
        guard label.isPossible else { return nil }
        var label = label
        label.isConfirmed = true
        if label.mirror == .mirrored { label.mirror = .older }
        return label
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

    /// getxattr(2) needs a readable file, and the developer has said `chmod 000` or `chmod 200`. Raises the host's mode to the
    /// floor; a label keeps what the developer said.
    private func readUnreadable(
        _ descriptor: CInt,
        _ host: FileStatus
    ) throws(Errno) -> (status: BoardStatus, label: Label?) {
        guard host.uid == System.effectiveUser, mayRaiseModes else {
            return (BoardStatus(host: host, label: nil), nil)
        }
        changes.begin(host)
        defer { changes.end(host) }
        let raised = BoardStatus.hostPermissions(host.mode, NodeKind(host: host))
        try System.changeMode(of: descriptor, to: raised)
        let old = try Self.readLabel(of: descriptor).map { confirmed($0, descriptor, host) }
        var status = BoardStatus(host: host, label: old)
        var label = status.label(keeping: old)
        try put(label, on: descriptor, host)
        if raised != status.hostPermissions { try System.changeMode(of: descriptor, to: status.hostPermissions) }
        status.host = try System.status(of: descriptor)
        label.isConfirmed = old?.isConfirmed ?? false
        return (status, label)
    }

    /// Makes label and host mode say `status`. At every moment, and if the process is killed there, the board sees the
    /// old or the new state. Only under the file's lock.
    /// - Parameters:
    ///   - old: the label that there is.
    ///   - keepsLabel: a label is written even if the host's file alone would show the same.
    /// - Throws: `EPERM` for a file whose label would not be believed, and for one whose label says that it is a special
    ///   node and is not believed: only the user knows whether it is right.
    func store(
        _ status: BoardStatus,
        replacing old: Label?,
        on descriptor: CInt,
        keepsLabel: Bool = false
    ) throws(Errno) {
        let host = status.host
        guard trust.covers(descriptor, host), !BoardStatus.hidesNode(host, old) else { throw .EPERM }
        changes.begin(host)
        defer {
            cache.forget(host)
            changes.end(host)
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
        defer {
            // Others could write to the file until now. What they have planted must not count from now on.
            if BoardStatus.isAnybodys(host), target & 0o002 == 0 { removePlanted(from: descriptor, keepsLabel: keeps) }
        }
        guard keeps || old != nil else { return try System.changeMode(of: descriptor, to: target) }

        var standing = host.mode & 0o7777
        if standing != target {
            if BoardStatus.isAnybodys(host), status.isPrivileged {
                // Privileges count only if nobody else may write on the host. So that permission goes first, in the old state.
                let othersWrite: UInt32 = 0o002
                let before = BoardStatus(host: host, label: old).label
                try putPassing(before, beside: &standing, withdrawing: othersWrite, on: descriptor, host)
                standing &= ~othersWrite
                try System.changeMode(of: descriptor, to: standing)
            }
            // The label first, with the host's mode that is about to change: so no crash shows one without the other.
            try putPassing(status.label, beside: &standing, on: descriptor, host)
            try System.changeMode(of: descriptor, to: target)
        }
        let isInRow = try keeps ? put(status.label, on: descriptor, host) : removeLabel(of: descriptor, host)
        // The board expects the change time to move, and the cache relies on it: a row doesn't move it, and ext4
        // ignores a setxattr of an equal value.
        if isInRow || old == status.label { try System.changeMode(of: descriptor, to: target) }
    }

    /// Writes a label while the host's mode is another one.
    /// - Parameters:
    ///   - standing: the host's mode; raised to the floor where the label can't be written otherwise.
    ///   - bits: what the host's mode loses next.
    private func putPassing(
        _ label: Label,
        beside standing: inout UInt32,
        withdrawing bits: UInt32 = 0,
        on descriptor: CInt,
        _ host: FileStatus
    ) throws(Errno) {
        var passing = label
        passing.mirror = .standing(standing & ~bits)
        do throws(Errno) {
            try put(passing, on: descriptor, host)
        } catch .EACCES {
            // setxattr(2) needs a writable file. The owner may change the mode.
            standing = BoardStatus.hostPermissions(host.mode, NodeKind(host: host))
            try System.changeMode(of: descriptor, to: standing)
            passing.mirror = .standing(standing & ~bits)
            try put(passing, on: descriptor, host)
        }
    }

    private func removePlanted(from descriptor: CInt, keepsLabel: Bool) {
        try? AttributeName(.capability).withCString { (name) throws(Errno) in
            try System.removeAttribute(name, of: descriptor)
        }
        guard !keepsLabel, storage == .extendedAttributes else { return }
        try? System.removeAttribute(AttributeName.label.cString, of: descriptor)
    }

    /// Writes a label to the place where the file's label is kept.
    /// - Throws: `EPERM` for a file whose label would not be believed.
    /// - Returns: whether that is a row of the database, and the change time has not moved.
    @discardableResult
    func put(_ label: Label, on descriptor: CInt, _ host: FileStatus) throws(Errno) -> Bool {
        guard trust.covers(descriptor, host) else { throw .EPERM }
        guard host.format != .symlink, storage == .extendedAttributes else {
            try putRow(label, of: handle(of: descriptor, host))
            return true
        }
        let text = Array(label.storedText.utf8)
        do throws(Errno) {
            try System.setAttribute(AttributeName.label.cString, of: descriptor, to: text.span.bytes)
        } catch .ENOSPC, .EDQUOT, .EOPNOTSUPP, .ERANGE, .E2BIG {
            // The room for attributes is used up, or this file system has none. A row counts more than an
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
    func removeLabel(of descriptor: CInt, _ host: FileStatus) throws(Errno) -> Bool {
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
