internal import LinuxFiles

/// Where a tree's database is, or would be.
///
/// Beside the tree's directory NAME as ".NAME.usb9pfs.db"; where the parent can't be written to, may be written to by
/// everybody, lies beneath a directory that is exported, or something is mounted on the tree, in $XDG_STATE_HOME/usb9pfs under
/// the handle of the tree's root. A file belongs to the tree whose root's handle it has, under any name, so a renamed tree
/// finds its database.
struct DatabaseLocation {
    let root: FileHandle
    /// The file beside the tree, if one may lie there.
    let sidecar: DatabaseFile?
    private let isParentWritable: Bool
    /// The directories that clients reach, the tree's own among them.
    private let exported: Set<DirectoryID>

    static let suffix = ".usb9pfs.db"
    /// The suffix of a database whose tree is gone and whose name another tree needed; only the last such database is kept.
    static let oldSuffix = suffix + ".old"

    init(_ directory: CInt, _ root: FileHandle, exported: Set<DirectoryID>) {
        self.root = root
        self.exported = exported
        sidecar = Self.sidecar(of: directory)
        isParentWritable = sidecar.map { System.isWritable(descriptor: $0.directory.descriptor.raw) } ?? false
    }

    private static func sidecar(of directory: CInt) -> DatabaseFile? {
        // A mount point's name is in another file system than the mounted directory.
        guard !System.isMountRoot(directory), let path = try? System.currentPath(of: directory),
            let slash = path.lastIndex(of: UInt8(ascii: "/"))
        else { return nil }
        let name = Array(path[(slash + 1)...])
        let sidecarName = [UInt8(ascii: ".")] + name + Array(suffix.utf8)
        // Room for "-journal".
        guard !name.isEmpty, sidecarName.count <= 240,
            let parent = try? System.open(at: directory, "..", [.path, .directory]),
            let status = try? System.status(of: directory),
            // The path is a hint only: the directory may have been removed, or renamed meanwhile.
            let found = try? DatabaseFile(directory: .of(parent), name: name), let other = try? found.status,
            other.isSameFile(as: status)
        else { return nil }
        return DatabaseFile(directory: found.directory, name: sidecarName)
    }

    /// Whether others than this user can put files there: clients, or any user of the host.
    func isExposed(_ directory: DatabaseDirectory) -> Bool {
        let othersWrite: UInt32 = 0o002
        let mode = (try? System.status(of: directory.descriptor.raw).mode) ?? othersWrite
        return mode & othersWrite != 0 || DirectoryID.isBeneath(directory.descriptor.raw, exported)
    }

    // MARK: The user's own directory for state

    /// What a database of this tree has for a name in the state directory.
    private var stateName: [UInt8]? {
        let name = Array("\(root.text)\(Self.suffix)".utf8)
        return name.count <= 240 ? name : nil
    }

    /// As earlier releases called it.
    private var oldStateName: [UInt8] { Array("\(root.text).db".utf8) }

    private func stateFile(_ name: [UInt8]?) -> DatabaseFile? {
        // A home directory that this process may not look into, as after su, holds nothing of its own.
        guard let name, let opened = (try? StateDirectory.open(exported: exported, makes: false)) ?? nil,
            let directory = try? DatabaseDirectory.of(opened)
        else { return nil }
        return DatabaseFile(directory: directory, name: name)
    }

    /// In the state directory, if there is such a directory.
    var stateFile: DatabaseFile? { stateFile(stateName) }

    var oldStateFile: DatabaseFile? { stateFile(oldStateName) }

    /// All names that this tree's database may have.
    var files: [DatabaseFile] { [sidecar, stateFile, oldStateFile].compactMap(\.self) }

    // MARK: Where a new one is made

    /// A place for a database, and whether clients can reach its directory: then its name alone protects it.
    struct Place {
        let file: DatabaseFile
        let isExposed: Bool
    }

    /// Where a new one is made, the best place first. An exposed place is better than none.
    /// - Throws: `.system` if there is no place.
    func placeForNew() throws(MetadataError) -> Place {
        var exposed: DatabaseFile?
        if isParentWritable, let sidecar {
            guard isExposed(sidecar.directory) else { return Place(file: sidecar, isExposed: false) }
            exposed = sidecar
        }
        var failure: MetadataError?
        if let path = StateDirectory.path {
            do throws(Errno) {
                _ = try StateDirectory.open(exported: exported, makes: true)
                if let file = stateFile {
                    guard isExposed(file.directory) else { return Place(file: file, isExposed: false) }
                    exposed = exposed ?? file
                }
            } catch {
                failure = MetadataError(
                    .system,
                    "can't make the directory \(ShellWord(path)): \(error.text)",
                    hint: error == .ELOOP
                        ? "A symbolic link on the way can be changed by clients. Set XDG_STATE_HOME." : "",
                    errno: error
                )
            }
        }
        if let exposed { return Place(file: exposed, isExposed: true) }
        if let failure { throw failure }
        throw MetadataError(
            .system,
            "there is no place for the tree's metadata database",
            hint: "Make the directory above it writable, or set XDG_STATE_HOME.",
            errno: .EROFS
        )
    }

    // MARK: Neighbours

    /// What a directory beside the tree is called; nil if there is none with this handle.
    func nameOfNeighbour(_ handle: FileHandle) -> [UInt8]? {
        names?.first { bytes in
            guard let parent = sidecar?.directory, let name = try? FileName(bytes.span.bytes) else { return false }
            let found = try? name.withCString { (name) throws(Errno) in
                try System.open(at: parent.descriptor.raw, name, [.path, .directory, .noFollow])
            }
            guard let found, let status = try? System.status(of: found.raw) else { return false }
            return (try? System.fileHandle(of: found.raw, status)) == handle
        }
    }

    private var names: [[UInt8]]? {
        guard let parent = sidecar?.directory,
            let directory = try? System.open(at: parent.descriptor.raw, ".", [.readOnly, .directory])
        else { return nil }
        return try? System.names(in: directory.raw)
    }

    /// All other databases beside the tree, those of trees that went away included.
    var neighbours: [DatabaseFile] {
        guard let sidecar, let names else { return [] }
        return names.filter { name in
            name.first == UInt8(ascii: ".") && name != sidecar.name
                && (name.hasSuffix(Self.suffix) || name.hasSuffix(Self.oldSuffix))
        }
        .sorted { $0.lexicographicallyPrecedes($1) }
        .map { DatabaseFile(directory: sidecar.directory, name: $0) }
    }
}

extension [UInt8] {
    fileprivate func hasSuffix(_ text: String) -> Bool {
        count >= text.utf8.count && suffix(text.utf8.count).elementsEqual(text.utf8)
    }
}
