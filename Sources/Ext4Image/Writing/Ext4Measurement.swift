internal import FakeRoot
package import ImageEntries
internal import LinuxFiles

/// What an ext4 image of a tree needs: a first walk over the tree goes here, and a second one to `Ext4Sink`.
///
/// Two walks, since an ext4 file system wants to know its size, and with it how many inodes it has, before it gets the
/// first file. It depends only on the files, so that the image has the same size on whatever file system the tree is.
package final class Ext4Measurement: EntrySink {
    /// Files, directories and all others, the root included; a file with several names counts once.
    private(set) var inodes: UInt64 = 0
    /// In blocks of 4096 bytes: content, directories, long symlinks, extended attributes.
    private(set) var blocks: UInt64 = 0
    /// By the path of a file's first name: how many more names it has.
    private(set) var moreNames: [[UInt8]: UInt32] = [:]
    /// Whether some extended attributes are larger than what ext4 has room for without inodes of their own.
    private(set) var needsAttributeInodes = false
    /// Names, owners, modes, sizes, times and attributes that the walk found make it; content does not count.
    private(set) var fingerprint = Fingerprint()
    /// Bytes of directory entries.
    private var entryBytes: UInt64 = 0

    private static let blockSize = UInt64(Ext4Layout.blockSize)

    package init() {}

    package func add(_ entry: ImageEntry, content: FileReader?) throws(ImageError) {
        fingerprint.add(entry)
        let name = entry.path.split(separator: UInt8(ascii: "/")).last?.count ?? 0
        entryBytes += UInt64(8 + (name + 3) & ~3)
        if case .hardLink(let first) = entry.body {
            moreNames[first, default: 0] += 1
            return
        }
        inodes += 1
        switch entry.body {
        case .directory: blocks += 1
        case .symlink(let target) where target.count >= Ext4Layout.shortSymlinkLimit: blocks += 1
        default: break
        }
        if let content { try measure(content) }
        measureAttributes(entry)
    }

    package func finish() throws(ImageError) {
        // What doesn't fit into each directory's first block: at worst one more name would not have fitted into each.
        blocks += entryBytes / (Self.blockSize - 300) + 1
    }

    private func measure(_ content: FileReader) throws(ImageError) {
        guard try content.hasHoles else {
            let count = (content.size + Self.blockSize - 1) / Self.blockSize
            // Extents may be as many as the free space has pieces; one block has room for 340.
            blocks += count + count / (32_768 * 100)
            return
        }
        var parts: UInt64 = 0
        var last: UInt64?
        try content.forEachBlock { (piece, offset) throws(ImageError) in
            Ext4Layout.forEachDataBlock(of: piece, at: offset) { block, _ in
                if last != block { blocks += 1 }
                if let last, last + 1 >= block {} else { parts += 1 }
                last = block
            }
        }
        if parts > 4 { blocks += parts / 300 + 2 }
    }

    private func measureAttributes(_ entry: ImageEntry) {
        guard !entry.attributes.isEmpty else { return }
        let sizes = entry.attributes.map { 16 + $0.name.count + 4 + ($0.value.count + 3) & ~3 }
        let total = sizes.reduce(0, +)
        if total > Ext4Layout.attributesInInode { blocks += 1 }
        guard total > Ext4Layout.attributesInBlock else { return }
        needsAttributeInodes = true
        for attribute in entry.attributes {
            inodes += 1
            blocks += UInt64(attribute.value.count) / Self.blockSize + 1
        }
    }
}
