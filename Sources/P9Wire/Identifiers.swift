/// A client's number for one request in flight; the reply carries it back.
public struct Tag: RawRepresentable, Hashable, Sendable {
    /// The number on the wire.
    public let rawValue: UInt16

    /// Any number may be a tag.
    public init(rawValue: UInt16) {
        self.rawValue = rawValue
    }

    /// NOTAG, the tag of Tversion.
    public static let none = Tag(rawValue: .max)
}

/// A client's number for a file, directory or extended attribute it has walked to.
public struct Fid: RawRepresentable, Hashable, Sendable {
    /// The number on the wire.
    public let rawValue: UInt32

    /// Any number may be a fid.
    public init(rawValue: UInt32) {
        self.rawValue = rawValue
    }

    /// NOFID, "no authentication fid" in Tattach.
    public static let none = Fid(rawValue: .max)
}

/// What the server calls a file: 13 bytes on the wire, `type[1] version[4] path[8]`.
public struct Qid: Hashable, Sendable {
    /// The kind of file.
    public struct Kind: RawRepresentable, Hashable, Sendable {
        /// The byte on the wire.
        public let rawValue: UInt8

        /// Takes a byte from the wire.
        public init(rawValue: UInt8) {
            self.rawValue = rawValue
        }

        /// QTDIR.
        public static let directory = Kind(rawValue: 0x80)
        /// QTSYMLINK.
        public static let symlink = Kind(rawValue: 0x02)
        /// QTFILE.
        public static let file = Kind(rawValue: 0x00)
    }

    /// Directory, symbolic link, or anything else.
    public var kind: Kind
    /// Never 0 from our server: the Linux client does not cache a file whose qid has version 0.
    public var version: UInt32
    /// Unique in an export for as long as the file exists.
    public var path: UInt64

    /// Takes the fields in their order on the wire.
    public init(kind: Kind, version: UInt32, path: UInt64) {
        self.kind = kind
        self.version = version
        self.path = path
    }

    /// Bytes on the wire.
    public static let size = 13
}
