internal import FakeRoot
package import ImageEntries
internal import LinuxFiles

/// Writes a cpio archive in the "newc" format, which the kernel unpacks as an initramfs.
///
/// Inode numbers are those of the order in the archive. The first of a file's names has its content, as the kernel,
/// GNU cpio and libarchive all accept. The format has no extended attributes, no fractions of seconds, and 32 bits for
/// times and sizes.
///
/// Source: `Documentation/driver-api/early-userspace/buffer-format.rst` of the kernel.
package final class CpioSink: EntrySink {
    /// What the other names of a file repeat.
    private struct Node {
        var number: UInt32
        var mode: UInt32
        var device: (major: UInt32, minor: UInt32)
        var linkCount: UInt32
        /// A symbolic link's: the kernel makes a new one for each name.
        var target: [UInt8]
        var restOfNames: UInt32
    }

    private let output: BufferedOutput
    package private(set) var losses = ExportLosses()
    private var lastNumber: UInt32 = 0
    private var linked: [[UInt8]: Node] = [:]

    /// The name of the entry that ends an archive.
    private static let trailer = Array("TRAILER!!!".utf8)

    package init(_ output: any ByteOutput) {
        self.output = BufferedOutput(output)
    }

    package func add(_ entry: ImageEntry, content: FileReader?) throws(ImageError) {
        guard entry.path != Self.trailer else {
            throw .refused(printable(entry.path), "in a cpio archive this name is the archive's end")
        }
        let lists = entry.attributes.count {
            $0.name == AccessControlList.accessName || $0.name == AccessControlList.defaultName
        }
        losses.note(\.accessControlLists, entry, count: lists)
        losses.note(\.attributes, entry, count: entry.attributes.count - lists)
        if case .hardLink(let target) = entry.body {
            guard var node = linked[target] else { preconditionFailure("a file's first name comes first") }
            try writeHeader(entry, node, size: node.target.count)
            try write(node.target)
            node.restOfNames -= 1
            linked[target] = node.restOfNames > 0 ? node : nil
            return
        }
        let node = node(of: entry)
        if node.restOfNames > 0 { linked[entry.path] = node }
        guard let content else {
            try writeHeader(entry, node, size: node.target.count)
            return try write(node.target)
        }
        guard let size = Int(exactly: content.size), size <= UInt32.max else {
            throw .refused(printable(entry.path), "a file in a cpio archive has less than 4 GiB")
        }
        try writeHeader(entry, node, size: size)
        try content.forEachBlock(in: 0..<content.size) { (bytes, _) throws(ImageError) in try output.write(bytes) }
        try output.pad(to: 4)
    }

    private func node(of entry: ImageEntry) -> Node {
        lastNumber += 1
        var node = Node(
            number: lastNumber,
            mode: (entry.kind ?? .file).format.rawValue | entry.permissions,
            device: (0, 0),
            linkCount: entry.body == .directory ? 2 : entry.linkCount,
            target: [],
            restOfNames: entry.body == .directory ? 0 : entry.linkCount - 1
        )
        switch entry.body {
        case .symlink(let target): node.target = target
        case .special(.block(let major, let minor)), .special(.character(let major, let minor)):
            node.device = (major, minor)
        default: break
        }
        return node
    }

    private func writeHeader(_ entry: ImageEntry, _ node: Node, size: Int) throws(ImageError) {
        // The kernel makes the directories of a path in the order it meets them; "." is its own root.
        let name = (entry.path.isEmpty ? Array(".".utf8) : entry.path) + [0]
        let fields: [UInt32] = [
            node.number, node.mode, entry.owner.uid, entry.owner.gid, node.linkCount, time(entry),
            UInt32(clamping: size), 0, 0, node.device.major, node.device.minor, UInt32(name.count), 0,
        ]
        var header = Array("070701".utf8)
        for field in fields {
            let digits = String(field, radix: 16, uppercase: true)
            header += [UInt8](repeating: UInt8(ascii: "0"), count: 8 - digits.utf8.count) + digits.utf8
        }
        try output.write(header + name)
        try output.pad(to: 4)
    }

    private func write(_ target: [UInt8]) throws(ImageError) {
        try output.write(target)
        try output.pad(to: 4)
    }

    private func time(_ entry: ImageEntry) -> UInt32 {
        guard let time = entry.modificationTime else { return 0 }
        if UInt32(exactly: time.seconds) == nil { losses.note(\.times, entry) }
        return UInt32(clamping: time.seconds)
    }

    /// With the entry that ends an archive, filled up to a block of 512 bytes.
    /// - Throws: what the output throws.
    package func finish() throws(ImageError) {
        let end = ImageEntry(path: Self.trailer, body: .special(.pipe), permissions: 0)
        let node = Node(number: 0, mode: 0, device: (0, 0), linkCount: 1, target: [], restOfNames: 0)
        try writeHeader(end, node, size: 0)
        try output.pad(to: 512)
        try output.finish()
    }
}
