internal import CommandSupport
public import FakeRoot
internal import LinuxFiles

/// Changes what the board sees of files: owner, mode, capabilities; and makes nodes.
///
/// Changes every file that it is given. A file that can't be changed is named, and the failure comes at the end (`PathFailures`).
public struct TreeEditor {
    private let paths: TreePaths
    private let isRecursive: Bool
    private let keepsLinks: Bool

    /// An editor of files in the trees of these paths.
    /// - Parameters:
    ///   - isRecursive: for owner and mode: directories with all that is in them. Links are not followed then.
    ///   - keepsLinks: for owner and mode: whether a symbolic link itself is meant.
    public init(_ paths: TreePaths, isRecursive: Bool = false, keepsLinks: Bool = false) {
        self.paths = paths
        self.isRecursive = isRecursive
        self.keepsLinks = keepsLinks
    }

    // MARK: Owner and mode

    /// Changes the owners of files, as chown(1).
    /// As on Linux the setuid and setgid bits and the capabilities of a program go.
    /// - Throws: `CommandFailure` for the last file that can't be changed, with the worst code, after all others
    ///   were.
    public func changeOwner(of files: [String], to ownership: Ownership) throws {
        // The kernel of a board takes capabilities away for a chown of its own before it asks the server, and the bits too.
        try change(files, removesCapabilities: true) { file in
            let (uid, gid) = try ownership.numbers(file.names)
            let status = try file.status()
            let drops = status.kind == .file && status.permissions & 0o6000 != 0
            let privileges: UInt32 = status.permissions & 0o010 != 0 ? 0o6000 : 0o4000
            return OwnerAndMode(uid: uid, gid: gid, permissions: drops ? status.permissions & ~privileges : nil)
        }
    }

    /// Changes the modes of files, as chmod(1).
    /// - Throws: as `changeOwner`.
    public func changeMode(of files: [String], to mode: ModeChange) throws {
        try change(files, removesCapabilities: false) { file in
            let status = try file.status()
            if status.kind == .symlink { return nil }  // on Linux the mode of a symbolic link is always 0777
            let isDirectory = status.kind == .directory
            return OwnerAndMode(permissions: mode.apply(to: status.permissions, isDirectory: isDirectory))
        }
    }

    /// What a file gets; nil for one that stays as it is.
    private typealias Change = (borrowing TreeFile) throws -> OwnerAndMode?

    /// - Parameter removesCapabilities: whether a program loses its capabilities by the change.
    private func change(_ files: [String], removesCapabilities: Bool, _ change: Change) throws {
        let failures = PathFailures()
        for path in files {
            try failures.attempt {
                let file = try paths.open(path, following: !isRecursive && !keepsLinks)
                try apply(change, to: file, removesCapabilities, failures)
            }
        }
        try failures.finish()
    }

    private func apply(
        _ change: Change,
        to file: borrowing TreeFile,
        _ removesCapabilities: Bool,
        _ failures: PathFailures
    ) throws {
        do {
            try Self.apply(change, to: file, removesCapabilities)
        } catch let failure as CommandFailure {
            failures.note(failure)
        }
        guard try isRecursive && file.isDirectory else { return }
        try TreeFileWalk(failures).run(from: file) { directory in
            var inner: [[UInt8]] = []
            for name in directory.names {
                try failures.attempt {
                    let child = try directory.child(name)
                    if try child.isDirectory { inner.append(name) }
                    try Self.apply(change, to: child, removesCapabilities)
                }
            }
            return inner
        }
    }

    private static func apply(
        _ change: Change,
        to file: borrowing TreeFile,
        _ removesCapabilities: Bool
    ) throws {
        guard let new = try change(file) else { return }
        do throws(Errno) {
            try file.tree.change(file.descriptor.raw, new)
            guard removesCapabilities, try file.tree.status(of: file.descriptor.raw).kind == .file else { return }
            try set(nil, of: file)
        } catch {
            throw CommandFailure(path: file.path, "can't change", error)
        }
    }

    // MARK: Capabilities

    private static let attribute = Array("security.capability".utf8)

    /// Reads capabilities as setcap(8) takes them.
    /// - Throws: `CommandFailure` with the cause `badInput`, with an example.
    public static func capabilities(_ text: String) throws -> FileCapabilities {
        do throws(FileCapabilities.TextError) {
            return try FileCapabilities(parsing: text)
        } catch {
            throw CommandFailure(
                .badInput,
                "'\(text)' names no capabilities: \(error.reason)",
                advice: "Example: p9serve setcap cap_net_raw+ep rootfs/usr/bin/ping"
            )
        }
    }

    /// Changes the capabilities of programs, as setcap(8).
    /// - Parameter capabilities: nil to take them away.
    /// - Throws: as `changeOwner`; `badInput` for what is not a regular file.
    public func setCapabilities(of files: [String], to capabilities: FileCapabilities?) throws {
        let failures = PathFailures()
        for path in files {
            try failures.attempt {
                let file = try paths.open(path, following: true)
                guard try file.status().kind == .file else {
                    throw CommandFailure(
                        .badInput,
                        "\(printable(path)) is not a regular file, and only those have capabilities"
                    )
                }
                do throws(Errno) {
                    try Self.set(capabilities, of: file)
                } catch {
                    throw CommandFailure(path: path, "can't change the capabilities of", error)
                }
            }
        }
        try failures.finish()
    }

    private static func set(_ capabilities: FileCapabilities?, of file: borrowing TreeFile) throws(Errno) {
        let name = attribute.span.bytes
        if let capabilities {
            let value = capabilities.value
            return try file.tree.setAttribute(name, of: file.descriptor.raw, to: value.span.bytes, flags: 0)
        }
        do throws(Errno) {
            try file.tree.removeAttribute(name, of: file.descriptor.raw)
        } catch .ENODATA {
            // There were none to remove.
        }
    }

    // MARK: Nodes

    /// Makes a device node, FIFO or socket.
    /// - Parameters:
    ///   - path: its directory must exist.
    ///   - owner: root where it names none.
    /// - Throws: `CommandFailure`: for a directory or an owner that does not exist, a name that is taken, and an
    ///   impossible device number.
    public func makeNode(at path: String, _ kind: NodeKind, owner: Ownership, mode: ModeChange) throws {
        let new = try paths.openParent(of: path)
        let (uid, gid) = try owner.numbers(new.directory.names)
        do throws(Errno) {
            try new.directory.tree.createSpecial(
                FileName(new.name),
                in: new.directory.descriptor.raw,
                owner: Owner(uid: uid ?? 0, gid: gid ?? 0),
                permissions: mode.apply(to: 0, isDirectory: false),
                kind: kind
            )
        } catch {
            throw CommandFailure(path: path, "can't make", error)
        }
    }
}
