internal import ImageEntries

/// Where a sparse file has data: everything else is zeros that need not be written.
///
/// A file without a hole on the host has none here. In a file with holes each whole block of zeros is one, independently of
/// where the host's file system has holes, so that two copies of a tree have the same map.
struct SparseMap {
    /// The ranges with data, in bytes; in order, apart from each other.
    private(set) var parts: [Range<UInt64>] = []

    /// More than these are not kept: the blocks become larger instead, and memory stays at a few megabytes.
    private static let maxParts = 65_536
    private static let blockSize: UInt64 = 4096

    /// - Returns: nil for a file without holes.
    static func read(_ file: FileReader) throws(ImageError) -> SparseMap? {
        guard try file.hasHoles else { return nil }
        var map = SparseMap()
        var unit = blockSize
        try file.forEachBlock { (bytes, offset) throws(ImageError) in
            var position = 0
            while position < bytes.count {
                let start = offset + UInt64(position)
                // Up to the block's end: the host's holes may begin anywhere.
                let count = min(Int(blockSize - start % blockSize), bytes.count - position)
                let block = UnsafeRawBufferPointer(rebasing: bytes[position..<position + count])
                if !block.isZero {
                    map.add(start / unit * unit..<min(aligned(start + UInt64(count), unit), file.size))
                    while map.parts.count > maxParts {
                        unit *= 2
                        map.coarsen(unit, file.size)
                    }
                }
                position += count
            }
        }
        return map.parts == [0..<file.size] ? nil : map
    }

    /// Bytes of data.
    var dataSize: UInt64 { parts.reduce(0) { $0 + UInt64($1.count) } }

    private mutating func add(_ part: Range<UInt64>) {
        guard let last = parts.last, last.upperBound >= part.lowerBound else {
            parts.append(part)
            return
        }
        parts[parts.count - 1] = last.lowerBound..<max(last.upperBound, part.upperBound)
    }

    private mutating func coarsen(_ unit: UInt64, _ size: UInt64) {
        let fine = parts
        parts = []
        for part in fine {
            add(part.lowerBound / unit * unit..<min(Self.aligned(part.upperBound, unit), size))
        }
    }

    private static func aligned(_ position: UInt64, _ unit: UInt64) -> UInt64 { (position + unit - 1) / unit * unit }
}
