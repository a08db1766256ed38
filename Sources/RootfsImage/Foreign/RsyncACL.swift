/// POSIX ACLs as `rsync --fake-super` keeps them: four u32 LE for owner, group, mask and others, 0x80 where the mode or
/// nothing says it; then pairs of u32 LE, an id and its permissions, bit 31 telling a user from a group.
enum RsyncACL {
    private static let none: UInt32 = 0x80
    private static let isUser: UInt32 = 1 << 31

    // Linux' own form: version 2, then tag u16, permissions u16, id u32 of each entry, in the order of tags and ids.
    private static let version: UInt32 = 2
    private static let undefined: UInt32 = .max
    private enum Tag {
        static let owner: UInt16 = 1
        static let user: UInt16 = 2
        static let owningGroup: UInt16 = 4
        static let group: UInt16 = 8
        static let mask: UInt16 = 16
        static let others: UInt16 = 32
    }

    /// rsync's form as Linux' own.
    /// - Parameter permissions: the file's mode; nil for a default ACL, which stands alone.
    /// - Returns: nil for what is none.
    static func decode(_ value: [UInt8], permissions: UInt32?) -> [UInt8]? {
        guard value.count >= 16, (value.count - 16) % 8 == 0 else { return nil }
        func word(_ index: Int) -> UInt32 { (0..<4).reduce(0) { $0 | UInt32(value[index * 4 + $1]) << (8 * UInt32($1)) } }
        func permission(_ index: Int, shift: UInt32) -> UInt32? {
            let own = word(index)
            if own != none { return own & 7 }
            return permissions.map { $0 >> shift & 7 }
        }
        var entries: [(tag: UInt16, permissions: UInt32, id: UInt32)] = []
        guard let owner = permission(0, shift: 6), let group = permission(1, shift: 3),
            let others = permission(3, shift: 0)
        else { return nil }
        entries.append((Tag.owner, owner, undefined))
        entries.append((Tag.owningGroup, group, undefined))
        entries.append((Tag.others, others, undefined))
        for index in stride(from: 4, to: value.count / 4, by: 2) {
            let access = word(index + 1)
            entries.append((access & isUser != 0 ? Tag.user : Tag.group, access & 7, word(index)))
        }
        if word(2) != none {
            entries.append((Tag.mask, word(2) & 7, undefined))
        } else if entries.count > 3 {
            entries.append((Tag.mask, permissions.map { $0 >> 3 & 7 } ?? 7, undefined))
        }
        entries.sort { ($0.tag, $0.id) < ($1.tag, $1.id) }
        var result = bytes(version)
        for entry in entries {
            result += [UInt8(truncatingIfNeeded: entry.tag), 0, UInt8(entry.permissions), 0] + bytes(entry.id)
        }
        return result
    }

    /// Linux' own form as rsync's.
    /// - Returns: nil for what is none.
    static func encode(_ value: [UInt8], isDefault: Bool) -> [UInt8]? {
        guard value.count >= 4, (value.count - 4) % 8 == 0, Array(value[..<4]) == bytes(version) else { return nil }
        var fixed: [UInt32] = [none, none, none, none]
        var users: [UInt8] = []
        var groups: [UInt8] = []
        for start in stride(from: 4, to: value.count, by: 8) {
            let tag = UInt16(value[start]) | UInt16(value[start + 1]) << 8
            let access = UInt32(value[start + 2] & 7)
            let id = Array(value[(start + 4)..<(start + 8)])
            switch tag {
            case Tag.owner: fixed[0] = access
            case Tag.owningGroup: fixed[1] = access
            case Tag.mask: fixed[2] = access
            case Tag.others: fixed[3] = access
            case Tag.user: users += id + bytes(access | isUser)
            case Tag.group: groups += id + bytes(access)
            default: return nil
            }
        }
        if !isDefault {
            // The mode says these; its group bits say the mask if there is one, else the group's own.
            fixed[0] = none
            fixed[3] = none
            if fixed[2] == none { fixed[1] = none }
        }
        return fixed.flatMap(bytes) + users + groups
    }

    private static func bytes(_ value: UInt32) -> [UInt8] {
        (0..<4).map { UInt8(truncatingIfNeeded: value >> (8 * $0)) }
    }
}
