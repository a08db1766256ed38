internal import CArchive
internal import FakeRoot
internal import ImageEntries
internal import LinuxFiles

/// An entry's header, as libarchive gives it; valid until the reader goes on.
struct ArchiveEntry {
    let raw: OpaquePointer
    /// What the pax headers have of extended attributes; nil in formats that have no such headers.
    var paxAttributes: [ImageEntry.Attribute]?

    init(_ raw: OpaquePointer) {
        self.raw = raw
    }

    /// The path as it stands in the archive; empty if there is none.
    var pathname: UnsafeBufferPointer<UInt8> { Self.bytes(archive_entry_pathname(raw)) }

    /// The path of the file that this entry is another name of; nil for all but hard links.
    private var hardLink: UnsafeBufferPointer<UInt8>? { archive_entry_hardlink(raw).map(Self.bytes) }

    private var symlinkTarget: UnsafeBufferPointer<UInt8> { Self.bytes(archive_entry_symlink(raw)) }

    /// The whole header.
    /// - Throws: `refusedEntry` for what Linux doesn't have.
    func imageEntry() throws(ImageError) -> ImageEntry {
        guard !pathname.isEmpty else { throw .refused("an entry without a name", "it can't be made") }
        if let hardLink {
            // cpio has the content with a file's last name, and `pax -o linkdata` with each.
            return ImageEntry(
                path: Array(pathname),
                body: .hardLink(Array(hardLink)),
                permissions: permissions,
                size: UInt64(max(size, 0)),
                modificationTime: modificationTime
            )
        }
        guard let kind else { throw refusal("Linux has no such type of file or device number") }
        guard let owner else { throw refusal("its owner or group is not a number that Linux has") }
        return ImageEntry(
            path: Array(pathname),
            body: body(kind),
            owner: owner,
            permissions: permissions,
            size: kind == .file ? UInt64(max(size, 0)) : 0,
            modificationTime: modificationTime,
            attributes: attributes
        )
    }

    private func body(_ kind: NodeKind) -> ImageEntry.Body {
        switch kind {
        case .file: .file
        case .directory: .directory
        case .symlink: .symlink(Array(symlinkTarget))
        case .pipe, .socket, .block, .character: .special(kind)
        }
    }

    private func refusal(_ reason: String) -> ImageError { .refused(printable(pathname), reason) }

    static func bytes(_ text: UnsafePointer<CChar>?) -> UnsafeBufferPointer<UInt8> {
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
    private var kind: NodeKind? {
        let format = FileFormat(mode: UInt32(archive_entry_filetype(raw)))
        guard format == .block || format == .character else { return NodeKind(format) }
        let major = UInt64(archive_entry_rdevmajor(raw))
        let minor = UInt64(archive_entry_rdevminor(raw))
        guard major < 1 << 12, minor < 1 << 20 else { return nil }
        return NodeKind(format, major: UInt32(major), minor: UInt32(minor))
    }

    /// Nil if Linux can't have one of the numbers: negative, or 2^32 - 1 and more.
    private var owner: Owner? {
        guard let uid = UInt32(exactly: archive_entry_uid(raw)), uid != UInt32.max,
            let gid = UInt32(exactly: archive_entry_gid(raw)), gid != UInt32.max
        else { return nil }
        return Owner(uid: uid, gid: gid)
    }

    /// The group's bits are the mask's where there is an access ACL, as Linux has it in the mode; libarchive puts
    /// the owning group's own entry there.
    private var permissions: UInt32 {
        let permissions = UInt32(archive_entry_perm(raw)) & 0o7777
        guard let list = accessList else { return permissions }
        return permissions & 0o7000 | list.modeBits
    }

    /// In bytes, holes included.
    private var size: Int64 { archive_entry_size(raw) }

    private var modificationTime: FileTime? {
        guard archive_entry_mtime_is_set(raw) != 0 else { return nil }
        let seconds = Int64(archive_entry_mtime(raw))
        let nanoseconds = UInt32(clamping: archive_entry_mtime_nsec(raw))
        // libarchive 3.6 makes -1 s and 0.5 s of pax' "-1.5", which is -2 s and 0.5 s, and forgets the sign of "-0.5".
        // No other format that comes this way has fractions.
        guard seconds < 0, nanoseconds > 0 else { return FileTime(seconds: seconds, nanoseconds: nanoseconds) }
        return FileTime(seconds: seconds - 1, nanoseconds: 1_000_000_000 - nanoseconds)
    }
}
