internal import FakeRoot
internal import ImageEntries
internal import LinuxFiles

/// Goes through a directory of the host: a directory before what is in it, names in the order of their bytes. Nothing is
/// found by a path, and symbolic links are never followed.
final class ForeignWalk {
    private final class Level {
        let path: [UInt8]
        /// O_RDONLY; nil for a directory that only the metadata know.
        let descriptor: OwnedDescriptor?
        var names: ArraySlice<[UInt8]>
        let additions: [[UInt8]: FileMetadata]

        init(
            _ path: [UInt8],
            _ descriptor: consuming OwnedDescriptor?,
            _ names: [[UInt8]],
            _ additions: [[UInt8]: FileMetadata]
        ) {
            self.path = path
            self.descriptor = descriptor
            self.names = names[...]
            self.additions = additions
        }

        var raw: CInt {
            switch descriptor {
            case .some(let descriptor): descriptor.raw
            case nil: -1
            }
        }
    }

    private struct Identity: Hashable {
        var device: UInt64
        var inode: UInt64
    }

    private let root: OwnedDescriptor
    private let reader: any MetadataReader
    private var levels: [Level] = []
    private var hasStarted = false
    /// How many files of databases were passed over, and the first one's path, printable.
    private var databases = (count: 0, first: "")
    /// Files with further names that have not come yet: the first name, and how many.
    private var firstNames: [Identity: (path: [UInt8], remaining: UInt32)] = [:]

    /// - Parameter root: open for reading.
    init(_ root: consuming OwnedDescriptor, _ reader: any MetadataReader) {
        self.root = root
        self.reader = reader
    }

    /// The next file; nil after the last.
    func next() throws(ImageError) -> ForeignFile? {
        guard hasStarted else {
            hasStarted = true
            return try visitRoot()
        }
        while let level = levels.last {
            guard let name = level.names.popFirst() else {
                levels.removeLast()
                continue
            }
            let path = level.path.isEmpty ? name : level.path + [UInt8(ascii: "/")] + name
            if let metadata = level.additions[name] { return try visitAddition(path, metadata) }
            if let file = try visit(path, name, in: level.raw) { return file }
        }
        return nil
    }

    private func visitRoot() throws(ImageError) -> ForeignFile {
        let status = try ImageError.attempt("can't look at the directory") { () throws(Errno) in
            try System.status(of: root.raw)
        }
        let host = HostFile(path: [], descriptor: root.raw, status: status, directory: root.raw)
        let found = try Self.reconcile(host, reader.metadata(of: host) ?? FileMetadata(of: host))
        let listed = try ImageError.attempt("can't open the directory") { () throws(Errno) in
            try Self.open(directory: root.raw)
        }
        let copy = try ImageError.attempt("can't open the directory") { () throws(Errno) in
            try System.open(at: root.raw, ".", [.path, .directory])
        }
        try enter([], listed)
        return ForeignFile(
            path: [],
            descriptor: copy,
            status: status,
            directory: -1,
            metadata: found.metadata,
            notice: found.notice
        )
    }

    private func visitAddition(_ path: [UInt8], _ metadata: FileMetadata) throws(ImageError) -> ForeignFile {
        if metadata.kind == .directory { try enter(path, nil) }
        return ForeignFile(path: path, descriptor: nil, status: nil, directory: -1, metadata: metadata)
    }

    /// - Returns: nil for what does not belong to the tree, or has vanished.
    private func visit(_ path: [UInt8], _ bytes: [UInt8], in directory: CInt) throws(ImageError) -> ForeignFile? {
        if let refusal = EntryPath.refusal(depth: levels.count - 1, length: path.count) {
            throw .refused(ImageError.displayed([], path, limit: 255), refusal.rawValue, hint: Self.tooDeepHint)
        }
        if let name = try? FileName(bytes.span.bytes), FakeRootTree.isReservedName(name) {
            if !FakeRootTree.isStagingName(name) { noteDatabase(path) }
            return nil
        }
        guard let descriptor = try Self.open(bytes, in: directory, path) else { return nil }
        let status = try ImageError.attempt("can't look at \(printable(path))") { () throws(Errno) in
            try System.status(of: descriptor.raw)
        }
        let host = HostFile(path: path, descriptor: descriptor.raw, status: status, directory: directory)
        guard let said = try reader.metadata(of: host) else { return nil }
        let found = try Self.reconcile(host, said)
        if status.format == .directory {
            let listed: OwnedDescriptor
            do throws(Errno) {
                listed = try Self.open(directory: descriptor.raw)
            } catch {
                throw Self.failure("can't open \(printable(path))", error)
            }
            try enter(path, listed)
        }
        return ForeignFile(
            path: path,
            descriptor: descriptor,
            status: status,
            directory: directory,
            metadata: found.metadata,
            target: found.target,
            firstName: firstName(of: status, path),
            notice: found.notice
        )
    }

    /// - Returns: nil for what is gone.
    private static func open(
        _ bytes: [UInt8],
        in directory: CInt,
        _ path: [UInt8]
    ) throws(ImageError) -> OwnedDescriptor? {
        do throws(Errno) {
            let name = try FileName(bytes.span.bytes)
            return try name.withCString { (name) throws(Errno) in
                try System.open(at: directory, name, [.path, .noFollow])
            }
        } catch .ENOENT {
            return nil
        } catch {
            throw failure("can't open \(printable(path))", error)
        }
    }

