internal import LinuxFiles

/// What the board sees and the host's file system can't say: owner, full mode and the kind of node.
///
/// Kept in the extended attribute `user.containers.override_stat` as `UID:GID:0MODE:TYPE`, with TYPE one of `file`,
/// `dir`, `symlink`, `pipe`, `socket`, `block-MAJOR-MINOR`, `char-MAJOR-MINOR`: the format of containers/storage. While
/// label and host mode change together it has a fifth field, octal: the host's mode that is not yet the label's.
public struct Label: Hashable, Sendable {
    /// The owner.
    public var uid: UInt32
    /// The group.
    public var gid: UInt32
    /// Permission, setuid, setgid and sticky bits.
    public var mode: UInt32
    /// Nil where the label leaves it to the host's file, as fuse-overlayfs' three-field form does.
    public var kind: NodeKind?
    /// What the host's own mode says beside this label. Equality ignores it.
    var mirror = Mirror.mirrored
    /// Whether the database says it, which nobody else can write to: the label is a row there, or the import's list says the
    /// same. Equality ignores it.
    var isConfirmed = false

    enum Mirror: Hashable, Sendable {
        /// The label's rwx bits, raised to the floor, and a directory's sticky bit. Anything else is a developer's
        /// chmod.
        case mirrored
        /// As `mirrored`, but versions before this one left the sticky bit out.
        case older
        /// As `mirrored`, but these bits stand there during a change, and are nobody's chmod.
        case standing(UInt32)
        /// Nothing: the label is of a kind that we don't write.
        case unrelated
    }

    /// A label; of the mode only the low 12 bits count.
    public init(uid: UInt32, gid: UInt32, mode: UInt32, kind: NodeKind?) {
        self.uid = uid
        self.gid = gid
        self.mode = mode & 0o7777
        self.kind = kind
    }

    /// Compares what the board sees.
    public static func == (left: Label, right: Label) -> Bool {
        left.uid == right.uid && left.gid == right.gid && left.mode == right.mode && left.kind == right.kind
    }

    /// Hashes what the board sees.
    public func hash(into hasher: inout Hasher) {
        hasher.combine(uid)
        hasher.combine(gid)
        hasher.combine(mode)
        hasher.combine(kind)
    }

    /// The longest value that we write, and more than any that we read.
    static let maxSize = 128

    /// Reads a value; the mode may carry S_IFMT bits, as libkrun writes them.
    /// - Returns: nil if it is not a label, or one with an owner or a device number that Linux doesn't have.
    public init?(parsing text: UnsafeRawBufferPointer) {
        var rest = text[...]
        guard let uid = Self.takeNumber(&rest, radix: 10), Self.take(UInt8(ascii: ":"), &rest),
            let gid = Self.takeNumber(&rest, radix: 10), Self.take(UInt8(ascii: ":"), &rest)
        else { return nil }
        let zeros = rest.prefix { $0 == UInt8(ascii: "0") }.count
        guard let mode = Self.takeNumber(&rest, radix: 8) else { return nil }
        guard !rest.isEmpty else {
            // With S_IFMT bits even this form knows a FIFO from a file; of a device it lacks the number.
            let kind = NodeKind(FileFormat(mode: mode)).flatMap { $0 == .pipe || $0 == .socket ? $0 : nil }
            self.init(uid: uid, gid: gid, mode: mode, kind: kind)
            mirror = .unrelated
            guard isPossible else { return nil }
            return
        }
        guard Self.take(UInt8(ascii: ":"), &rest), let kind = Self.takeKind(&rest) else { return nil }
        self.init(uid: uid, gid: gid, mode: mode, kind: kind)
        guard isPossible else { return nil }
        if mode & ~0o7777 != 0 || zeros == 0 {
            mirror = .unrelated
        } else if needsStickyMark, zeros < Self.zerosOfStickyMark {
            mirror = .older
        }
        guard !rest.isEmpty else { return }
        guard Self.take(UInt8(ascii: ":"), &rest), let standing = Self.takeNumber(&rest, radix: 8), standing <= 0o7777,
            rest.isEmpty
        else { return nil }
        mirror = .standing(standing)
    }

