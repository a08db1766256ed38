internal import FakeRoot
internal import ImageEntries

/// POSIX ACLs as `rsync --fake-super` keeps them: four u32 LE for owner, group, mask and others, 0x80 where the mode or
/// nothing says it; then pairs of u32 LE, an id and its permissions, bit 31 telling a user from a group.
enum RsyncACL {
    private static let none: UInt32 = 0x80
    private static let isUser: UInt32 = 1 << 31

    /// rsync's form as Linux' own.
    /// - Parameter permissions: the file's mode; nil for a default ACL, which stands alone.
    /// - Returns: nil for a malformed value.
    static func decode(_ value: [UInt8], permissions: UInt32?) -> [UInt8]? {
        guard value.count >= 16, (value.count - 16) % 8 == 0 else { return nil }
        func said(at offset: Int, shift: UInt32) -> UInt16? {
            let word = value.littleEndian32(at: offset)
            return word != none ? UInt16(word & 7) : permissions.map { UInt16($0 >> shift & 7) }
        }
        guard let owner = said(at: 0, shift: 6), let group = said(at: 4, shift: 3), let other = said(at: 12, shift: 0)
        else { return nil }
        var entries: [AccessControlList.Entry] = [
            .init(.owner, permissions: owner), .init(.owningGroup, permissions: group),
            .init(.other, permissions: other),
        ]
        for offset in stride(from: 16, to: value.count, by: 8) {
            let access = value.littleEndian32(at: offset + 4)
            entries.append(
                .init(
                    access & isUser != 0 ? .user : .group,
                    permissions: UInt16(access & 7),
                    id: value.littleEndian32(at: offset)
                )
            )
        }
        let mask = value.littleEndian32(at: 8)
        if mask != none {
            entries.append(.init(.mask, permissions: UInt16(mask & 7)))
        } else if entries.count > 3 {
            entries.append(.init(.mask, permissions: permissions.map { UInt16($0 >> 3 & 7) } ?? 7))
        }
        return AccessControlList(entries)?.attribute
    }

    /// Linux' own form as rsync's.
    /// - Returns: nil for a malformed value.
    static func encode(_ value: [UInt8], isDefault: Bool) -> [UInt8]? {
        guard let list = AccessControlList(attribute: value) else { return nil }
        func permissions(_ tag: AccessControlList.Tag) -> UInt32 {
            list.entries.first { $0.tag == tag }.map { UInt32($0.permissions) } ?? none
        }
        let mask = permissions(.mask)
        var result: [UInt8] = []
        // The mode says an access ACL's owner and others; its group bits say the mask if there is one.
        result.appendLittleEndian(isDefault ? permissions(.owner) : none)
        result.appendLittleEndian(!isDefault && mask == none ? none : permissions(.owningGroup))
        result.appendLittleEndian(mask)
        result.appendLittleEndian(isDefault ? permissions(.other) : none)
        for entry in list.entries where entry.tag.hasID {
            result.appendLittleEndian(entry.id)
            result.appendLittleEndian(UInt32(entry.permissions) | (entry.tag == .user ? isUser : 0))
        }
        return result
    }
}
