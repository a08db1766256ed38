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

    /// An extended attribute, as GNU tar and libarchive write it.
    mutating func add(attribute name: [UInt8], _ value: [UInt8]) {
        add(Array("SCHILY.xattr.".utf8) + Self.escaped(name), value)
    }

    /// GNU tar's way with "=" in a name. It reads "%3D" and "%25" only, so every other "%" stays, for those that don't.
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
}
