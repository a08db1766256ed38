internal import ImageEntries

/// Extended attributes as ext4 writes them.
///
/// Source: the kernel's fs/ext4/xattr.h and fs/ext4/acl.h.
enum Ext4AttributeFormat {
    static let magic: UInt32 = 0xea02_0000
    /// Before the first entry in a block.
    static let blockHeaderSize = 32
    /// Bytes of one entry, before its name.
    static let entrySize = 16
    /// The most bytes of one value in an inode of its own.
    static let maxValueSize = 64 << 10
    /// What short file contents are kept in; no attribute for anybody.
    static let inlineData = Array("system.data".utf8)

    static let accessACL = Array("system.posix_acl_access".utf8)
    static let defaultACL = Array("system.posix_acl_default".utf8)

    /// The prefix of the name that an entry's number means; nil for numbers that Linux gave to nobody but the file
    /// system's own use.
    static func prefix(_ index: UInt8) -> String? {
        switch index {
        case 0: ""
        case 1: "user."
        case 2: "system.posix_acl_access"
        case 3: "system.posix_acl_default"
        case 4: "trusted."
        case 5: "lustre."
        case 6: "security."
        case 7: "system."
        case 8: "system.richacl"
        default: nil
        }
    }

    private static let userObject: UInt16 = 1
    private static let user: UInt16 = 2
    private static let groupObject: UInt16 = 4
    private static let group: UInt16 = 8
    private static let mask: UInt16 = 0x10
    private static let other: UInt16 = 0x20
    private static let anyID: UInt32 = .max

    /// A POSIX ACL in Linux' own form, from ext4's: there the entries without a uid or gid are shorter.
    /// - Returns: nil for a malformed value.
    static func linuxACL(fromExt4 value: [UInt8]) -> [UInt8]? {
        guard value.count >= 4, value.littleEndian32(at: 0) == 1 else { return nil }
        var result: [UInt8] = []
        result.appendLittleEndian(UInt32(2))
        var position = 4
        while position < value.count {
            guard value.count - position >= 4 else { return nil }
            let tag = value.littleEndian16(at: position)
            result += value[position..<position + 4]
            position += 4
            switch tag {
            case user, group:
                guard value.count - position >= 4 else { return nil }
                result += value[position..<position + 4]
                position += 4
            case userObject, groupObject, mask, other: result.appendLittleEndian(anyID)
            default: return nil
            }
        }
        return result
    }

    /// The reverse.
    /// - Returns: nil unless it is a POSIX ACL in Linux' form.
    static func ext4ACL(fromLinux value: [UInt8]) -> [UInt8]? {
        guard value.count >= 4, value.count % 8 == 4, value.littleEndian32(at: 0) == 2 else { return nil }
        var result: [UInt8] = []
        result.appendLittleEndian(UInt32(1))
        for position in stride(from: 4, to: value.count, by: 8) {
            switch value.littleEndian16(at: position) {
            case user, group: result += value[position..<position + 8]
            case userObject, groupObject, mask, other: result += value[position..<position + 4]
            default: return nil
            }
        }
        return result
    }
}
