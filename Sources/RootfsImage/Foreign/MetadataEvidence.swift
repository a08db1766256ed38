internal import FakeRoot
internal import ImageEntries
internal import LinuxFiles

/// What tells which tool has kept metadata for a directory.
struct MetadataEvidence {
    private(set) var kind = MetadataKind.plain
    /// The path of the metadata file, for the kinds that have one.
    private(set) var file: String?

    /// As many files are looked at as a root filesystem seldom has; what comes behind decides nothing.
    private static let maxFiles = 20_000

    /// - Parameter metadata: a metadata file that the user names; its content tells its kind.
    /// - Throws: `badDestination` if there is evidence of more than one tool.
    init(_ path: String, metadata: String? = nil) throws(ImageError) {
        if let metadata {
            kind = try Self.kind(ofFile: metadata)
            file = metadata
            return
        }
        // The import's own list counts more than all that lies in the tree or beside it.
        let tree = try Self.tree(path)
        if tree?.hasManifest == true {
            kind = .overrideStat
            return
        }
        var found = try Self.all(path, maxFiles: Self.maxFiles)
        if let database = tree?.databasePath, !found.contains(where: { $0.kind == .overrideStat }) {
            found.append((.overrideStat, database))
        }
        try Self.refuseStrangers(of: path, found)
        try Self.refuseNeighbour(of: path, found)
        // A label of ours in a directory that pseudo knows is a contradiction, and so on.
        guard found.count <= 1 else {
            throw ImageError(
                .badDestination,
                "\(ShellWord(path)) has metadata of more than one tool: "
                    + found.map { "\($0.kind.label) (\($0.evidence))" }.joined(separator: ", "),
                hint: "Say which counts: "
                    + found.map { "--from \($0.kind.rawValue)" }.joined(separator: " or ") + "."
            )
        }
        if let first = found.first {
            kind = first.kind
            if first.kind.needsMetadataFile { file = first.evidence }
        }
    }

    /// The directory as a tree of ours; nil if it can't be opened, which the later reading of all files reports.
    /// - Throws: `system` for a tree whose database is lost or damaged: as a plain directory it would be all root's.
    private static func tree(_ path: String) throws(ImageError) -> FakeRootTree? {
        do throws(ImageError) {
            return try ImageError.openTree("can't open \(ShellWord(path))") { (warn) throws(Errno) in
                try FakeRootTree(directory: path, mayRaiseModes: false, warn: warn)
            }
        } catch {
            guard error.cause == .EIO else { return nil }
            throw error
        }
    }

    private static func refuseStrangers(
        of path: String,
        _ found: [(kind: MetadataKind, evidence: String)]
    ) throws(ImageError) {
        for (kind, file) in found where kind.needsMetadataFile { try verify(file, kind, of: path) }
    }

    /// Refuses a metadata file that nobody has named, if another user of the host can have put it beside the directory.
    static func verify(_ file: String, _ kind: MetadataKind, of path: String) throws(ImageError) {
        guard let tool = kind.tool, kind.needsMetadataFile,
            !ForeignMetadata.isBelieved(file, of: tool, beside: path)
        else { return }
        throw ImageError(
            .badDestination,
            "another user of this machine can have put \(file) beside \(ShellWord(path)), or can write to it",
            hint: "If it counts: --from \(kind.rawValue) --metadata \(ShellWord(file))\n"
                + "If not, say what does: --from override-stat or --from dir."
        )
    }

    /// A board may have put anything beside a directory in a tree of ours.
    private static func refuseNeighbour(
        of path: String,
        _ found: [(kind: MetadataKind, evidence: String)]
    ) throws(ImageError) {
        guard let file = found.first(where: { $0.kind.needsMetadataFile }), let tree = TreeArgument.tree(above: path)
        else { return }
        throw ImageError(
            .badDestination,
            "\(file.evidence) lies in the tree \(ShellWord(tree)) as \(ShellWord(path)) does: a board may have put it there",
            hint: "If it counts: --from \(file.kind.rawValue) --metadata \(ShellWord(file.evidence))\n"
                + "If not, say what does: --from override-stat or --from dir."
        )
    }

