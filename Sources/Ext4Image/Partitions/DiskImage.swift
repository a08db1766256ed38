internal import ImageEntries
internal import LinuxFiles

/// Finding the ext2, ext3 or ext4 file system in an image: the image is one, or has it in a partition.
enum DiskImage {
    /// How many bytes of the beginning `recognizes` wants to see.
    static let recognitionSize = 2048

    /// Whether the beginning of an image is that of an ext file system.
    static func isFileSystem(_ first: [UInt8]) -> Bool {
        first.count >= recognitionSize && Ext4Superblock.recognizes(Array(first[1024...]))
    }

    /// Whether the beginning of an image is that of an ext file system, or of a disk with partitions.
    static func recognizes(_ first: [UInt8]) -> Bool { isFileSystem(first) || PartitionTable.recognizes(first) }

    /// Where the file system is.
    /// - Parameters:
    ///   - image: open for reading; not a pipe.
    ///   - partition: the number of the partition that is wanted, as Linux counts them. Nil for the image itself if it is
    ///     a file system; else for its only partition with an ext file system, or for the one among several whose file
    ///     system or partition is named root or rootfs.
    /// - Throws: `badArchive`, with a list of the partitions that could be meant.
    static func locate(_ image: CInt, partition: Int?) throws(ImageError) -> ImagePlace {
        let size: UInt64
        do throws(Errno) {
            size = try System.status(of: image).size
        } catch {
            throw ImageError("can't read the image", error)
        }
        let whole = ImagePlace(offset: 0, size: size)
        if partition == nil, try superblock(image, whole) != nil { return whole }
        let table = try PartitionTable(of: image, size: size)
        let found = try table.partitions.map { (partition) throws(ImageError) in
            Found(partition: partition, superblock: try superblock(image, partition.place))
        }
        if let partition { return try chosen(partition, found) }
        let candidates = found.filter { $0.superblock != nil }
        let named = candidates.filter(\.isNamedRoot)
        let choice = candidates.count == 1 ? candidates : named
        if choice.count == 1 { return choice[0].partition.place }
        guard !candidates.isEmpty else {
            let message = "there is no ext2, ext3 or ext4 file system in the image"
            throw ImageError(.badArchive, message, hint: found.isEmpty ? nil : list(found))
        }
        throw ImageError(
            .badArchive,
            "the image has \(candidates.count) partitions with an ext file system",
            hint: "Say which one, by its number:\n" + list(candidates)
        )
    }

    /// The superblock of an ext file system at a place; nil if there is none.
    static func superblock(_ image: CInt, _ place: ImagePlace) throws(ImageError) -> Ext4Superblock? {
        guard place.size >= UInt64(recognitionSize) else { return nil }
        var bytes = [UInt8](repeating: 0, count: Ext4Superblock.byteCount)
        let offset = Int64(clamping: place.offset + Ext4Superblock.offset)
        do throws(Errno) {
            let count = try bytes.withUnsafeMutableBufferPointer { (buffer) throws(Errno) in
                try System.read(image, into: UnsafeMutableRawBufferPointer(buffer), at: offset)
            }
            return count == bytes.count ? Ext4Superblock(bytes) : nil
        } catch {
            throw ImageError("can't read the image", error)
        }
    }

    private struct Found {
        var partition: PartitionTable.Partition
        var superblock: Ext4Superblock?

        private static let rootNames = ["root", "rootfs", "/"].map { Array($0.utf8) }

        var isNamedRoot: Bool {
            Self.rootNames.contains(superblock?.label ?? []) || Self.rootNames.contains(partition.name)
        }
    }

    private static func chosen(_ number: Int, _ found: [Found]) throws(ImageError) -> ImagePlace {
        guard let choice = found.first(where: { $0.partition.number == number }) else {
            let message = "the image has no partition \(number)"
            throw ImageError(.badArchive, message, hint: found.isEmpty ? "It has none at all." : list(found))
        }
        guard choice.superblock != nil else {
            let message = "partition \(number) has no ext2, ext3 or ext4 file system"
            throw ImageError(.badArchive, message, hint: list(found))
        }
        return choice.partition.place
    }

    private static func list(_ found: [Found]) -> String {
        found.map { found in
            let label = found.superblock?.label ?? []
            let name = label.isEmpty ? found.partition.name : label
            let kind = found.superblock == nil ? "no ext file system" : "ext file system"
            let shown = name.isEmpty ? "" : " \"\(printable(name))\""
            let size = found.partition.place.size >> 20
            return "    --partition \(found.partition.number)   \(size) MiB, \(kind)\(shown)"
        }
        .joined(separator: "\n")
    }
}
