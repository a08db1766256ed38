internal import FakeRoot
package import ImageEntries
internal import LinuxFiles

/// Writes a tar archive in the pax format: numeric owners only, nothing of the host, the same bytes for the same files.
///
/// As GNU tar and libarchive read it: extended attributes as `SCHILY.xattr`, access control lists as `SCHILY.acl`,
/// sparse files as `GNU.sparse` 1.0. Names begin with "./", as in `tar -C DIR -c .`.
package final class TarSink: EntrySink {
    private let output: BufferedOutput
    /// Whether sparse files are written as such; if not, with all their zeros.
    private let keepsHoles: Bool
    private let attributeForm: PaxRecords.AttributeForm
    package private(set) var losses = ExportLosses()
    /// Sockets with several names: the others are not hard links to anything.
    private var skipped: Set<[UInt8]> = []

    /// Writes all that tar can hold, holes and attributes too.
    /// - Parameter output: gets the archive; finished with this.
    package convenience init(_ output: any ByteOutput) {
        self.init(output, attributes: .gnu)
    }

    init(_ output: any ByteOutput, keepsHoles: Bool = true, attributes: PaxRecords.AttributeForm) {
        self.output = BufferedOutput(output)
        attributeForm = attributes
        self.keepsHoles = keepsHoles
    }

    package func add(_ entry: ImageEntry, content: FileReader?) throws(ImageError) {
        switch entry.body {
        case .special(.socket):
            losses.note(\.sockets, entry)
            if entry.linkCount > 1 { skipped.insert(entry.path) }
        case .hardLink(let target) where skipped.contains(target):
            losses.note(\.sockets, entry)
        case .file:
            guard let content else { preconditionFailure("a file comes with its content") }
            try addFile(entry, content)
        case .directory, .symlink, .special, .hardLink:
            try output.write(header(entry).blocks())
        }
    }

    private func addFile(_ entry: ImageEntry, _ content: FileReader) throws(ImageError) {
        var header = header(entry)
        guard keepsHoles, let map = try SparseMap.read(content) else {
            header.size = content.size
            try output.write(header.blocks())
            try write(0..<content.size, of: content)
            return
        }
        let text = Self.text(map, size: content.size)
        header.records.add("GNU.sparse.major", Array("1".utf8))
        header.records.add("GNU.sparse.minor", Array("0".utf8))
        header.records.add("GNU.sparse.name", header.path)
        header.records.add("GNU.sparse.realsize", Array(String(content.size).utf8))
        // What a tar that doesn't know better makes of it.
        let slash = entry.path.lastIndex(of: UInt8(ascii: "/"))
        let directory = slash.map { entry.path[..<$0] + [UInt8(ascii: "/")] } ?? []
        let name = entry.path[(slash.map { $0 + 1 } ?? 0)...]
        header.path = "./".utf8 + directory + "GNUSparseFile.0/".utf8 + name
        header.size = UInt64(text.count) + map.dataSize
        try output.write(header.blocks())
        try output.write(text)
        for part in map.parts { try write(part, of: content, padded: false) }
        try output.pad(to: TarHeader.blockSize)
    }

    private func write(
        _ part: Range<UInt64>,
        of content: FileReader,
        padded: Bool = true
    ) throws(ImageError) {
        try content.forEachBlock(in: part) { (bytes, _) throws(ImageError) in try output.write(bytes) }
        if padded { try output.pad(to: TarHeader.blockSize) }
    }

    /// The map that stands before the data: numbers in lines, filled up to a whole block.
    private static func text(_ map: SparseMap, size: UInt64) -> [UInt8] {
        var parts = map.parts.map { ($0.lowerBound, UInt64($0.count)) }
        // GNU tar's mark for a hole at the end.
        if map.parts.last?.upperBound != size { parts.append((size, 0)) }
        var text = Array("\(parts.count)\n".utf8)
        for (offset, count) in parts { text += "\(offset)\n\(count)\n".utf8 }
        return text + [UInt8](repeating: 0, count: (512 - text.count % 512) % 512)
    }

    private func header(_ entry: ImageEntry) -> TarHeader {
        var path = Array("./".utf8) + entry.path
        if entry.body == .directory, !entry.path.isEmpty { path.append(UInt8(ascii: "/")) }
        var header = TarHeader(path: path, kind: Self.kind(entry.body), permissions: entry.permissions)
        header.uid = entry.owner.uid
        header.gid = entry.owner.gid
        if let time = entry.modificationTime { header.time = time }
        switch entry.body {
        case .symlink(let target): header.linkTarget = target
        case .hardLink(let target): header.linkTarget = "./".utf8 + target
        case .special(.block(let major, let minor)), .special(.character(let major, let minor)):
            header.deviceMajor = major
            header.deviceMinor = minor
        default: break
        }
        for attribute in entry.attributes { add(attribute, to: &header, entry) }
        return header
    }

    private static func kind(_ body: ImageEntry.Body) -> TarHeader.Kind {
        switch body {
        case .file: .file
        case .directory: .directory
        case .symlink: .symlink
        case .hardLink: .hardLink
        case .special(.block): .block
        case .special(.character): .character
        case .special: .pipe
        }
    }

    private func add(_ attribute: ImageEntry.Attribute, to header: inout TarHeader, _ entry: ImageEntry) {
        let isAccess = attribute.name == AccessControlList.accessName
        guard isAccess || attribute.name == AccessControlList.defaultName else {
            let isKept = header.records.add(attribute: attribute.name, attribute.value, attributeForm)
            if !isKept { losses.note(\.attributes, entry) }
            return
        }
        guard let list = AccessControlList(attribute: attribute.value) else {
            losses.note(\.accessControlLists, entry)
            return
        }
        header.records.add(isAccess ? "SCHILY.acl.access" : "SCHILY.acl.default", Array(list.text.utf8))
    }

    /// With the two empty blocks that end an archive.
    /// - Throws: what the output throws.
    package func finish() throws(ImageError) {
        try output.write(zeros: 2 * TarHeader.blockSize)
        try output.finish()
    }
}