    private static func all(
        _ path: String,
        maxFiles: Int
    ) throws(ImageError) -> [(kind: MetadataKind, evidence: String)] {
        try metadataFiles(path) + attributes(path, maxFiles)
    }

    private static func metadataFiles(_ path: String) -> [(kind: MetadataKind, evidence: String)] {
        [MetadataKind.pseudo, .fakeroot, .deviceTable].compactMap { kind in
            metadataFile(path, kind).map { (kind, $0) }
        }
    }

    private static func kind(ofFile path: String) throws(ImageError) -> MetadataKind {
        let held = try ImageError.attempt("can't open \(ShellWord(path))") { () throws(Errno) in
            try System.open(path, .path)
        }
        let format = try? System.status(of: held.raw).format
        guard format == .regular else { throw ImageError(.badArchive, "\(ShellWord(path)) is not a regular file") }
        let file = try ImageError.attempt("can't open \(ShellWord(path))") { () throws(Errno) in
            try openRegularFile(held.raw)
        }
        var head = [UInt8](repeating: 0, count: 16)
        let count = try ImageError.attempt("can't read \(ShellWord(path))") { () throws(Errno) in
            try head.withUnsafeMutableBufferPointer { (buffer) throws(Errno) in
                try System.read(file.raw, into: UnsafeMutableRawBufferPointer(buffer), at: 0)
            }
        }
        if head.starts(with: "SQLite format 3".utf8) { return .pseudo }
        return count == 0 || head.starts(with: "dev=".utf8) ? .fakeroot : .deviceTable
    }

    /// Where a tool puts its file beside a directory, if there is one.
    static func metadataFile(_ directory: String, _ kind: MetadataKind) -> String? {
        kind.tool.flatMap { ForeignMetadata.file(of: $0, beside: directory) }
    }

    /// The kinds of which a file in the directory has attributes, and the first such file.
    private static func attributes(
        _ path: String,
        _ maxFiles: Int
    ) throws(ImageError) -> [(kind: MetadataKind, evidence: String)] {
        let root = try ImageError.attempt("can't open \(ShellWord(path))") { () throws(Errno) in
            try System.open(path, [.readOnly, .directory])
        }
        let collector = AttributeCollector(try MetadataTrust(root: root.raw))
        let walk = ForeignWalk(root, collector)
        var count = 0
        while count < maxFiles, try walk.next() != nil { count += 1 }
        return collector.found
    }
}

/// Notes what metadata the files carry.
private final class AttributeCollector: MetadataReader {
    private(set) var found: [(kind: MetadataKind, evidence: String)] = []
    private let trust: MetadataTrust

    init(_ trust: MetadataTrust) {
        self.trust = trust
    }

    private static let names: [(kind: MetadataKind, prefix: String)] = [
        (.overrideStat, "user.containers.override_"), (.overrideStat, OverrideStatReader.olderName),
        (.rsync, RsyncReader.prefix), (.virtfs, VirtfsReader.prefix),
        (.rootlesscontainers, RootlessContainersReader.name),
    ]

    func metadata(of file: HostFile) throws(ImageError) -> FileMetadata? {
        if file.name.elementsEqual(VirtfsFileReader.directoryName.utf8)
            || file.name.elementsEqual(VirtfsFileReader.rootName.utf8)
        {
            note(.virtfsFile, file)
            return nil
        }
        // Links and special files can't carry attributes of any of these tools.
        if file.kind == .file || file.kind == .directory, let listed = try? System.listAttributes(of: file.descriptor) {
            for name in listed.split(separator: 0) {
                for (kind, prefix) in Self.names where name.starts(with: prefix.utf8) { note(kind, file) }
            }
        }
        return FileMetadata(of: file)
    }

    private func note(_ kind: MetadataKind, _ file: HostFile) {
        // Another user's file proves nothing about the directory.
        if trust.covers(file), !found.contains(where: { $0.kind == kind }) { found.append((kind, file.description)) }
    }
}
