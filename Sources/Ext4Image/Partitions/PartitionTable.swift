internal import CZlib
internal import ImageEntries
internal import LinuxFiles

/// The partitions of a disk image: MBR with logical partitions, or GPT with its checksums verified; sectors of 512 or
/// 4096 bytes.
struct PartitionTable {
    struct Partition: Hashable {
        /// As Linux counts: logical ones in an MBR from 5.
        var number: Int
        var place: ImagePlace
        /// GPT only; UTF-8, may be empty.
        var name: [UInt8] = []
    }

    /// In the order of their numbers.
    private(set) var partitions: [Partition] = []

    /// The most that Linux knows in a table; a GPT may claim 2^32.
    private static let maxPartitions = 256
    /// Fields of an MBR, in bytes.
    private enum MBR {
        static let size = 512
        static let table = 446
        static let entrySize = 16
        static let signature: UInt16 = 0xaa55
        static let extended: Set<UInt8> = [0x05, 0x0f, 0x85]
        static let protective: UInt8 = 0xee
    }

    /// Whether an image may begin so that has partitions; at least 512 bytes are wanted.
    static func recognizes(_ first: [UInt8]) -> Bool {
        guard first.count >= MBR.size, first.littleEndian16(at: 510) == MBR.signature else { return false }
        let entries = (0..<4).map { MBR.table + $0 * MBR.entrySize }
        // FAT boot sectors have the same signature, and code where the table is.
        return entries.allSatisfy { first[$0] & 0x7f == 0 }
            && entries.contains { first[$0 + 4] != 0 && first.littleEndian32(at: $0 + 12) != 0 }
    }

    private let image: CInt
    private let imageSize: UInt64

    /// - Parameters:
    ///   - image: open for reading; not a pipe.
    ///   - size: of the image in bytes.
    /// - Throws: `badArchive` if there is a table that is damaged; an image without one has no partitions.
    init(of image: CInt, size: UInt64) throws(ImageError) {
        self.image = image
        imageSize = size
        guard size >= UInt64(MBR.size) else { return }
        let first = try read(at: 0, MBR.size)
        guard Self.recognizes(first) else { return }
        let types = (0..<4).map { first[MBR.table + $0 * MBR.entrySize + 4] }
        if types.contains(MBR.protective) {
            try readGPT()
        } else {
            try readMBR(first)
        }
    }

