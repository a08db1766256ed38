public import LinuxFiles
internal import Synchronization

/// Looking for labels and modes that are not as they should be, and mending them.
extension FakeRootTree {
    /// What is odd about a file; empty for nearly every file. Changes nothing, and uses no cache.
    /// - Parameter path: where the file was found, relative to the root; empty for the root.
    public func findings(of descriptor: CInt, at path: [UInt8]) throws(Errno) -> [LabelFinding] {
        let host = try System.status(of: descriptor)
        guard trust.covers(descriptor, host) else {
            return try hasMetadata(descriptor, host) ? [.notBelieved(.strangersFile(host.uid))] : []
        }
        var findings: [LabelFinding] = []
        let floor = BoardStatus.hostPermissions(0, NodeKind(host: host))
        if Self.canCarryAttributes(host), host.mode & floor != floor {
            findings.append(.belowFloor(host.mode & 0o7777))
        }
        do throws(Errno) {
            if let value = try malformedLabel(descriptor, host) { return findings + [.malformed(value)] }
            if let label = try storedLabel(descriptor, host) {
                if let kind = Self.misplacedKind(label, host) { findings.append(.misplaced(kind)) }
                if BoardStatus.isWithheld(host, label) { findings.append(.notBelieved(.writableByEverybody(label))) }
                if case .standing = label.mirror { findings.append(.unfinished) }
                findings += loss(descriptor, host, label, path)
            } else {
                findings += loss(descriptor, host, nil, path)
            }
        } catch .EACCES {
            findings.append(.unreadable)
        }
        return findings
    }

    /// Whether the file has metadata that would count if it were one of ours.
    private func hasMetadata(_ descriptor: CInt, _ host: FileStatus) throws(Errno) -> Bool {
        if try rowLabel(descriptor, host) != nil { return true }
        guard storage == .extendedAttributes, Self.canCarryAttributes(host) else { return false }
        let names = try System.listAttributes(of: descriptor)
        return names.split(separator: 0).contains { AttributeName.isOverride($0) }
    }

    /// The malformed value in the label's place.
    private func malformedLabel(_ descriptor: CInt, _ host: FileStatus) throws(Errno) -> [UInt8]? {
        if let label = try rowLabel(descriptor, host), !label.isPossible { return Array(label.text.utf8) }
        guard storage == .extendedAttributes, Self.canCarryAttributes(host) else { return nil }
        var value = [UInt8](repeating: 0, count: Label.maxSize)
        do throws(Errno) {
            let count = try value.withUnsafeMutableBufferPointer { (buffer) throws(Errno) in
                try System.getAttribute(
                    AttributeName.label.cString,
                    of: descriptor,
                    into: UnsafeMutableRawBufferPointer(buffer)
                )
            }
            value.removeLast(value.count - count)
        } catch .ERANGE {
            return value  // too long to be one
        } catch .ENODATA, .EOPNOTSUPP {
            return nil
        }
        return value.withUnsafeBytes { Label(parsing: $0) } == nil ? value : nil
    }

    private static func misplacedKind(_ label: Label, _ host: FileStatus) -> NodeKind? {
        guard let kind = label.kind else { return nil }
        let fits = kind.isSpecial ? host.format == .regular && host.size == 0 : kind.format == host.format
        // A device node of the host's own carries no label; one from a row was there before it.
        return fits || NodeKind(host: host) == kind ? nil : kind
    }

    /// What the file has lost of the import's. A database that can't be asked is a finding of its own.
    private func loss(
        _ descriptor: CInt,
        _ host: FileStatus,
        _ label: Label?,
        _ path: [UInt8]
    ) -> [LabelFinding] {
        guard hasManifest, let loss = try? labelLoss(of: descriptor, host, label, at: path) else { return [] }
        return [loss.isOfPrivileges ? .lostWithPrivileges(loss.entry) : .lost(loss.entry)]
    }

    /// Mends what it can: gives lost labels back, removes malformed ones, lifts modes to the floor, completes interrupted
    /// changes. What the board sees changes only where a label was lost or malformed.
    /// - Throws: `EROFS` for a tree that is only read, `EPERM` for `notBelieved`: nobody but the user knows who was
    ///   right.
    public func repair(_ descriptor: CInt, _ findings: [LabelFinding]) throws(Errno) {
        guard mayRaiseModes else { throw .EROFS }
        for finding in findings {
            switch finding {
            case .lost, .lostWithPrivileges: restore(descriptor)
            case .malformed:
                try changes.withLock(descriptor) { () throws(Errno) in
                    let host = try System.status(of: descriptor)
                    try raisingToFloor(descriptor, isLocked: true) { () throws(Errno) in
                        _ = try removeLabel(of: descriptor, host)
                    }
                }
                restore(descriptor)
            case .notBelieved: throw .EPERM
            case .misplaced, .unreadable, .unfinished, .belowFloor: try writeAnew(descriptor)
            }
        }
    }

    /// Writes a label that says what the board sees now.
    private func writeAnew(_ descriptor: CInt) throws(Errno) {
        try changes.withLock(descriptor) { () throws(Errno) in
            let (status, label) = try read(descriptor, isLocked: true)
            // What the board sees lacks what is withheld, such as setuid.
            if let label, BoardStatus.isWithheld(status.host, label) { throw .EPERM }
            try store(status, replacing: label, on: descriptor, keepsLabel: label != nil)
        }
    }

    /// Whether a process that has ended was making something under this name, so that nobody will miss it.
    ///
    /// A process of another PID namespace can't be looked up; so a file younger than a minute is left alone.
    public static func isAbandoned(_ name: borrowing FileName, _ host: FileStatus) -> Bool {
        guard isStagingName(name) else { return false }
        let isOld = System.fileClock / 1_000_000_000 - host.changeTime.seconds > 60
        let text = name.bytes.withUnsafeBytes { String(decoding: $0, as: UTF8.self) }
        let parts = text.split(separator: ".")
        guard parts.count >= 3, let process = CInt(parts[parts.count - 2]) else { return isOld }
        return isOld || !System.isAlive(process)
    }
}