    private typealias Bytes = Slice<UnsafeRawBufferPointer>

    private static func take(_ byte: UInt8, _ rest: inout Bytes) -> Bool {
        guard rest.first == byte else { return false }
        rest.removeFirst()
        return true
    }

    private static func take(_ word: StaticString, _ rest: inout Bytes) -> Bool {
        let word = UnsafeBufferPointer(start: word.utf8Start, count: word.utf8CodeUnitCount)
        guard rest.starts(with: word) else { return false }
        rest.removeFirst(word.count)
        return true
    }

    private static func takeNumber(_ rest: inout Bytes, radix: UInt32) -> UInt32? {
        var value: UInt32 = 0
        var digits = 0
        while let byte = rest.first, byte >= UInt8(ascii: "0"), UInt32(byte - UInt8(ascii: "0")) < radix {
            let (product, over) = value.multipliedReportingOverflow(by: radix)
            let (sum, over2) = product.addingReportingOverflow(UInt32(byte - UInt8(ascii: "0")))
            guard !over, !over2 else { return nil }
            value = sum
            digits += 1
            rest.removeFirst()
        }
        return digits > 0 ? value : nil
    }

    private static func takeKind(_ rest: inout Bytes) -> NodeKind? {
        if take("file", &rest) { return .file }
        if take("dir", &rest) { return .directory }
        if take("symlink", &rest) { return .symlink }
        if take("pipe", &rest) { return .pipe }
        if take("socket", &rest) { return .socket }
        let isBlock = take("block-", &rest)
        guard isBlock || take("char-", &rest), let major = takeNumber(&rest, radix: 10),
            take(UInt8(ascii: "-"), &rest), let minor = takeNumber(&rest, radix: 10)
        else { return nil }
        return isBlock ? .block(major: major, minor: minor) : .character(major: major, minor: minor)
    }

    /// The kind that a label's TYPE names.
    static func kind(_ text: UnsafeRawBufferPointer) -> NodeKind? {
        var rest = text[...]
        guard let kind = takeKind(&rest), rest.isEmpty else { return nil }
        return kind
    }

    /// Whether Linux has such an owner and device: the largest number means "no change" in chown(2).
    var isPossible: Bool { uid != .max && gid != .max && kind?.isPossible ?? true }

    /// The mode of a directory whose sticky bit is on the host too has a second leading zero. Other tools read it as
    /// the same number.
    private static let zerosOfStickyMark = 2
    private var needsStickyMark: Bool { kind == .directory && mode & 0o1000 != 0 }

    /// The value as it is stored.
    var storedText: String {
        guard mirror == .mirrored, needsStickyMark, let kind else { return text }
        return "\(uid):\(gid):0\(Self.octal(mode)):\(kind.labelText)"
    }

    /// The value as it is shown.
    public var text: String {
        let type = kind.map { ":\($0.labelText)" } ?? ""
        guard case .standing(let mode) = mirror else { return "\(uid):\(gid):\(Self.octal(self.mode))\(type)" }
        return "\(uid):\(gid):\(Self.octal(self.mode))\(type):\(Self.octal(mode))"
    }

    private static func octal(_ mode: UInt32) -> String { "0\(String(mode, radix: 8))" }
}

extension NodeKind {
    /// The TYPE of a label.
    var labelText: String {
        switch self {
        case .file: "file"
        case .directory: "dir"
        case .symlink: "symlink"
        case .pipe: "pipe"
        case .socket: "socket"
        case .block(let major, let minor): "block-\(major)-\(minor)"
        case .character(let major, let minor): "char-\(major)-\(minor)"
        }
    }
}
