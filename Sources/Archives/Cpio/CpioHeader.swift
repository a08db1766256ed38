/// Checks an entry's header of a cpio archive.
///
/// Source: cpio(5) of libarchive.
enum CpioHeader {
    /// - Parameter bytes: of the entry, up to its content.
    /// - Returns: whether it begins with a header, and every field is a number.
    static func isWhole(_ bytes: [UInt8]) -> Bool {
        if isNewc(bytes) { return digits(bytes, 6..<110, isHex: true) }
        if bytes.starts(with: "070707".utf8) { return digits(bytes, 6..<76, isHex: false) }
        // Two bytes each, in either order.
        return bytes.starts(with: [0xc7, 0x71]) || bytes.starts(with: [0x71, 0xc7])
    }

    /// - Returns: the sum of the content's bytes, which "crc" has, and nothing so far; nil for other formats, and what has
    ///   no content.
    static func sum(_ bytes: [UInt8]) -> (expected: UInt32, actual: UInt32)? {
        guard bytes.starts(with: "070702".utf8), bytes.count >= 110, number(bytes, at: 54) > 0 else { return nil }
        return (number(bytes, at: 102), 0)
    }

    private static func isNewc(_ bytes: [UInt8]) -> Bool {
        bytes.starts(with: "070701".utf8) || bytes.starts(with: "070702".utf8)
    }

    private static func digits(_ bytes: [UInt8], _ range: Range<Int>, isHex: Bool) -> Bool {
        guard bytes.count >= range.upperBound else { return false }
        return bytes[range].allSatisfy { byte in
            switch byte {
            case UInt8(ascii: "0")...UInt8(ascii: "7"): true
            case UInt8(ascii: "8"), UInt8(ascii: "9"): isHex
            case UInt8(ascii: "a")...UInt8(ascii: "f"), UInt8(ascii: "A")...UInt8(ascii: "F"): isHex
            default: false
            }
        }
    }

    private static func number(_ bytes: [UInt8], at offset: Int) -> UInt32 {
        UInt32(String(decoding: bytes[offset..<offset + 8], as: UTF8.self), radix: 16) ?? 0
    }
}
