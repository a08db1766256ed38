/// The 512 bytes of a ustar header.
struct UstarBlock {
    enum Field {
        case path, mode, uid, gid, size, time, checksum, kind, linkTarget, magic, deviceMajor, deviceMinor, prefix

        var range: Range<Int> {
            switch self {
            case .path: 0..<100
            case .mode: 100..<108
            case .uid: 108..<116
            case .gid: 116..<124
            case .size: 124..<136
            case .time: 136..<148
            case .checksum: 148..<156
            case .kind: 156..<157
            case .linkTarget: 157..<257
            case .magic: 257..<265
            case .deviceMajor: 329..<337
            case .deviceMinor: 337..<345
            case .prefix: 345..<500
            }
        }
    }

    private var bytes = [UInt8](repeating: 0, count: 512)

    /// What is too long is cut.
    mutating func set(_ field: Field, _ value: [UInt8]) {
        for (index, byte) in zip(field.range, value) { bytes[index] = byte }
    }

    /// Whether a number has room as octal digits and a NUL.
    func fits(_ field: Field, _ value: UInt64) -> Bool { value >> (3 * UInt64(field.range.count - 1)) == 0 }

    mutating func set(_ field: Field, octal value: UInt64) {
        let digits = String(value, radix: 8)
        let width = field.range.count - 1
        set(field, [UInt8](repeating: UInt8(ascii: "0"), count: max(0, width - digits.utf8.count)) + digits.utf8)
    }

    /// A number that doesn't fit is 0 here, and in a record.
    mutating func setNumber(_ field: Field, _ value: UInt64, orRecord name: StaticString, _ records: inout PaxRecords) {
        if fits(field, value) {
            set(field, octal: value)
        } else {
            set(field, octal: 0)
            records.add(name, Array(String(value).utf8))
        }
    }

    /// - Returns: false if it had to be cut.
    mutating func setPath(_ path: [UInt8]) -> Bool {
        set(.path, path)
        guard path.count > Field.path.range.count else { return true }
        // The part before one of the slashes can go elsewhere.
        let earliest = path.count - Field.path.range.count - 1
        let latest = min(Field.prefix.range.count, path.count - 2)
        guard earliest <= latest,
            let slash = path[earliest...latest].lastIndex(of: UInt8(ascii: "/"))
        else { return false }
        for index in Field.path.range { bytes[index] = 0 }
        set(.path, Array(path[(slash + 1)...]))
        set(.prefix, Array(path[..<slash]))
        return true
    }

    /// With the magic number and the checksum.
    func sealed() -> [UInt8] {
        var sealed = self
        sealed.set(.magic, Array("ustar\u{0}00".utf8))
        sealed.set(.checksum, [UInt8](repeating: UInt8(ascii: " "), count: 8))
        let sum = sealed.bytes.reduce(0) { $0 + UInt64($1) }
        let digits = String(sum, radix: 8)
        let zeros = [UInt8](repeating: UInt8(ascii: "0"), count: 6 - digits.utf8.count)
        sealed.set(.checksum, zeros + digits.utf8 + [0, UInt8(ascii: " ")])
        return sealed.bytes
    }
}
