internal import FakeRoot
internal import ImageEntries

/// The extended attributes of a pax header, in the ways that programs write them.
extension TarMember {
    /// How "%25" and "%3D" in the name of a `SCHILY.xattr` record are read. A record's key ends at the first "=".
    enum Dialect {
        /// GNU tar writes "%" and "=" so, and reads them.
        case gnu
        /// Go's archive/tar, and so everything that handles layers of container images, encodes no names.
        case plain
    }

    /// What there is, and how many names were decoded.
    func attributes(_ dialect: Dialect) throws(Ambiguity) -> (attributes: [ImageEntry.Attribute], decoded: Int) {
        let pairs = try libarchiveAttributes()
        var attributes = pairs.map(\.attribute)
        // bsdtar writes each attribute in both forms; in the second the name is encoded as well, or as it is, and then
        // its "=" doesn't end it.
        let lines = Set(
            pairs.flatMap { name, attribute in
                [name, attribute.name].map { $0 + [UInt8(ascii: "=")] + attribute.value }
            }
        )
        let isFromLibarchive = !attributes.isEmpty
        var decoded = 0
        for record in records {
            guard let raw = Self.name(record.key, after: "SCHILY.xattr.") else { continue }
            guard !lines.contains(raw + [UInt8(ascii: "=")] + record.value) else { continue }
            let name = dialect == .gnu && !isFromLibarchive ? Self.decoded(raw) : raw
            if name != raw { decoded += 1 }
            attributes.append(ImageEntry.Attribute(name: name, value: record.value))
        }
        // GNU tar's --selinux and star; the attribute itself ends with a NUL.
        let label = Array("security.selinux".utf8)
        if let context = value("RHT.security.selinux"), !context.isEmpty,
            !attributes.contains(where: { $0.name == label })
        {
            attributes.append(ImageEntry.Attribute(name: label, value: context + [0]))
        }
        for attribute in attributes where attribute.name.isEmpty || attribute.name.contains(0) {
            throw Ambiguity(reason: "it has an extended attribute whose name can't be")
        }
        return (attributes, decoded)
    }

    private static func name(_ key: [UInt8], after prefix: StaticString) -> [UInt8]? {
        let bytes = UnsafeBufferPointer(start: prefix.utf8Start, count: prefix.utf8CodeUnitCount)
        return key.starts(with: bytes) ? Array(key[bytes.count...]) : nil
    }

    /// The attributes, each with its name as the record has it.
    /// - Throws: what is not base64.
    private func libarchiveAttributes() throws(Ambiguity) -> [(name: [UInt8], attribute: ImageEntry.Attribute)] {
        var attributes: [(name: [UInt8], attribute: ImageEntry.Attribute)] = []
        for record in records {
            guard let name = Self.name(record.key, after: "LIBARCHIVE.xattr.") else { continue }
            guard let value = Self.base64(record.value) else {
                throw Ambiguity(reason: "its LIBARCHIVE.xattr record is not base64")
            }
            attributes.append((name, ImageEntry.Attribute(name: Self.urlDecoded(name), value: value)))
        }
        return attributes
    }

    /// GNU tar reads these two, and no others.
    private static func decoded(_ name: [UInt8]) -> [UInt8] {
        guard name.contains(UInt8(ascii: "%")) else { return name }
        var result: [UInt8] = []
        var rest = name[...]
        while let byte = rest.first {
            let isPercent = rest.starts(with: "%25".utf8)
            let isCode = isPercent || rest.starts(with: "%3D".utf8)
            result.append(isCode ? UInt8(ascii: isPercent ? "%" : "=") : byte)
            rest = rest.dropFirst(isCode ? 3 : 1)
        }
        return result
    }

    private static func urlDecoded(_ name: [UInt8]) -> [UInt8] {
        var result: [UInt8] = []
        var rest = name[...]
        while let byte = rest.first {
            let digits = rest.dropFirst().prefix(2)
            if byte == UInt8(ascii: "%"), digits.count == 2, digits.first != UInt8(ascii: "+"),
                digits.first != UInt8(ascii: "-"), let code = UInt8(String(decoding: digits, as: UTF8.self), radix: 16)
            {
                result.append(code)
                rest = rest.dropFirst(3)
            } else {
                result.append(byte)
                rest = rest.dropFirst()
            }
        }
        return result
    }

    /// - Returns: nil for a malformed value; "=" at the end may be missing, as libarchive leaves it out.
    private static func base64(_ text: [UInt8]) -> [UInt8]? {
        var result: [UInt8] = []
        var (bits, count): (UInt32, UInt32) = (0, 0)
        for byte in text where byte != UInt8(ascii: "=") && byte != UInt8(ascii: "\n") {
            guard let value = digit(byte) else { return nil }
            bits = bits << 6 | UInt32(value)
            count += 6
            if count >= 8 {
                count -= 8
                result.append(UInt8(truncatingIfNeeded: bits >> count))
            }
        }
        return result
    }

    private static func digit(_ byte: UInt8) -> UInt8? {
        switch byte {
        case UInt8(ascii: "A")...UInt8(ascii: "Z"): byte - UInt8(ascii: "A")
        case UInt8(ascii: "a")...UInt8(ascii: "z"): byte - UInt8(ascii: "a") + 26
        case UInt8(ascii: "0")...UInt8(ascii: "9"): byte - UInt8(ascii: "0") + 52
        case UInt8(ascii: "+"): 62
        case UInt8(ascii: "/"): 63
        default: nil
        }
    }
}
