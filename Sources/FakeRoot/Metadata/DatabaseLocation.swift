internal import LinuxFiles

/// Where a tree's database is, or would be.
///
/// Beside the tree's directory NAME as ".NAME.usb9pfs.db"; where the parent can't be written to or something is mounted
/// on the directory, in $XDG_STATE_HOME/usb9pfs under the handle of the tree's root. A file belongs to the tree whose
/// root's handle it has, whatever it is called: so a renamed tree finds its own.
struct DatabaseLocation {
    /// The tree's directory, absolute; empty if it has no name any more.
    let treePath: [UInt8]
    let root: FileHandle
    /// The parent, if a database may lie in it.
    let parent: String?
    /// Of the file beside the tree.
    let name: String
    private let isParentWritable: Bool

    static let suffix = ".usb9pfs.db"
    /// Of the last database that gave its name to that of another tree, while its own was not beside.
    static let oldSuffix = suffix + ".old"

    init(_ directory: CInt, _ root: FileHandle) {
        self.root = root
        treePath = (try? System.currentPath(of: directory)) ?? []
        let slash = treePath.lastIndex(of: UInt8(ascii: "/")) ?? 0
        let last = String(decoding: treePath.dropFirst(slash + 1), as: UTF8.self)
        let above = slash == 0 ? "/" : String(decoding: treePath[..<slash], as: UTF8.self)
        name = ".\(last)\(Self.suffix)"
        // Room for "-journal". What is no UTF-8 has no place in a URI.
        let isUsable =
            !last.isEmpty && name.utf8.count <= 240
            && String(decoding: treePath, as: UTF8.self).utf8.elementsEqual(treePath)
            && !System.isMountRoot(directory) && Self.isSame(directory, "\(above)/\(last)")
        parent = isUsable ? above : nil
        isParentWritable = isUsable && System.isWritable(above)
    }

    private static func isSame(_ directory: CInt, _ path: String) -> Bool {
        guard let found = try? System.open(path, [.path, .directory, .noFollow]),
            let status = try? System.status(of: found.raw), let expected = try? System.status(of: directory)
        else { return false }
        return status.isSameFile(as: expected)
    }

    /// The path of the file beside the tree.
    var sidecar: String? { parent.map { "\($0)/\(name)" } }

    /// The path in the user's own directory for state.
    var statePath: String? { Self.stateDirectory.map { "\($0)/\(root.text).db" } }

    static var stateDirectory: String? {
        if let state = System.environment("XDG_STATE_HOME"), state.hasPrefix("/") { return "\(state)/usb9pfs" }
        guard let home = System.environment("HOME"), home.hasPrefix("/") else { return nil }
        return "\(home)/.local/state/usb9pfs"
    }

    /// Where a new one is made.
    /// - Throws: `.system` if there is no place.
    func pathForNew() throws(MetadataError) -> String {
        if isParentWritable, let sidecar { return sidecar }
        guard let statePath, let directory = Self.stateDirectory else {
            throw MetadataError(
                .system,
                "there is no place for the metadata database of \(String(decoding: treePath, as: UTF8.self))",
                hint: "Make the directory above it writable, or set XDG_STATE_HOME.",
                errno: .EROFS
            )
        }
        do throws(Errno) {
            try Self.makeDirectories(directory)
        } catch {
            throw MetadataError(.system, "can't make the directory \(directory): \(error.text)", errno: error)
        }
        return statePath
    }

    private static func makeDirectories(_ path: String) throws(Errno) {
        var made = ""
        for part in path.split(separator: "/") {
            made += "/\(part)"
            let bytes = Array(made.utf8CString)
            do throws(Errno) {
                try bytes.span.withUnsafeBufferPointer { (bytes) throws(Errno) in
                    guard let base = bytes.baseAddress else { throw .EINVAL }
                    try System.makeDirectory(at: System.atCurrentDirectory, base, mode: 0o700)
                }
            } catch .EEXIST, .EISDIR {
                continue
            } catch .EACCES, .EROFS {
                continue  // it is there, or the next step says so
            }
        }
        _ = try System.open(path, [.path, .directory])
    }

    /// What a directory beside the tree is called; nil if there is none with this handle.
    func nameOfNeighbour(_ handle: FileHandle) -> String? {
        guard let parent, let directory = try? System.open(parent, [.readOnly, .directory]),
            let names = try? System.names(in: directory.raw)
        else { return nil }
        return names.first { bytes in
            guard let name = try? FileName(bytes.span.bytes) else { return false }
            let found = try? name.withCString { (name) throws(Errno) in
                try System.open(at: directory.raw, name, [.path, .directory, .noFollow])
            }
            guard let found, let status = try? System.status(of: found.raw) else { return false }
            return (try? System.fileHandle(of: found.raw, status)) == handle
        }.map { String(decoding: $0, as: UTF8.self) }
    }

    /// The names of all databases beside the tree, those of trees that went away included.
    var neighbours: [String] {
        guard let parent, let directory = try? System.open(parent, [.readOnly, .directory]),
            let names = try? System.names(in: directory.raw)
        else { return [] }
        return names.filter { $0.first == UInt8(ascii: ".") }.map { String(decoding: $0, as: UTF8.self) }
            .filter { $0.hasSuffix(Self.suffix) || $0.hasSuffix(Self.oldSuffix) }.sorted()
    }
}
