internal import LinuxFiles

/// What a file is opened for.
public struct FileAccess: OptionSet, Hashable, Sendable {
    /// The bits.
    public let rawValue: UInt8

    /// Takes bits.
    public init(rawValue: UInt8) {
        self.rawValue = rawValue
    }

    /// To read.
    public static let read = FileAccess(rawValue: 0x1)
    /// To write.
    public static let write = FileAccess(rawValue: 0x2)
    /// The file is emptied.
    public static let truncate = FileAccess(rawValue: 0x4)
    /// Only a directory will do.
    public static let directory = FileAccess(rawValue: 0x8)
    /// For `ChangeableDirectory.create`: the name must be free.
    public static let exclusive = FileAccess(rawValue: 0x10)

    /// Whether this access may change the file.
    public var isChange: Bool { !isDisjoint(with: [.write, .truncate]) }

    /// For `open(2)`, without what changes the file.
    var mode: OpenMode {
        guard contains(.write) else { return .readOnly }
        return contains(.read) ? .readWrite : .writeOnly
    }
}
