/// A POSIX access control list, as entries and in the form of Linux' attributes `system.posix_acl_access` and
/// `system.posix_acl_default`.
///
/// The form, all little-endian: version 2 (4 bytes), then per entry tag (2), permissions (2), id (4). The source is the
/// kernel's `include/uapi/linux/posix_acl_xattr.h`; `acl(5)` says which lists are valid.
public struct AccessControlList: Hashable, Sendable {
    /// Whom an entry is about, in Linux' numbers.
    public enum Tag: UInt16, Hashable, Sendable, CaseIterable {
        case owner = 0x01
        case user = 0x02
        case owningGroup = 0x04
        case group = 0x08
        case mask = 0x10
        case other = 0x20

        /// Whether an entry names a user or group by its number.
        public var hasID: Bool { self == .user || self == .group }
    }

    /// One entry of a list.
    public struct Entry: Hashable, Sendable {
        /// Whom the entry is about.
        public var tag: Tag
        /// 0...7: read 4, write 2, execute 1.
        public var permissions: UInt16
        /// The user's or group's number; `noID` for the other tags.
        public var id: UInt32

        /// An entry; `id` only for a named user or group.
        public init(_ tag: Tag, permissions: UInt16, id: UInt32 = Self.noID) {
            self.tag = tag
            self.permissions = permissions & 7
            self.id = tag.hasID ? id : Self.noID
        }

        /// What Linux writes where an entry has no number.
        public static let noID = UInt32.max
    }

    /// The attribute of the list that counts for the file itself.
    public static let accessName = Array("system.posix_acl_access".utf8)
    /// The attribute of the list that new files of a directory get.
    public static let defaultName = Array("system.posix_acl_default".utf8)
    private static let version: UInt32 = 2
    private static let headerSize = 4
    private static let entrySize = 8

    /// In Linux' order: by tag, then by id.
    public private(set) var entries: [Entry]

    /// Puts entries in order and checks them, as Linux does.
    /// - Returns: nil for what Linux would refuse: not exactly one entry each for owner, owning group and others; two
    ///   for one user or group; no mask where users or groups are named, or two.
    public init?(_ entries: [Entry]) {
        let sorted = entries.sorted { ($0.tag.rawValue, $0.id) < ($1.tag.rawValue, $1.id) }
        func count(_ tag: Tag) -> Int { sorted.count { $0.tag == tag } }
        guard count(.owner) == 1, count(.owningGroup) == 1, count(.other) == 1 else { return nil }
        let namesSomebody = sorted.contains { $0.tag.hasID }
        guard count(.mask) == 1 || count(.mask) == 0 && !namesSomebody else { return nil }
        for (entry, next) in zip(sorted, sorted.dropFirst()) where entry.tag == next.tag {
            guard entry.id != next.id else { return nil }
        }
        guard !sorted.contains(where: { $0.tag.hasID && $0.id == Entry.noID }) else { return nil }
        self.entries = sorted
    }

    /// Reads an attribute's value; nil if it is malformed, or if Linux would refuse it.
    public init?(attribute value: [UInt8]) {
        func number<Integer: FixedWidthInteger>(at offset: Int, _: Integer.Type) -> Integer {
            (0..<MemoryLayout<Integer>.size).reduce(0) { $0 | Integer(value[offset + $1]) << (8 * $1) }
        }
        guard value.count >= Self.headerSize, (value.count - Self.headerSize) % Self.entrySize == 0,
            number(at: 0, UInt32.self) == Self.version
        else { return nil }
        var entries: [Entry] = []
        for offset in stride(from: Self.headerSize, to: value.count, by: Self.entrySize) {
            let permissions = number(at: offset + 2, UInt16.self)
            guard let tag = Tag(rawValue: number(at: offset, UInt16.self)), permissions <= 7 else { return nil }
            entries.append(Entry(tag, permissions: permissions, id: number(at: offset + 4, UInt32.self)))
        }
        self.init(entries)
    }

    /// The attribute's value.
    public var attribute: [UInt8] {
        var bytes: [UInt8] = []
        func append(_ number: some FixedWidthInteger) {
            for index in 0..<number.bitWidth / 8 { bytes.append(UInt8(truncatingIfNeeded: number >> (8 * index))) }
        }
        append(Self.version)
        for entry in entries {
            append(entry.tag.rawValue)
            append(entry.permissions)
            append(entry.id)
        }
        return bytes
    }

    /// Whether the list says no more than nine mode bits can; Linux stores no such access list.
    public var isTrivial: Bool { entries.count == 3 }

    /// The mode's nine bits that belong to this as an access list: those of the group are the mask's, if there is one.
    public var modeBits: UInt32 {
        func permissions(_ tag: Tag) -> UInt32? {
            entries.first { $0.tag == tag }.map { UInt32($0.permissions) }
        }
        let group = permissions(.mask) ?? permissions(.owningGroup) ?? 0
        return (permissions(.owner) ?? 0) << 6 | group << 3 | (permissions(.other) ?? 0)
    }

    /// Takes over the nine bits of a mode, as chmod does.
    mutating func setModeBits(_ mode: UInt32) {
        let groupTag: Tag = entries.contains { $0.tag == .mask } ? .mask : .owningGroup
        for index in entries.indices {
            switch entries[index].tag {
            case .owner: entries[index].permissions = UInt16(mode >> 6 & 7)
            case groupTag: entries[index].permissions = UInt16(mode >> 3 & 7)
            case .other: entries[index].permissions = UInt16(mode & 7)
            default: break
            }
        }
    }
}
