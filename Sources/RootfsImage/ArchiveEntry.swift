internal import CArchive
internal import FakeRoot
internal import LinuxFiles

/// An entry's header, as libarchive gives it; valid until the reader goes on.
struct ArchiveEntry {
    private let raw: OpaquePointer

    init(_ raw: OpaquePointer) {
        self.raw = raw
    }

    /// The path as it stands in the archive; empty if there is none.
    var pathname: UnsafeBufferPointer<UInt8> { Self.bytes(archive_entry_pathname(raw)) }

    /// The path of the file that this entry is another name of; nil for all but hard links.
    var hardLink: UnsafeBufferPointer<UInt8>? { archive_entry_hardlink(raw).map(Self.bytes) }

    /// The target of a symbolic link, as a C string.
    var symlinkTarget: UnsafePointer<CChar>? { archive_entry_symlink(raw) }

    private static func bytes(_ text: UnsafePointer<CChar>?) -> UnsafeBufferPointer<UInt8> {
        guard let text else { return UnsafeBufferPointer(start: nil, count: 0) }
        var count = 0
        while text[count] != 0 { count += 1 }
        return UnsafeBufferPointer(
            start: UnsafeRawPointer(text).assumingMemoryBound(to: UInt8.self),
            count: count
        )
    }

    /// Nil for a type that no Linux file has, or a device number that Linux doesn't have (12 bits of major number and
    /// 20 of minor).
    var kind: NodeKind? {
        let format = FileFormat(mode: UInt32(archive_entry_filetype(raw)))
        guard format == .block || format == .character else { return NodeKind(format) }
        let major = UInt64(archive_entry_rdevmajor(raw))
        let minor = UInt64(archive_entry_rdevminor(raw))
        guard major < 1 << 12, minor < 1 << 20 else { return nil }
        return NodeKind(format, major: UInt32(major), minor: UInt32(minor))
    }

    /// Nil if one of the numbers is none that Linux has: negative, or 2^32 - 1 and more.
    var owner: Owner? {
        guard let uid = UInt32(exactly: archive_entry_uid(raw)), uid != UInt32.max,
            let gid = UInt32(exactly: archive_entry_gid(raw)), gid != UInt32.max
        else { return nil }
        return Owner(uid: uid, gid: gid)
    }

    var permissions: UInt32 { UInt32(archive_entry_perm(raw)) & 0o7777 }

    /// In bytes, holes included.
    var size: Int64 { archive_entry_size(raw) }

    var modificationTime: FileTime? {
        guard archive_entry_mtime_is_set(raw) != 0 else { return nil }
        return FileTime(
            seconds: Int64(archive_entry_mtime(raw)),
            nanoseconds: UInt32(clamping: archive_entry_mtime_nsec(raw))
        )
    }

    /// Whether there are access control lists; libarchive delivers them apart from the attributes.
    var hasAccessControlLists: Bool { archive_entry_acl_types(raw) != 0 }

    /// Calls `body` with every extended attribute: its name, and its value.
    func forEachAttribute<Failure: Error>(
        _ body: (UnsafeBufferPointer<UInt8>, RawSpan) throws(Failure) -> Void
    ) throws(Failure) {
        guard archive_entry_xattr_reset(raw) > 0 else { return }
        var name: UnsafePointer<CChar>?
        var value: UnsafeRawPointer?
        var size = 0
        while archive_entry_xattr_next(raw, &name, &value, &size) == ARCHIVE_OK {
            try body(Self.bytes(name), UnsafeRawBufferPointer(start: value, count: size).bytes)
        }
    }
}
