internal import LinuxFiles

/// A header block of a tar archive, 512 bytes in the ustar format, and the extended header in front of it that holds
/// what has no room in it.
///
/// Source: POSIX.1-2017, `pax`, "pax Interchange Format". Written here and not by libarchive because that knows the
/// inode and the device of the host only as something to write, GNU tar warns of keys it doesn't know, and in a locale
/// other than C names are more than bytes.
struct TarHeader {
    /// The typeflag.
    enum Kind: UInt8 {
        case file = 0x30
        case hardLink = 0x31
        case symlink = 0x32
        case character = 0x33
        case block = 0x34
        case directory = 0x35
        case pipe = 0x36
        case extended = 0x78
    }

    static let blockSize: UInt64 = 512

    var path: [UInt8]
    var kind: Kind
    var permissions: UInt32
    var uid: UInt32 = 0
    var gid: UInt32 = 0
    /// Bytes of content that follow the header.
    var size: UInt64 = 0
    var time = FileTime(seconds: 0, nanoseconds: 0)
    var linkTarget: [UInt8] = []
    var deviceMajor: UInt32 = 0
    var deviceMinor: UInt32 = 0
    /// Records for the extended header, besides those that the fields need.
    var records = PaxRecords()

    /// The blocks to be written before the content.
    func blocks() -> [UInt8] {
        var records = records
        var block = UstarBlock()
        block.set(.mode, octal: UInt64(permissions))
        block.setNumber(.uid, UInt64(uid), orRecord: "uid", &records)
        block.setNumber(.gid, UInt64(gid), orRecord: "gid", &records)
        block.setNumber(.size, size, orRecord: "size", &records)
        if let seconds = UInt64(exactly: time.seconds), block.fits(.time, seconds) { block.set(.time, octal: seconds) }
        if time.nanoseconds != 0 || time.seconds < 0 || !block.fits(.time, UInt64(time.seconds)) {
            records.add("mtime", Array(Self.text(time).utf8))
        }
        if !block.setPath(path) || !Self.isASCII(path) { records.add(text: "path", path) }
        if linkTarget.count > UstarBlock.Field.linkTarget.range.count || !Self.isASCII(linkTarget) {
            records.add(text: "linkpath", linkTarget)
        }
        block.set(.linkTarget, linkTarget)
        if kind == .block || kind == .character {
            block.set(.deviceMajor, octal: UInt64(deviceMajor))
            block.set(.deviceMinor, octal: UInt64(deviceMinor))
        }
        block.set(.kind, [kind.rawValue])
        let own = block.sealed()
        return records.isEmpty ? own : extendedHeader(records.bytes) + own
    }

    private func extendedHeader(_ records: [UInt8]) -> [UInt8] {
        var block = UstarBlock()
        let slash = path.lastIndex(of: UInt8(ascii: "/"))
        let name = path[(slash.map { $0 + 1 } ?? 0)...]
        // Nobody looks at it but a tar of before 2001, which makes a file of it.
        block.set(.path, Array(("./PaxHeaders/".utf8 + name).prefix(UstarBlock.Field.path.range.count)))
        block.set(.mode, octal: 0o644)
        block.set(.uid, octal: 0)
        block.set(.gid, octal: 0)
        block.set(.size, octal: UInt64(records.count))
        block.set(.time, octal: 0)
        block.set(.kind, [Kind.extended.rawValue])
        let padding = (512 - records.count % 512) % 512
        return block.sealed() + records + [UInt8](repeating: 0, count: padding)
    }

    private static func isASCII(_ bytes: [UInt8]) -> Bool { bytes.allSatisfy { $0 < 0x80 } }

    /// Seconds since 1970 as a decimal number, exact.
    private static func text(_ time: FileTime) -> String {
        // 1.25 s before 1970 is -2 s and 0.75 s in a FileTime.
        let isNegative = time.seconds < 0
        let hasFraction = time.nanoseconds > 0
        let seconds = isNegative && hasFraction ? time.seconds + 1 : time.seconds
        let nanoseconds = isNegative && hasFraction ? 1_000_000_000 - time.nanoseconds : time.nanoseconds
        let text = (isNegative ? "-" : "") + String(seconds.magnitude)
        guard hasFraction else { return text }
        var digits = String(nanoseconds)
        digits = String(repeating: "0", count: 9 - digits.utf8.count) + digits
        while digits.last == "0" { digits.removeLast() }
        return text + "." + digits
    }
}

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
