internal import CArchive
internal import FakeRoot
internal import ImageEntries

/// What an archive's entry has of extended attributes, POSIX ACLs among them.
extension ArchiveEntry {
    /// The attributes, ACLs as Linux' own.
    var attributes: [ImageEntry.Attribute] {
        let attributes = extendedAttributes
        // GNU tar with --acls and --xattrs-include='*' has them in both forms.
        let lists = [
            (name: AccessControlList.accessName, list: accessList),
            (name: AccessControlList.defaultName, list: defaultList),
        ]
        return attributes
            + lists.compactMap { name, list in
                guard let list, !attributes.contains(where: { $0.name == name }) else { return nil }
                return ImageEntry.Attribute(name: name, value: list.attribute)
            }
    }

    /// An ACL in the form of Linux' own attribute.
    private func rawList(_ name: [UInt8]) -> AccessControlList? {
        extendedAttributes.first { $0.name == name }.flatMap { AccessControlList(attribute: $0.value) }
    }

    private var extendedAttributes: [ImageEntry.Attribute] {
        if let paxAttributes { return paxAttributes }
        guard archive_entry_xattr_reset(raw) > 0 else { return [] }
        var attributes: [ImageEntry.Attribute] = []
        var name: UnsafePointer<CChar>?
        var value: UnsafeRawPointer?
        var size = 0
        while archive_entry_xattr_next(raw, &name, &value, &size) == ARCHIVE_OK {
            let value = UnsafeRawBufferPointer(start: value, count: size)
            attributes.append(ImageEntry.Attribute(name: Array(Self.bytes(name)), value: Array(value)))
        }
        return attributes
    }

    /// The access ACL; nil if there is none that says more than the mode.
    var accessList: AccessControlList? {
        let list = rawList(AccessControlList.accessName) ?? list(ARCHIVE_ENTRY_ACL_TYPE_ACCESS)
        return list.flatMap { $0.isTrivial ? nil : $0 }
    }

    /// The default ACL of a directory.
    private var defaultList: AccessControlList? {
        rawList(AccessControlList.defaultName) ?? list(ARCHIVE_ENTRY_ACL_TYPE_DEFAULT)
    }

    /// Whether there is an ACL that Linux can't have, or whose users and groups have no numbers.
    var hasForeignAccessControlList: Bool {
        let types = archive_entry_acl_types(raw)
        let nfs4 =
            ARCHIVE_ENTRY_ACL_TYPE_ALLOW | ARCHIVE_ENTRY_ACL_TYPE_DENY | ARCHIVE_ENTRY_ACL_TYPE_AUDIT
            | ARCHIVE_ENTRY_ACL_TYPE_ALARM
        let isAccessLost =
            types & ARCHIVE_ENTRY_ACL_TYPE_ACCESS != 0 && list(ARCHIVE_ENTRY_ACL_TYPE_ACCESS) == nil
            && rawList(AccessControlList.accessName) == nil
        let isDefaultLost = types & ARCHIVE_ENTRY_ACL_TYPE_DEFAULT != 0 && defaultList == nil
        return types & nfs4 != 0 || isAccessLost || isDefaultLost
    }

    /// libarchive keeps ACLs apart from the attributes, and their owner, group and other entries in the mode.
    private func list(_ type: CInt) -> AccessControlList? {
        guard archive_entry_acl_types(raw) & type != 0, archive_entry_acl_reset(raw, type) > 0 else { return nil }
        var entries: [AccessControlList.Entry] = []
        var (entryType, permissions, tag, id): (CInt, CInt, CInt, CInt) = (0, 0, 0, 0)
        var name: UnsafePointer<CChar>?
        while archive_entry_acl_next(raw, type, &entryType, &permissions, &tag, &id, &name) == ARCHIVE_OK {
            guard let tag = Self.tag(tag), permissions & ~7 == 0 else { return nil }
            // -1 where the archive has a name only.
            guard !tag.hasID || id != -1 else { return nil }
            entries.append(
                AccessControlList.Entry(tag, permissions: UInt16(permissions), id: UInt32(bitPattern: id))
            )
        }
        return AccessControlList(entries)
    }

    private static func tag(_ tag: CInt) -> AccessControlList.Tag? {
        switch tag {
        case ARCHIVE_ENTRY_ACL_USER_OBJ: .owner
        case ARCHIVE_ENTRY_ACL_USER: .user
        case ARCHIVE_ENTRY_ACL_GROUP_OBJ: .owningGroup
        case ARCHIVE_ENTRY_ACL_GROUP: .group
        case ARCHIVE_ENTRY_ACL_MASK: .mask
        case ARCHIVE_ENTRY_ACL_OTHER: .other
        default: nil
        }
    }
}
