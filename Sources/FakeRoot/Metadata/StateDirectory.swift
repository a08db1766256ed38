internal import LinuxFiles

/// The user's own directory for state, `$XDG_STATE_HOME/usb9pfs` or `~/.local/state/usb9pfs`.
///
/// It may lie beneath an exported directory, where clients can put a symbolic link in the place of any name on the way. So
/// the path is walked name by name, and within an exported directory no link is followed.
enum StateDirectory {
    static var path: String? {
        if let state = System.environment("XDG_STATE_HOME"), state.hasPrefix("/") { return "\(state)/usb9pfs" }
        guard let home = System.environment("HOME"), home.hasPrefix("/") else { return nil }
        return "\(home)/.local/state/usb9pfs"
    }

    /// - Parameters:
    ///   - exported: the directories that clients reach.
    ///   - makes: whether what is missing is made, for the user alone.
    /// - Returns: an O_PATH descriptor; nil where no path can be said.
    /// - Throws: `ELOOP` for a link within an exported directory or too many of them, `ENOENT`, `EACCES`.
    static func open(exported: Set<DirectoryID>, makes: Bool) throws(Errno) -> OwnedDescriptor? {
        guard let path else { return nil }
        var walk = try Walk(exported)
        walk.add(Array(path.utf8))
        while try walk.step(makes: makes) {}
        return walk.directory
    }

    private struct Walk: ~Copyable {
        private(set) var directory: OwnedDescriptor
        private let exported: Set<DirectoryID>
        private var isExposed: Bool
        /// The names to go, the last one first.
        private var names: [[UInt8]] = []
        /// Linux follows as many.
        private var linksLeft = 40

        init(_ exported: Set<DirectoryID>) throws(Errno) {
            let top = try System.open("/", [.path, .directory])
            let id = try DirectoryID(of: top.raw)
            // Only now: what can't be copied must not be half made when an error is thrown.
            self.exported = exported
            isExposed = exported.contains(id)
            directory = top
        }

        mutating func add(_ path: [UInt8]) {
            names += path.split(separator: UInt8(ascii: "/")).map(Array.init).reversed()
        }

        /// - Returns: false at the end of the path.
        mutating func step(makes: Bool) throws(Errno) -> Bool {
            guard let bytes = names.popLast() else { return false }
            if FileName.isDot(bytes.span.bytes) { return true }
            guard !FileName.isDotDot(bytes.span.bytes) else {
                directory = try System.open(at: directory.raw, "..", [.path, .directory])
                isExposed = DirectoryID.isBeneath(directory.raw, exported)
                return true
            }
            let name = try FileName(bytes.span.bytes)
            let found = try Self.open(name, in: directory.raw, makes: makes)
            guard try System.status(of: found.raw).format == .symlink else {
                directory = found
                let id = try DirectoryID(of: directory.raw)
                isExposed = isExposed || exported.contains(id)
                return true
            }
            guard !isExposed, linksLeft > 0 else { throw .ELOOP }
            linksLeft -= 1
            let target = try System.linkTarget(of: found.raw)
            if target.first == UInt8(ascii: "/") {
                directory = try System.open("/", [.path, .directory])
                isExposed = try exported.contains(DirectoryID(of: directory.raw))
            }
            add(target)
            return true
        }

        private static func open(
            _ name: borrowing FileName,
            in directory: CInt,
            makes: Bool
        ) throws(Errno) -> OwnedDescriptor {
            try name.withCString { (name) throws(Errno) -> OwnedDescriptor in
                do throws(Errno) {
                    return try System.open(at: directory, name, [.path, .noFollow])
                } catch .ENOENT where makes {
                    do throws(Errno) {
                        try System.makeDirectory(at: directory, name, mode: 0o700)
                    } catch .EEXIST {
                        // Somebody else was faster.
                    }
                    return try System.open(at: directory, name, [.path, .noFollow])
                }
            }
        }
    }
}
