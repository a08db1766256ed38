internal import ImageEntries

/// What a source may be compressed with: the one list that recognition, help and messages are made of.
package enum CompressedFormat: String, CaseIterable {
    case gzip, xz, zstd, bzip2, lzma, lz4, lzip, compress

    /// What the first bytes say; nil if they are not compressed data that can be read.
    package init?(_ bytes: UnsafeRawBufferPointer) {
        guard let found = Self.allCases.first(where: { $0.begins(bytes) }) else { return nil }
        self = found
    }

    private func begins(_ bytes: UnsafeRawBufferPointer) -> Bool {
        switch self {
        case .gzip: bytes.starts(with: [0x1f, 0x8b, 8])
        case .xz: bytes.starts(with: [0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00])
        case .zstd: bytes.starts(with: [0x28, 0xb5, 0x2f, 0xfd])
        case .bzip2: Self.isBzip2(bytes)
        case .lzma: Self.isLZMA(bytes)
        // The second is what the kernel takes: `lz4 -l`.
        case .lz4: bytes.starts(with: [0x04, 0x22, 0x4d, 0x18]) || bytes.starts(with: [0x02, 0x21, 0x4c, 0x18])
        case .lzip: bytes.starts(with: "LZIP".utf8)
        case .compress: bytes.starts(with: [0x1f, 0x9d])
        }
    }

    private static func isBzip2(_ bytes: UnsafeRawBufferPointer) -> Bool {
        guard bytes.count >= 10, bytes.starts(with: "BZh".utf8), (0x31...0x39).contains(bytes[3]) else { return false }
        let rest = UnsafeRawBufferPointer(rebasing: bytes[4...])
        // The magic of a block, or of the end: the digits of pi, or of its square root.
        return rest.starts(with: [0x31, 0x41, 0x59, 0x26, 0x53, 0x59])
            || rest.starts(with: [0x17, 0x72, 0x45, 0x38, 0x50, 0x90])
    }

    /// The format has no magic number: the usual properties, a dictionary as `lzma` makes it, a size that can be.
    private static func isLZMA(_ bytes: UnsafeRawBufferPointer) -> Bool {
        guard bytes.count >= 14, bytes[0] == 0x5d, bytes[13] == 0 else { return false }
        let dictionary = UInt32(littleEndian: bytes.loadUnaligned(fromByteOffset: 1, as: UInt32.self))
        let size = UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: 5, as: UInt64.self))
        return dictionary >= 4096 && dictionary.nonzeroBitCount <= 2 && (size == UInt64.max || size < 1 << 40)
    }

    /// All of them, to go after "compressed with".
    package static var list: String {
        let names = allCases.map(\.rawValue)
        return names.dropLast().joined(separator: ", ") + " or " + (names.last ?? "")
    }
}
