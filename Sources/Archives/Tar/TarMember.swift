/// The header blocks of one tar entry as they stand in the archive: the extended headers and the header itself.
///
/// libarchive reads the archive, but it leaves out what a global header says, decodes only some names of attributes, and
/// accepts malformed numbers. This is the second reading, by which `TarSource` follows GNU tar.
///
/// Source: POSIX.1-2017, `pax`; GNU tar 1.34, `src/list.c` and `src/xheader.c`.
struct TarMember {
    /// Why the headers have no single meaning, to go after the entry's name.
    struct Ambiguity: Error {
        var reason: String
    }

    typealias Record = (key: [UInt8], value: [UInt8])

    /// The header itself, 512 bytes.
    private(set) var block: ArraySlice<UInt8> = []
    /// The records of the entry's own extended headers, in order.
    private(set) var records: [Record] = []
    /// The records of global headers before it, which hold for later entries, too.
    private(set) var globals: [Record] = []
    private(set) var longName: ArraySlice<UInt8>?
    private(set) var longLink: ArraySlice<UInt8>?

    private var hasRecords = false

    /// - Parameter bytes: from the entry's first header block to its content.
    init(_ bytes: [UInt8]) throws(Ambiguity) {
        var position = 0
        while bytes.count - position >= 512 {
            let block = bytes[position..<position + 512]
            position += 512
            let flag = block[block.startIndex + 156]
            guard "xXgLKAV".utf8.contains(flag) else {
                self.block = block
                return
            }
            let size = Int(clamping: try Self.size(block))
            guard size >= 0, size <= bytes.count - position else { break }
            let body = bytes[position..<position + size]
            switch flag {
            case UInt8(ascii: "x"), UInt8(ascii: "X"):
                guard !hasRecords else {
                    throw Ambiguity(reason: "it has two extended headers: some programs take one of them, some both")
                }
                hasRecords = true
                records = try Self.records(body)
            case UInt8(ascii: "g"): globals += try Self.records(body)
            case UInt8(ascii: "L"):
                guard longName == nil else { throw Ambiguity(reason: "it has two long names") }
                longName = body.prefix { $0 != 0 }
            case UInt8(ascii: "K"): longLink = body.prefix { $0 != 0 }
            case UInt8(ascii: "V"):
                // Whatever stands before a label is the label's to GNU tar, and the next file's to others.
                guard !hasRecords, longName == nil, longLink == nil else {
                    throw Ambiguity(reason: "its extended header stands before an archive's label")
                }
            default: break
            }
            position += flag == UInt8(ascii: "V") ? 0 : (size + 511) / 512 * 512
        }
        throw Ambiguity(reason: "its headers can be read in more than one way")
    }

    var flag: UInt8 { block[block.startIndex + 156] }

    /// The value that counts: the last of the entry's own.
    /// - Returns: nil if there is none; an empty one takes back what the header says, as POSIX has it.
    func value(_ key: StaticString) -> [UInt8]? { Self.last(key, in: records) }

    static func last(_ key: StaticString, in records: [Record]) -> [UInt8]? {
        let bytes = UnsafeBufferPointer(start: key.utf8Start, count: key.utf8CodeUnitCount)
        return records.last { $0.key.elementsEqual(bytes) }?.value
    }

    // MARK: Records

    private static func records(_ body: ArraySlice<UInt8>) throws(Ambiguity) -> [Record] {
        var records: [Record] = []
        var rest = body
        // Some programs fill the last block up and count that.
        while let first = rest.first, first != 0 {
            let digits = rest.prefix { (0x30...0x39).contains($0) }
            guard !digits.isEmpty, digits.count <= 10, rest.dropFirst(digits.count).first == UInt8(ascii: " ") else {
                throw Ambiguity(reason: "its extended header has a record without a length")
            }
            let length = digits.reduce(0) { $0 * 10 + Int($1 - 0x30) }
            guard length > digits.count + 2, length <= rest.count else {
                throw Ambiguity(reason: "its extended header has a record of \(length) bytes, which are not there")
            }
            let record = rest.prefix(length)
            guard record.last == UInt8(ascii: "\n") else {
                throw Ambiguity(reason: "its extended header has a record of a wrong length: it doesn't end a line")
            }
            let text = record.dropFirst(digits.count + 1).dropLast()
            guard let equals = text.firstIndex(of: UInt8(ascii: "=")), equals > text.startIndex else {
                throw Ambiguity(reason: "its extended header has a record without a \"=\"")
            }
            records.append((Array(text[..<equals]), Array(text[(equals + 1)...])))
            rest = rest.dropFirst(length)
        }
        return records
    }

    // MARK: Fields

    func text(_ field: UstarBlock.Field) -> ArraySlice<UInt8> { bytes(field).prefix { $0 != 0 } }

    func bytes(_ field: UstarBlock.Field) -> ArraySlice<UInt8> { Self.bytes(block, field) }

    private static func bytes(_ block: ArraySlice<UInt8>, _ field: UstarBlock.Field) -> ArraySlice<UInt8> {
        block[block.startIndex + field.range.lowerBound..<block.startIndex + field.range.upperBound]
    }

    /// - Parameter name: to go after "its" in a message.
    /// - Returns: nil for a field of blanks, which says nothing; GNU tar takes NULs for 0.
    func number(_ field: UstarBlock.Field, _ name: String) throws(Ambiguity) -> Int64? {
        try Self.number(block, field, name)
    }

    /// The content's size as the header has it, in bytes.
    func size() throws(Ambiguity) -> Int64 { try Self.size(block) }

    private static func size(_ block: ArraySlice<UInt8>) throws(Ambiguity) -> Int64 {
        let size = try number(block, .size, "size") ?? 0
        // GNU tar passes over the NUL; libarchive ends there.
        guard size == 0 || bytes(block, .size).first != 0 else {
            throw Ambiguity(reason: "the size in its header begins with a NUL, and programs differ on what it is then")
        }
        return size
    }

    private static func number(
        _ block: ArraySlice<UInt8>,
        _ field: UstarBlock.Field,
        _ name: String
    ) throws(Ambiguity) -> Int64? {
        let bytes = bytes(block, field)
        let wrong = Ambiguity(reason: "the \(name) in its header is not a number")
        if let first = bytes.first, first == 0x80 || first == 0xff { return try binary(bytes, wrong) }
        // Some programs begin with a NUL, some with blanks.
        var digits = bytes.dropFirst(bytes.first == 0 ? 1 : 0).drop { $0 == UInt8(ascii: " ") }
        if digits.first == 0 { return 0 }
        if let end = digits.firstIndex(where: { $0 == 0 || $0 == UInt8(ascii: " ") }) { digits = digits[..<end] }
        guard !digits.isEmpty else { return nil }
        guard digits.allSatisfy({ (0x30...0x37).contains($0) }) else { throw wrong }
        return digits.reduce(0) { $0 << 3 | Int64($1 - 0x30) }
    }

    /// Base 256, GNU's and star's: the first byte is the sign, the others a number in two's complement.
    private static func binary(_ bytes: ArraySlice<UInt8>, _ wrong: Ambiguity) throws(Ambiguity) -> Int64 {
        var number: Int64 = bytes.first == 0xff ? -1 : 0
        for byte in bytes.dropFirst() {
            let (shifted, overflow) = number.multipliedReportingOverflow(by: 256)
            guard !overflow else { throw wrong }
            number = shifted | Int64(byte)
        }
        return number
    }
}
