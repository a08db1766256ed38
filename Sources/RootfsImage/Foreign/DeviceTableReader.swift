internal import FakeRoot
internal import ImageEntries
internal import LinuxFiles

/// Buildroot's `target/` with a device table: all is root's with the host's modes, but what the table's lines say, each
/// over those before it.
final class DeviceTableReader: MetadataReader {
    private let table: DeviceTable
    private let name: String
    /// The lines about a path; indices into the table's lines, rising.
    private var exact: [[UInt8]: [Int]] = [:]
    private var recursive: [Int] = []
    /// What the table makes: the names in each directory.
    private var made: [[UInt8]: Set<[UInt8]>] = [:]
    private var used: Set<Int> = []

    static let marker = ForeignMetadata.buildrootMarker

    init(_ path: String, root: CInt) throws(ImageError) {
        name = path
        let tree = try ImageError.openTree("can't open the directory") { (warn) throws(Errno) in
            try FakeRootTree(owning: System.open(at: root, ".", [.path, .directory]), mayRaiseModes: false, warn: warn)
        }
        table = try DeviceTable(try readMetadataFile(path), name: path, names: AccountNames(of: tree))
        for (index, line) in table.lines.enumerated() {
            switch line.target {
            case .recursive: recursive.append(index)
            case .file: exact[line.path, default: []].append(index)
            case .directory, .node:
                exact[line.path, default: []].append(index)
                willMake(line.path)
            }
        }
    }

    private func willMake(_ path: [UInt8]) {
        var path = path[...]
        while !path.isEmpty {
            let slash = path.lastIndex(of: UInt8(ascii: "/"))
            let parent = slash.map { path[..<$0] } ?? []
            let isNew = made[Array(parent), default: []].insert(Array(path[(slash.map { $0 + 1 } ?? 0)...])).inserted
            guard isNew else { return }
            path = parent
        }
    }

    /// The lines that are about a path, in the table's order.
    private func indices(_ path: [UInt8]) -> [Int] {
        let above = recursive.filter { index in
            let directory = table.lines[index].path
            return directory.isEmpty || path == directory || path.starts(with: directory + [UInt8(ascii: "/")])
        }
        guard !above.isEmpty else { return exact[path] ?? [] }
        return (above + (exact[path] ?? [])).sorted()
    }

    func metadata(of file: HostFile) throws(ImageError) -> FileMetadata? {
        if file.path.elementsEqual(Self.marker.utf8) { return nil }
        var metadata = FileMetadata(of: file)
        metadata.owner = Owner(uid: 0, gid: 0)
        metadata.attributes = try HostAttributes(of: file).own
        for index in indices(file.path) {
            let line = table.lines[index]
            try check(line, file)
            if case .file = line.target, file.kind != .file { continue }
            apply(index, to: &metadata)
        }
        return metadata
    }

    func knows(_ file: HostFile) throws(ImageError) -> Bool { !indices(file.path).isEmpty }

    private func check(_ line: DeviceTable.Line, _ file: HostFile) throws(ImageError) {
        let isRight =
            switch line.target {
            case .file(let isOptional): isOptional || file.kind == .file
            case .directory: file.kind == .directory
            case .recursive: file.path != line.path || file.kind == .directory
            case .node(let kind): file.kind == kind || file.kind == .file && file.status.size == 0
            }
        guard isRight else {
            throw ImageError(
                .badArchive,
                "line \(line.number) of the device table \(name) does not fit: \(file.description) is of another type"
            )
        }
    }

    private func apply(_ index: Int, to metadata: inout FileMetadata) {
        used.insert(index)
        let line = table.lines[index]
        metadata.owner.uid = line.uid ?? metadata.owner.uid
        metadata.owner.gid = line.gid ?? metadata.owner.gid
        // As a recursive chmod does: symbolic links are left out.
        if let permissions = line.permissions, metadata.kind != .symlink { metadata.permissions = permissions }
        if case .node(let kind) = line.target { metadata.kind = kind }
        guard let text = line.capability, let capability = try? FileCapabilities(parsing: text) else { return }
        let attribute = ImageEntry.Attribute(name: Array("security.capability".utf8), value: capability.value)
        metadata.attributes.removeAll { $0.name == attribute.name }
        metadata.attributes.append(attribute)
    }

    func additions(to directory: [UInt8], existing: Set<[UInt8]>) throws(ImageError) -> [[UInt8]: FileMetadata] {
        var additions: [[UInt8]: FileMetadata] = [:]
        for name in made[directory] ?? [] where !existing.contains(name) {
            let path = directory.isEmpty ? name : directory + [UInt8(ascii: "/")] + name
            var metadata = FileMetadata(owner: Owner(uid: 0, gid: 0), permissions: 0o755, kind: .directory)
            for index in indices(path) {
                if case .file = table.lines[index].target { continue }
                apply(index, to: &metadata)
            }
            guard metadata.kind == .directory || made[path] == nil else {
                throw ImageError(
                    .badArchive,
                    "the device table \(self.name) puts files into the node \(printable(path))"
                )
            }
            additions[name] = metadata
        }
        return additions
    }

    func finish() throws(ImageError) -> [String] {
        for (index, line) in table.lines.enumerated() where !used.contains(index) {
            if case .file(isOptional: true) = line.target { continue }
            throw ImageError(
                .badArchive,
                "line \(line.number) of the device table \(name): there is no \(printable(line.path)) in the directory",
                hint: "Make it, or write F for a file that may be missing."
            )
        }
        return []
    }
}
