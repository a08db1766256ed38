internal import ImageEntries
internal import LinuxFiles

/// The names in one directory of an ext2, ext3 or ext4 file system, in the order in which they stand there; block after
/// block, however large it is.
final class Ext4Directory {
    struct Entry {
        var name: [UInt8]
        var inode: UInt32
    }

    let inode: Ext4Inode
    private let volume: Ext4Volume
    private let parent: UInt32
    private var runs: [Ext4Run] = []
    private var run = 0
    /// Within the run.
    private var blockInRun: UInt64 = 0
    private var block: [UInt8] = []
    /// Where the next entry is in `block`.
    private var position: Int
    /// Inline data has a second part, in an attribute.
    private var secondPart: [UInt8] = []
    private let isInline: Bool

    private static let current = [UInt8(ascii: ".")]
    private static let above = [UInt8(ascii: "."), UInt8(ascii: ".")]

    /// - Parameters:
    ///   - inlineData: what stands in the inode's attributes.
    ///   - parent: the inode of the directory that it is in.
    init(_ volume: Ext4Volume, _ inode: Ext4Inode, inlineData: [UInt8], parent: UInt32) throws(ImageError) {
        self.volume = volume
        self.inode = inode
        self.parent = parent
        isInline = inode.has(Ext4Inode.Flags.inlineData)
        position = 0
        if isInline {
            // No entries for the directory itself and its parent: just the latter's number.
            block = Array(inode.bytes[Ext4Inode.blockMap])
            position = 4
            secondPart = inlineData
            guard block.littleEndian32(at: 0) == parent else { throw wrong() }
        } else {
            var runs: [Ext4Run] = []
            try volume.forEachRun(of: inode) { (run) throws(ImageError) in runs.append(run) }
            self.runs = runs
        }
    }

    /// The next entry but "." and ".."; nil after the last.
    func next() throws(ImageError) -> Entry? {
        while true {
            while position < block.count {
                if let entry = try entry() { return entry }
            }
            guard try nextBlock() else { return nil }
        }
    }

    /// Whether it has no entries; to be called before `next`.
    func isEmpty() throws(ImageError) -> Bool {
        let first = try next()
        run = 0
        blockInRun = 0
        block = isInline ? Array(inode.bytes[Ext4Inode.blockMap]) : []
        position = isInline ? 4 : 0
        return first == nil
    }

    private func nextBlock() throws(ImageError) -> Bool {
        position = 0
        if isInline {
            block = secondPart
            secondPart = []
            return !block.isEmpty
        }
        guard run < runs.count else {
            block = []
            return false
        }
        if block.count != volume.blockSize { block = [UInt8](repeating: 0, count: volume.blockSize) }
        try volume.readDirectoryBlock(runs[run].physical + blockInRun, of: inode.number, into: &block)
        blockInRun += 1
        if blockInRun == runs[run].count {
            run += 1
            blockInRun = 0
        }
        return true
    }

    /// The entry at `position`, which moves on; nil for one that is not in use.
    private func entry() throws(ImageError) -> Entry? {
        guard block.count - position >= 8 else {
            // Less than any entry has, which only inline data leaves.
            guard isInline else { throw wrong() }
            position = block.count
            return nil
        }
        let number = block.littleEndian32(at: position)
        let length = recordLength(block.littleEndian16(at: position + 4))
        let nameLength = Int(block[position + 6])
        guard length >= 8, length % 4 == 0, length <= block.count - position, nameLength + 8 <= length else {
            throw wrong()
        }
        defer { position += length }
        guard number != 0 else { return nil }
        let name = Array(block[position + 8..<position + 8 + nameLength])
        if name == Self.current {
            guard number == inode.number else { throw wrong() }
            return nil
        }
        if name == Self.above {
            guard number == parent else { throw wrong() }
            return nil
        }
        guard !name.isEmpty, !name.contains(0), !name.contains(UInt8(ascii: "/")) else {
            throw .refused(printable(name), "no file can have such a name (in directory inode \(inode.number))")
        }
        return Entry(name: name, inode: number)
    }

    /// Blocks of 64 KiB need one bit more than there is: it takes the place of the lowest two, which are 0 anyway.
    private func recordLength(_ length: UInt16) -> Int {
        guard volume.blockSize >= 65_536 else { return Int(length) }
        if length == 0 || length == .max { return 65_536 }
        return Int(length) & 0xfffc | (Int(length) & 3) << 16
    }

    private func wrong() -> ImageError { volume.damaged("the directory with inode \(inode.number) is wrong") }
}
