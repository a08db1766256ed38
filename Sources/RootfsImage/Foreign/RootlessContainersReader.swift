internal import FakeRoot
internal import ImageEntries

/// umoci and PRoot: owners only, as a protobuf message with the fields 1, uid, and 2, gid; `UInt32.max` says nothing.
final class RootlessContainersReader: MetadataReader {
    static let name = "user.rootlesscontainers"

    func metadata(of file: HostFile) throws(ImageError) -> FileMetadata? {
        let attributes = try HostAttributes(of: file)
        var metadata = FileMetadata(of: file)
        metadata.owner = Owner(uid: 0, gid: 0)
        metadata.attributes = attributes.own
        guard let value = attributes[Self.name] else { return metadata }
        guard let owner = Self.parse(value) else {
            throw ImageError(.badArchive, "the attribute \(Self.name) of \(file.description) is damaged")
        }
        metadata.owner = owner
        return metadata
    }

    func knows(_ file: HostFile) throws(ImageError) -> Bool { try HostAttributes(of: file)[Self.name] != nil }

    static func parse(_ message: [UInt8]) -> Owner? {
        var owner = Owner(uid: 0, gid: 0)
        var rest = message[...]
        while !rest.isEmpty {
            guard let key = takeVarint(&rest) else { return nil }
            switch key & 7 {
            case 0:
                guard let value = takeVarint(&rest) else { return nil }
                let number = UInt32(truncatingIfNeeded: value)
                guard number != .max else { continue }
                if key >> 3 == 1 { owner.uid = number }
                if key >> 3 == 2 { owner.gid = number }
            case 2:
                guard let length = takeVarint(&rest), length <= UInt64(rest.count) else { return nil }
                rest = rest.dropFirst(Int(length))
            case 1, 5:
                let length = key & 7 == 1 ? 8 : 4
                guard rest.count >= length else { return nil }
                rest = rest.dropFirst(length)
            default: return nil
            }
        }
        return owner
    }

    private static func takeVarint(_ rest: inout ArraySlice<UInt8>) -> UInt64? {
        var value: UInt64 = 0
        for shift in stride(from: UInt64(0), to: 64, by: 7) {
            guard let byte = rest.popFirst() else { return nil }
            value |= UInt64(byte & 0x7f) << shift
            if byte < 0x80 { return value }
        }
        return nil
    }
}