    private static func open(directory: CInt) throws(Errno) -> OwnedDescriptor {
        try System.open(at: directory, ".", [.readOnly, .directory])
    }

    private func enter(_ path: [UInt8], _ descriptor: consuming OwnedDescriptor?) throws(ImageError) {
        var names: [[UInt8]] = []
        switch descriptor {
        case .some(let descriptor):
            do throws(Errno) {
                names = try System.names(in: descriptor.raw)
            } catch {
                throw ImageError("can't list \(path.isEmpty ? "the directory" : printable(path))", error)
            }
        case nil: break
        }
        let additions = try reader.additions(to: path, existing: Set(names))
        names += additions.keys
        names.sort { $0.lexicographicallyPrecedes($1) }
        levels.append(Level(path, descriptor, names, additions))
    }

    private func firstName(of status: FileStatus, _ path: [UInt8]) -> [UInt8]? {
        guard status.format != .directory else { return nil }
        let identity = Identity(device: status.device, inode: status.inode)
        // A conversion may replace the first name by another file; then this may be its file's last name.
        guard let first = firstNames[identity] else {
            if status.linkCount > 1 { firstNames[identity] = (path, status.linkCount - 1) }
            return nil
        }
        firstNames[identity] = first.remaining > 1 ? (first.path, first.remaining - 1) : nil
        return first.path
    }

    private static let tooDeepHint = "No import would take it. Move it up, or remove it."

    /// A tree's database does not belong to the tree.
    private func noteDatabase(_ path: [UInt8]) {
        if databases.count == 0 { databases.first = printable(path) }
        databases.count += 1
    }

    /// What was left out, as a sentence; nil if nothing was.
    var notice: String? {
        guard databases.count > 0 else { return nil }
        let files = databases.count == 1 ? "1 file" : "\(databases.count) files"
        return "\(files) of a p9serve tree's database left out: \(databases.first)"
    }

    private static func failure(_ action: String, _ error: Errno) -> ImageError {
        var failure = ImageError(action, error)
        if error == .EACCES { failure.hint = "Give yourself permission first: chmod -R u+rwX on the directory." }
        return failure
    }

    // MARK: Metadata against the file

    /// Metadata that say something else than the file shows were put on another file, which is gone; of those only owner
    /// and mode are taken.
    static func reconcile(
        _ file: HostFile,
        _ metadata: FileMetadata
    ) throws(ImageError) -> (metadata: FileMetadata, target: [UInt8], notice: String?) {
        var result = metadata
        // Attributes in which tools keep metadata are not the file's own, even if another tool's metadata have them.
        result.attributes.removeAll { HostAttributes.isToolName($0.name) }
        let host = file.kind
        func contradiction() -> (FileMetadata, [UInt8], String?) {
            result.kind = host
            return (
                result, [],
                "its metadata call it \(words(metadata.kind)), but it is \(words(host)); only owner and mode were taken"
            )
        }
        switch (metadata.kind, host) {
        case (.symlink, .symlink):
            return (result, try readLink(file), nil)
        case (.symlink, .file):
            let target = file.status.size < 4096 ? try readContent(file) : []
            guard !target.isEmpty, !target.contains(0) else { return contradiction() }
            return (result, target, nil)
        case (.symlink, _), (.directory, _), (_, .directory), (_, .symlink):
            guard metadata.kind == host else {
                let contradicted = contradiction()
                return host == .symlink ? (contradicted.0, try readLink(file), contradicted.2) : contradicted
            }
            return (result, [], nil)
        case (.file, .file): return (result, [], nil)
        case (.file, _): return contradiction()
        case (_, .file):
            // An empty file stands for a device node, FIFO or socket.
            return file.status.size == 0 ? (result, [], nil) : contradiction()
        default:
            return (result, [], nil)
        }
    }

    private static func words(_ kind: NodeKind) -> String {
        switch kind {
        case .file: "a regular file"
        case .directory: "a directory"
        case .symlink: "a symbolic link"
        case .pipe: "a FIFO"
        case .socket: "a socket"
        case .block: "a block device"
        case .character: "a character device"
        }
    }

    private static func readLink(_ file: HostFile) throws(ImageError) -> [UInt8] {
        var target = [UInt8](repeating: 0, count: 4096)
        let count = try ImageError.attempt("can't read the symbolic link \(file.description)") { () throws(Errno) in
            try target.withUnsafeMutableBufferPointer { (buffer) throws(Errno) in
                try System.readLink(file.descriptor, into: UnsafeMutableRawBufferPointer(buffer))
            }
        }
        target.removeLast(target.count - count)
        return target
    }

    private static func readContent(_ file: HostFile) throws(ImageError) -> [UInt8] {
        let opened: OwnedDescriptor
        do throws(Errno) {
            opened = try openForReading(file.descriptor)
        } catch {
            throw failure("can't open \(file.description)", error)
        }
        return try readMetadata(opened.raw, file.description, limit: 4096)
    }

    /// Opens the regular file that an O_PATH descriptor holds.
    static func openForReading(_ descriptor: CInt) throws(Errno) -> OwnedDescriptor {
        try DescriptorPath(descriptor).withCString { (path) throws(Errno) in
            try System.open(at: System.atCurrentDirectory, path, [.readOnly, .nonBlocking, .noControllingTerminal])
        }
    }
}
