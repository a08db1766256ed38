internal import CExt2FS
internal import ImageEntries

/// A directory that is being written: a list of names, block after block.
///
/// The kernel reads such lists as it does indexed ones, and e2fsck -D makes an index where somebody wants it.
final class Ext4DirectoryWriter {
    let path: [UInt8]
    /// The number of directories in it.
    private(set) var directories: UInt32 = 0
    private let file: Ext4FileWriter
    private let writer: Ext4Writer
    private let attributes: [ImageEntry.Attribute]
    private var block: [UInt8]
    private var used = 0
    private var lastEntry = 0
    private var blocks: UInt64 = 0

    /// Bytes of the checksum's entry at each block's end.
    private static let tailSize = 12
    private static let directoryType: UInt8 = 2
    /// More directories than this in one can't be counted.
    private static let maxLinks: UInt32 = 65_000

    var number: UInt32 { file.number }

    init(
        _ writer: Ext4Writer,
        _ file: Ext4FileWriter,
        path: [UInt8],
        parent: UInt32,
        attributes: [ImageEntry.Attribute]
    ) throws(ImageError) {
        self.writer = writer
        self.file = file
        self.path = path
        self.attributes = attributes
        block = [UInt8](repeating: 0, count: writer.blockSize)
        try add([UInt8(ascii: ".")], file.number, type: Self.directoryType)
        try add([UInt8(ascii: "."), UInt8(ascii: ".")], parent, type: Self.directoryType)
        directories = 0
    }

    private var room: Int { writer.blockSize - Self.tailSize }

    func add(_ name: [UInt8], _ inode: UInt32, type: UInt8) throws(ImageError) {
        let size = 8 + (name.count + 3) & ~3
        if used + size > room { try flush() }
        block.setLittleEndian(inode, at: used)
        block.setLittleEndian(UInt16(size), at: used + 4)
        block[used + 6] = UInt8(name.count)
        block[used + 7] = type
        block.replaceSubrange(used + 8..<used + 8 + name.count, with: name)
        lastEntry = used
        used += size
        if type == Self.directoryType { directories += 1 }
    }

    /// Writes the current block; its last entry reaches up to the checksum.
    private func flush() throws(ImageError) {
        block.setLittleEndian(UInt16(room - lastEntry), at: lastEntry + 4)
        block.setLittleEndian(UInt16(Self.tailSize), at: room + 4)
        block[room + 7] = 0xde
        let run = try file.take(blocks, 1)
        let code = block.withUnsafeMutableBytes {
            ext2fs_write_dir_block4(writer.library, run.physical, $0.baseAddress, 0, file.number)
        }
        try writer.check(code, "can't write a directory")
        blocks += 1
        block = [UInt8](repeating: 0, count: writer.blockSize)
        used = 0
        lastEntry = 0
    }

    /// - Parameter minimum: blocks that it has at least, for what is to come.
    func finish(minimum: UInt64 = 1) throws(ImageError) {
        if used > 0 { try flush() }
        while blocks < minimum { try flush() }
        let links = directories + 2
        try file.finish(size: blocks * UInt64(writer.blockSize), linkCount: links < Self.maxLinks ? UInt16(links) : 1)
        try writer.setAttributes(attributes, of: file.number)
    }
}
