internal import LinuxFiles

/// The files that tools keep beside a directory.
extension ForeignMetadata {
    /// The files that count. None counts beside a directory in a tree of ours: a board may have put them there.
    static func filesBeside(_ path: String) -> [ForeignMetadata] {
        let found = [Tool.pseudo, .fakeroot, .deviceTable].compactMap { tool in
            // Another user's file beside a directory is ignored: it must not make the directory unusable.
            file(of: tool, beside: path) { isBelieved($0, of: tool, beside: path) }
                .map { ForeignMetadata(tool: tool, evidence: $0) }
        }
        return found.isEmpty || hasTreeAbove(path) ? [] : found
    }

    /// Where a tool puts its file beside a directory, if there is one.
    public static func file(of tool: Tool, beside directory: String) -> String? {
        file(of: tool, beside: directory) { _ in true }
    }

    private static func file(
        of tool: Tool,
        beside directory: String,
        where isCandidate: (String) -> Bool
    ) -> String? {
        var path = directory
        while path.utf8.count > 1, path.hasSuffix("/") { path.removeLast() }
        let candidates: [String] =
            switch tool {
            case .pseudo: ["\(path).pseudo_state/files.db", "\(path)/../pseudo/files.db"]
            case .fakeroot: ["\(path).fakeroot"]
            case .deviceTable where isThere("\(path)/\(buildrootMarker)"):
                [
                    "\(path).devtable",
                    "\(path)/../build/buildroot-fs/full_devices_table.txt",
                    "\(path)/../build/buildroot-fs/device_table.txt", "\(path)/../build/_device_table.txt",
                ]
            case .deviceTable: ["\(path).devtable"]
            case .rsync, .virtfs, .virtfsFile, .rootlesscontainers: []
            }
        return candidates.first { candidate in
            guard isThere(candidate), isCandidate(candidate) else { return false }
            // Yocto's ../pseudo is about every directory of a recipe's, perhaps not about this one.
            guard tool == .pseudo, !candidate.hasSuffix(".pseudo_state/files.db") else { return true }
            return PseudoDatabase.mentions(path, file: candidate)
        }
    }

    /// Buildroot puts it into each `target/` and into no image.
    public static let buildrootMarker = "THIS_IS_NOT_YOUR_ROOT_FILESYSTEM"

    /// Whether a tool's file, and the links that lead to it, are the process's user's, the directory's owner's or root's.
    public static func isBelieved(_ file: String, of tool: Tool, beside directory: String) -> Bool {
        guard let root = try? System.open(directory, .path), let owner = try? System.status(of: root.raw).uid else {
            return true  // whoever reads it reports the error
        }
        var links = [file]
        if tool == .pseudo, let slash = file.lastIndex(of: "/") { links.append(String(file[..<slash])) }
        func status(_ path: String, _ flags: OpenMode) -> FileStatus? {
            guard let opened = try? System.open(path, flags) else { return nil }
            return try? System.status(of: opened.raw)
        }
        guard let target = status(file, .path) else { return true }
        let found = links.compactMap { status($0, [.path, .noFollow]) } + [target]
        let othersWrite: UInt32 = 0o002
        return found.allSatisfy { [0, System.effectiveUser, owner].contains($0.uid) }
            && (target.format != .regular || target.mode & othersWrite == 0)
    }

    private static func isThere(_ path: String) -> Bool { (try? System.open(path, .path)) != nil }

    private static func hasTreeAbove(_ directory: String) -> Bool {
        guard let root = try? System.open(directory, [.path, .directory]),
            let path = try? System.currentPath(of: root.raw), let text = String(validating: path, as: UTF8.self)
        else { return false }
        var names = text.split(separator: "/")
        while names.popLast() != nil, !names.isEmpty {
            if FakeRootTree.hasDatabase(directory: "/" + names.joined(separator: "/")) { return true }
        }
        return false
    }
}