    private func read(at offset: UInt64, _ count: Int) throws(ImageError) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: count)
        let found: Int
        do throws(Errno) {
            found = try bytes.withUnsafeMutableBufferPointer { (buffer) throws(Errno) in
                try System.read(image, into: UnsafeMutableRawBufferPointer(buffer), at: Int64(clamping: offset))
            }
        } catch {
            throw ImageError("can't read the image", error)
        }
        guard found == count else { throw Self.damaged("it ends within the image's partition table") }
        return bytes
    }

    private static func damaged(_ what: String) -> ImageError {
        ImageError(.badArchive, "the image's partition table is damaged: \(what)", hint: "Copy the image again.")
    }

    private mutating func add(_ number: Int, sector: UInt64, sectors: UInt64, sectorSize: UInt64, name: [UInt8] = []) {
        let (offset, overflow) = sector.multipliedReportingOverflow(by: sectorSize)
        guard !overflow, offset < imageSize else { return }
        let (size, overflow2) = sectors.multipliedReportingOverflow(by: sectorSize)
        // One that the end of the image cuts off: whether enough is there, its file system says.
        let there = min(overflow2 ? .max : size, imageSize - offset)
        partitions.append(Partition(number: number, place: ImagePlace(offset: offset, size: there), name: name))
    }

    // MARK: MBR

    private struct MBREntry {
        var type: UInt8
        var start: UInt64
        var sectors: UInt64

        init(_ bytes: [UInt8], _ index: Int) {
            let offset = MBR.table + index * MBR.entrySize
            type = bytes[offset + 4]
            start = UInt64(bytes.littleEndian32(at: offset + 8))
            sectors = UInt64(bytes.littleEndian32(at: offset + 12))
        }
    }

    /// An MBR doesn't say how large its sectors are; 512 bytes, but if only 4096 make sense of it.
    private mutating func readMBR(_ first: [UInt8]) throws(ImageError) {
        for sectorSize in [512, 4096] as [UInt64] {
            partitions = []
            for index in 0..<4 {
                let entry = MBREntry(first, index)
                guard entry.type != 0, entry.sectors != 0, entry.start != 0 else { continue }
                if MBR.extended.contains(entry.type) {
                    try readLogical(from: entry.start, sectorSize)
                } else {
                    add(index + 1, sector: entry.start, sectors: entry.sectors, sectorSize: sectorSize)
                }
            }
            for partition in partitions where try DiskImage.superblock(image, partition.place) != nil { return }
        }
        // Nothing found with either: the usual one, for the message.
        partitions = []
        for index in 0..<4 {
            let entry = MBREntry(first, index)
            guard entry.type != 0, !MBR.extended.contains(entry.type) else { continue }
            add(index + 1, sector: entry.start, sectors: entry.sectors, sectorSize: 512)
        }
    }

    /// Each logical partition has a table of its own before it: with itself, and where the next table is.
    private mutating func readLogical(from extended: UInt64, _ sectorSize: UInt64) throws(ImageError) {
        var table = extended
        var number = 5
        while number < Self.maxPartitions, table * sectorSize + UInt64(MBR.size) <= imageSize {
            let bytes = try read(at: table * sectorSize, MBR.size)
            guard bytes.littleEndian16(at: 510) == MBR.signature else { return }
            let partition = MBREntry(bytes, 0)
            if partition.type != 0, partition.sectors != 0 {
                add(number, sector: table + partition.start, sectors: partition.sectors, sectorSize: sectorSize)
                number += 1
            }
            let next = MBREntry(bytes, 1)
            guard MBR.extended.contains(next.type), next.start != 0 else { return }
            guard extended + next.start > table else { throw Self.damaged("its logical partitions go in a circle") }
            table = extended + next.start
        }
    }

    // MARK: GPT

    private struct GPT {
        var sectorSize: UInt64
        var entries: [UInt8]
        var entrySize: Int
    }

    private mutating func readGPT() throws(ImageError) {
        for sectorSize in [512, 4096] as [UInt64] {
            guard imageSize / sectorSize >= 3 else { continue }
            // The second one, at the end, is there for the case that the first is damaged.
            for sector in [1, imageSize / sectorSize - 1] {
                guard let table = try gpt(at: sector, sectorSize) else { continue }
                return addEntries(table)
            }
        }
        throw Self.damaged("neither of its two GPT headers has a right checksum")
    }

    /// - Returns: nil if there is no header, or one of the checksums is wrong.
    private func gpt(at sector: UInt64, _ sectorSize: UInt64) throws(ImageError) -> GPT? {
        var header = try read(at: sector * sectorSize, 512)
        let size = Int(header.littleEndian32(at: 12))
        guard header.starts(with: "EFI PART".utf8), (92...512).contains(size) else { return nil }
        let checksum = header.littleEndian32(at: 16)
        header.setLittleEndian(UInt32(0), at: 16)
        guard Self.crc32(Array(header[..<size])) == checksum else { return nil }
        let count = Int(header.littleEndian32(at: 80))
        let entrySize = Int(header.littleEndian32(at: 84))
        guard (128...4096).contains(entrySize), count <= 1024 else { return nil }
        let (offset, overflow) = header.littleEndian64(at: 72).multipliedReportingOverflow(by: sectorSize)
        guard !overflow, offset <= imageSize, UInt64(count * entrySize) <= imageSize - offset else { return nil }
        let entries = try read(at: offset, count * entrySize)
        guard Self.crc32(entries) == header.littleEndian32(at: 88) else { return nil }
        return GPT(sectorSize: sectorSize, entries: entries, entrySize: entrySize)
    }

    private mutating func addEntries(_ table: GPT) {
        for start in stride(from: 0, to: table.entries.count, by: table.entrySize) {
            let isUsed = table.entries[start..<start + 16].contains { $0 != 0 }
            let first = table.entries.littleEndian64(at: start + 32)
            let last = table.entries.littleEndian64(at: start + 40)
            guard isUsed, first > 0, first <= last, last < .max else { continue }
            let units = stride(from: start + 56, to: start + 128, by: 2).map { table.entries.littleEndian16(at: $0) }
            add(
                start / table.entrySize + 1,
                sector: first,
                sectors: last - first + 1,
                sectorSize: table.sectorSize,
                name: Array(String(decoding: units.prefix { $0 != 0 }, as: UTF16.self).utf8)
            )
        }
    }

    private static func crc32(_ bytes: [UInt8]) -> UInt32 {
        UInt32(truncatingIfNeeded: CZlib.crc32(0, bytes, uInt(bytes.count)))
    }
}
