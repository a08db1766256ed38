internal import LinuxFiles

/// Finds files in `bootfiles.bin`: a tar archive, not compressed, with members such as `2712/bootcode5.bin`.
///
/// Reads headers only, each time anew: there are a few dozen, and somebody may be replacing the archive.
/// Source: POSIX.1-2017, `pax`, "ustar Interchange Format".
struct BootArchive {
    /// The open archive.
    let descriptor: CInt
    /// Bytes of the archive.
    let size: UInt64

    /// The archive ends in the middle of something, or a header is malformed.
    struct Damage: Error {}

    private static let blockSize: UInt64 = 512

    /// Where a member's content lies; nil if there is none of this name, in whatever case: the board's files come from
    /// FAT.
    func member(_ name: [UInt8]) throws(Damage) -> Range<UInt64>? {
        let wanted = Self.lowercased(name[...])
        var offset: UInt64 = 0
        // A name that is too long for the header stands before it; boards ask for shorter names only.
        var isLongName = false
        while offset + Self.blockSize <= size {
            let header = try header(at: offset)
            guard header.contains(where: { $0 != 0 }) else { return nil }
            guard Self.hasChecksum(header), let length = Self.octal(header[124..<136]) else { throw Damage() }
            let start = offset + Self.blockSize
            guard length <= size - start else { throw Damage() }
            let kind = header[156]
            let isFile = kind == UInt8(ascii: "0") || kind == 0
            if isFile, !isLongName, Self.lowercased(Self.name(header)) == wanted { return start..<(start + length) }
            switch kind {
            case UInt8(ascii: "L"): isLongName = true
            case UInt8(ascii: "x"): isLongName = try hasPath(extendedHeader: start..<(start + length))
            default: isLongName = false
            }
            offset = start + (length + Self.blockSize - 1) / Self.blockSize * Self.blockSize
        }
        // Some tools leave out the two empty blocks.
        guard offset == size else { throw Damage() }
        return nil
    }

    private func header(at offset: UInt64) throws(Damage) -> [UInt8] {
        try read(offset..<(offset + Self.blockSize))
    }

    /// Whether an extended header's records, "LENGTH KEY=VALUE" in a line each, give the next member another name.
    private func hasPath(extendedHeader range: Range<UInt64>) throws(Damage) -> Bool {
        guard range.count <= 1 << 16 else { throw Damage() }
        let records = try read(range)
        let key = Array(" path=".utf8)
        return records.indices.contains { records[$0...].starts(with: key) }
    }

    private func read(_ range: Range<UInt64>) throws(Damage) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: range.count)
        let count = bytes.withUnsafeMutableBytes { try? System.read(descriptor, into: $0, at: Int64(range.lowerBound)) }
        guard count == bytes.count else { throw Damage() }
        return bytes
    }

    private static func name(_ header: [UInt8]) -> ArraySlice<UInt8> {
        var name = Array(header[..<100].prefix { $0 != 0 })
        // GNU's magic is "ustar  ", and its prefix is something else.
        if header[257..<263].elementsEqual("ustar\u{0}".utf8), header[345] != 0 {
            name = Array(header[345..<500].prefix { $0 != 0 }) + [UInt8(ascii: "/")] + name
        }
        return name.starts(with: "./".utf8) ? name.dropFirst(2) : name[...]
    }

    private static func lowercased(_ name: ArraySlice<UInt8>) -> [UInt8] {
        name.map { (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains($0) ? $0 | 0x20 : $0 }
    }

    private static func hasChecksum(_ header: [UInt8]) -> Bool {
        let sum = header.enumerated().reduce(UInt64(0)) {
            $0 + ((148..<156).contains($1.offset) ? 0x20 : UInt64($1.element))
        }
        return octal(header[148..<156]) == sum
    }

    /// - Returns: nil for anything but octal digits, with blanks before and blanks or NULs after them.
    private static func octal(_ field: ArraySlice<UInt8>) -> UInt64? {
        let digits = field.drop { $0 == 0x20 }.prefix { $0 != 0x20 && $0 != 0 }
        guard !digits.isEmpty, digits.count <= 12 else { return nil }
        var value: UInt64 = 0
        for digit in digits {
            guard (UInt8(ascii: "0")...UInt8(ascii: "7")).contains(digit) else { return nil }
            value = value << 3 | UInt64(digit - UInt8(ascii: "0"))
        }
        return value
    }
}
