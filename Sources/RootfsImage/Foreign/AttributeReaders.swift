internal import FakeRoot
internal import LinuxFiles

/// No metadata: the caller's own files become root's, other people's keep their numbers; and so do all where the caller
/// is root, who could have made them as they shall be.
final class PlainReader: MetadataReader {
    private let user = System.effectiveUser

    func metadata(of file: HostFile) throws(ImageError) -> FileMetadata? {
        var metadata = FileMetadata(of: file)
        if user != 0, file.status.uid == user { metadata.owner = Owner(uid: 0, gid: 0) }
        metadata.attributes = try HostAttributes(of: file).own
        return metadata
    }
}

/// `user.containers.override_stat`, as `FakeRootTree` reads it; and fuse-overlayfs' own older name of the same.
final class OverrideStatReader: MetadataReader {
    private let tree: FakeRootTree

    init(_ root: CInt) throws(ImageError) {
        tree = try ImageError.attempt("can't open the directory") { () throws(Errno) in
            try FakeRootTree(owning: System.open(at: root, ".", [.path, .directory]), mayRaiseModes: false)
        }
    }

    func metadata(of file: HostFile) throws(ImageError) -> FileMetadata? {
        try ImageError.attempt("can't read the label of \(file.description)") { () throws(Errno) in
            let status = try tree.status(of: file.descriptor)
            var metadata = FileMetadata(
                owner: Owner(uid: status.uid, gid: status.gid),
                permissions: status.permissions,
                kind: status.kind
            )
            for name in try tree.attributeNames(of: file.descriptor).split(separator: 0) {
                let name = Array(name)
                let value = try tree.attribute(name.span.bytes, of: file.descriptor)
                if name.elementsEqual(Self.olderName.utf8) {
                    let label = value.withUnsafeBytes { Label(parsing: $0) }
                    guard let label else { continue }
                    metadata.owner = Owner(uid: label.uid, gid: label.gid)
                    metadata.permissions = label.mode
                    metadata.kind = label.kind ?? metadata.kind
                } else if !HostAttributes.toolPrefixes.contains(where: { name.starts(with: $0.utf8) }) {
                    metadata.attributes.append(ImageEntry.Attribute(name: name, value: value))
                }
            }
            return metadata
        }
    }

    static let olderName = "user.fuseoverlayfs.override_stat"
}

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
