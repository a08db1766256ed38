/// The records of a pax extended header: "LENGTH KEY=VALUE\n" each.
struct PaxRecords: Hashable {
    private(set) var bytes: [UInt8] = []
    private var hasBinaryMark = false

    var isEmpty: Bool { bytes.isEmpty }

    mutating func add(_ key: StaticString, _ value: [UInt8]) {
        add(Array(UnsafeBufferPointer(start: key.utf8Start, count: key.utf8CodeUnitCount)), value)
    }

    /// - Parameter key: without "=".
    mutating func add(_ key: [UInt8], _ value: [UInt8]) {
        // The length counts its own digits.
        let rest = key.count + value.count + 3
        var length = rest + 1
        while String(length).utf8.count + rest != length { length = rest + String(length).utf8.count }
        bytes += String(length).utf8
        bytes.append(UInt8(ascii: " "))
        bytes += key
        bytes.append(UInt8(ascii: "="))
        bytes += value
        bytes.append(UInt8(ascii: "\n"))
    }

    /// A file's name. These are UTF-8, unless the header says that they are bytes.
    mutating func add(text key: StaticString, _ value: [UInt8]) {
        if !hasBinaryMark, String(validating: value, as: UTF8.self) == nil {
            hasBinaryMark = true
            let mark = PaxRecords.make("hdrcharset", Array("BINARY".utf8))
            bytes = mark.bytes + bytes
        }
        add(key, value)
    }

    private static func make(_ key: StaticString, _ value: [UInt8]) -> PaxRecords {
        var records = PaxRecords()
        records.add(key, value)
        return records
    }

    /// How the name of an extended attribute is written, which may have what a record's key can't.
    enum AttributeForm {
        /// As `SCHILY.xattr`, with GNU tar's "%3D" for "=". That reads "%3D" and "%25" only, so every other "%" stays,
        /// for those that decode nothing.
        case gnu
        /// As `SCHILY.xattr` with the name as it is, as Go's archive/tar writes and reads it: no name has a "=".
        case plain
        /// As `LIBARCHIVE.xattr` where it matters, which `tar2sqfs` decodes: the name URL-encoded, the value base64.
        case libarchive
    }

    /// - Returns: whether the form has a place for such a name.
    mutating func add(attribute name: [UInt8], _ value: [UInt8], _ form: AttributeForm) -> Bool {
        let hasEquals = name.contains(UInt8(ascii: "="))
        switch form {
        case .gnu: add(Array("SCHILY.xattr.".utf8) + Self.escaped(name), value)
        case .plain:
            guard !hasEquals else { return false }
            add(Array("SCHILY.xattr.".utf8) + name, value)
        case .libarchive where hasEquals:
            add(Array("LIBARCHIVE.xattr.".utf8) + Self.urlEncoded(name), Self.base64(value))
        case .libarchive: add(Array("SCHILY.xattr.".utf8) + name, value)
        }
        return true
    }

    private static func escaped(_ name: [UInt8]) -> [UInt8] {
        var result: [UInt8] = []
        for (index, byte) in name.enumerated() {
            let following = name[(index + 1)...].prefix(2)
            switch byte {
            case UInt8(ascii: "="): result += "%3D".utf8
            case UInt8(ascii: "%") where following.elementsEqual("3D".utf8) || following.elementsEqual("25".utf8):
                result += "%25".utf8
            default: result.append(byte)
            }
        }
        return result
    }

    private static func urlEncoded(_ name: [UInt8]) -> [UInt8] {
        name.flatMap { byte -> [UInt8] in
            switch byte {
            case UInt8(ascii: "="): Array("%3D".utf8)
            case UInt8(ascii: "%"): Array("%25".utf8)
            default: [byte]
            }
        }
    }

    private static func base64(_ bytes: [UInt8]) -> [UInt8] {
        let digits = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)
        var result: [UInt8] = []
        for start in stride(from: 0, to: bytes.count, by: 3) {
            let group = bytes[start..<min(start + 3, bytes.count)]
            let bits = group.reduce(0) { $0 << 8 | Int($1) } << (8 * (3 - group.count))
            for index in 0...group.count { result.append(digits[bits >> (18 - 6 * index) & 63]) }
            result += [UInt8](repeating: UInt8(ascii: "="), count: 3 - group.count)
        }
        return result
    }
}
