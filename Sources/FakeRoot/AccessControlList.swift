/// A POSIX access control list in the form of the attributes `system.posix_acl_access` and `system.posix_acl_default`:
/// version 2 as u32, then entries of tag u16, permissions u16 and id u32, all little-endian.
///
/// Source: `linux/posix_acl_xattr.h`; the rules of `acl(5)`.
struct AccessControlList: Equatable {
    struct Entry: Equatable {
        var tag: UInt16
        var permissions: UInt16
        var id: UInt32
    }

    private enum Tag {
        static let owner: UInt16 = 0x01
        static let user: UInt16 = 0x02
        static let owningGroup: UInt16 = 0x04
        static let group: UInt16 = 0x08
        static let mask: UInt16 = 0x10
        static let other: UInt16 = 0x20
    }

    private(set) var entries: [Entry]

    private static let headerSize = 4
    private static let entrySize = 8

    /// - Returns: nil for what is not a whole and valid list.
    init?(_ bytes: [UInt8]) {
        guard bytes.count > Self.headerSize, (bytes.count - Self.headerSize) % Self.entrySize == 0,
            bytes[..<Self.headerSize].elementsEqual([2, 0, 0, 0])
        else { return nil }
        entries = []
        for start in stride(from: Self.headerSize, to: bytes.count, by: Self.entrySize) {
            var id: UInt32 = 0
            for index in 0..<4 { id |= UInt32(bytes[start + 4 + index]) << UInt32(8 * index) }
            let tag = UInt16(bytes[start]) | UInt16(bytes[start + 1]) << 8
            let permissions = UInt16(bytes[start + 2]) | UInt16(bytes[start + 3]) << 8
            entries.append(Entry(tag: tag, permissions: permissions, id: id))
        }
        guard isValid else { return nil }
    }

    /// Owner, users, owning group, groups, mask, others; the mask only if there are users or groups, and then always.
    private var isValid: Bool {
        guard entries.allSatisfy({ $0.permissions <= 7 }) else { return false }
        var last: UInt16 = 0
        for entry in entries {
            let mayRepeat = entry.tag == Tag.user || entry.tag == Tag.group
            guard entry.tag > last || mayRepeat && entry.tag == last else { return false }
            last = entry.tag
        }
        let tags = Set(entries.map(\.tag))
        guard tags.isSubset(of: [Tag.owner, Tag.user, Tag.owningGroup, Tag.group, Tag.mask, Tag.other]) else {
            return false
        }
        let needsMask = tags.contains(Tag.user) || tags.contains(Tag.group)
        return tags.isSuperset(of: [Tag.owner, Tag.owningGroup, Tag.other]) && (!needsMask || tags.contains(Tag.mask))
    }

    var bytes: [UInt8] {
        var bytes: [UInt8] = [2, 0, 0, 0]
        for entry in entries {
            bytes.append(UInt8(truncatingIfNeeded: entry.tag))
            bytes.append(UInt8(truncatingIfNeeded: entry.tag >> 8))
            bytes.append(UInt8(truncatingIfNeeded: entry.permissions))
            bytes.append(0)
            for index in 0..<4 { bytes.append(UInt8(truncatingIfNeeded: entry.id >> UInt32(8 * index))) }
        }
        return bytes
    }

    /// Whether a mode says the same.
    var isTrivial: Bool { entries.count == 3 }

    /// The rwx bits of a mode; the group's are the mask's, if there is one.
    var permissions: UInt32 {
        func bits(_ tag: UInt16) -> UInt32? { entries.first { $0.tag == tag }.map { UInt32($0.permissions) } }
        let group = bits(Tag.mask) ?? bits(Tag.owningGroup) ?? 0
        return (bits(Tag.owner) ?? 0) << 6 | group << 3 | (bits(Tag.other) ?? 0)
    }

    /// Takes a mode over, as chmod does.
    mutating func setPermissions(_ permissions: UInt32) {
        let hasMask = entries.contains { $0.tag == Tag.mask }
        for index in entries.indices {
            switch entries[index].tag {
            case Tag.owner: entries[index].permissions = UInt16(permissions >> 6 & 7)
            case hasMask ? Tag.mask : Tag.owningGroup: entries[index].permissions = UInt16(permissions >> 3 & 7)
            case Tag.other: entries[index].permissions = UInt16(permissions & 7)
            default: break
            }
        }
    }
}
