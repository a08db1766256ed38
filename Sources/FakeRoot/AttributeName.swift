internal import LinuxFiles

/// Where the host keeps an extended attribute that the board names.
///
/// An ordinary user may set `user.*` only. So `security.*`, `trusted.*` and the POSIX ACLs are kept as
/// `user.containers.override_<name>`; and the names that this and other tools use for such metadata don't exist for
/// the board.
struct AttributeName: ~Copyable {
    /// XATTR_NAME_MAX, in bytes.
    static let maxLength = 255

    private static let capacity = 288
    private var storage = InlineArray<288, UInt8>(repeating: 0)
    /// Bytes before the board's name.
    private var prefixLength = 0
    private var count = 0

    /// - Parameter name: as the board says it.
    /// - Throws: `EOPNOTSUPP` for a class of attributes that can't be kept, `EPERM` for a hidden name, `ERANGE` for
    ///   one that is too long, `EINVAL` for one with a NUL or nothing after its class.
    init(board name: RawSpan) throws(Errno) {
        let isUser = Self.starts(name, with: "user.")
        let isOverridden =
            Self.starts(name, with: "security.") || Self.starts(name, with: "trusted.")
            || Self.equals(name, "system.posix_acl_access") || Self.equals(name, "system.posix_acl_default")
        guard isUser || isOverridden else { throw .EOPNOTSUPP }
        // As Linux: what follows the class is never empty.
        guard !Self.equals(name, "user."), !Self.equals(name, "security."), !Self.equals(name, "trusted.") else {
            throw .EINVAL
        }
        if isUser, Self.isHidden(name) { throw .EPERM }
        guard name.byteCount <= Self.maxLength else { throw .ERANGE }
        if isOverridden { append(Self.overridePrefix) }
        prefixLength = count
        for index in 0..<name.byteCount {
            let byte = name.unsafeLoad(fromByteOffset: index, as: UInt8.self)
            guard byte != 0 else { throw .EINVAL }
            storage[count] = byte
            count += 1
        }
    }

    /// Names that the server itself asks for.
    enum Known {
        case capability, accessList, defaultList
    }

    init(_ known: Known) {
        append(Self.overridePrefix)
        prefixLength = count
        switch known {
        case .capability: append("security.capability")
        case .accessList: append("system.posix_acl_access")
        case .defaultList: append("system.posix_acl_default")
        }
    }

    private mutating func append(_ text: StaticString) {
        for byte in Self.bytes(text) {
            storage[count] = byte
            count += 1
        }
    }

    /// Whether the host takes a name of this length.
    var fitsHost: Bool { count <= Self.maxLength }

    var isUser: Bool { prefixLength == 0 }
    var isCapability: Bool { equals("security.capability") }
    /// A POSIX ACL, of either kind.
    var isAccessList: Bool { equals("system.posix_acl_access") || isDefaultList }
    var isDefaultList: Bool { equals("system.posix_acl_default") }

    /// What the cache calls this attribute's absence.
    var absence: StatusCache.Facts? {
        guard !isUser else { return nil }
        if isCapability { return .noCapability }
        if isDefaultList { return .noDefaultList }
        return equals("system.posix_acl_access") ? .noAccessList : nil
    }

    private func equals(_ name: StaticString) -> Bool {
        withBytes { $0.elementsEqual(Self.bytes(name)) }
    }

    /// The host's name.
    func withCString<Result, Failure: Error>(
        _ body: (UnsafePointer<CChar>) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        try storage.span.bytes.withUnsafeBytes { (bytes) throws(Failure) -> Result in
            guard let base = bytes.baseAddress else { preconditionFailure("the storage is never empty") }
            return try body(base.assumingMemoryBound(to: CChar.self))
        }
    }

    /// The board's name.
    func withBytes<Result, Failure: Error>(
        _ body: (UnsafeRawBufferPointer) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        try storage.span.bytes.withUnsafeBytes { (bytes) throws(Failure) -> Result in
            try body(UnsafeRawBufferPointer(rebasing: bytes[prefixLength..<count]))
        }
    }

    /// The attribute that holds the label.
    static let label: StaticString = "user.containers.override_stat"
    private static let overridePrefix: StaticString = "user.containers.override_"

    /// Metadata of this and other fake-root tools, and this program's own notes.
    private static func isHidden(_ name: RawSpan) -> Bool {
        starts(name, with: overridePrefix) || starts(name, with: "user.virtfs.") || starts(name, with: "user.rsync.")
            || starts(name, with: "user.rootlesscontainers") || starts(name, with: "user.usb9pfs.")
    }

    /// Whether a host's name holds a label, or what the board knows under another name.
    static func isOverride(_ name: some Sequence<UInt8>) -> Bool { name.starts(with: bytes(overridePrefix)) }

    /// What the board calls an attribute of the host, or nil if it may not see it.
    static func boardName(ofHost name: RawSpan) -> RawSpanSlice? {
        if starts(name, with: overridePrefix) {
            let rest = overridePrefix.utf8CodeUnitCount..<name.byteCount
            let kept = name.extracting(rest)
            return (try? AttributeName(board: kept)) != nil && !starts(kept, with: "user.") ? rest : nil
        }
        return starts(name, with: "user.") && !isHidden(name) ? 0..<name.byteCount : nil
    }

    /// The part of a host's name that is the board's, in bytes.
    typealias RawSpanSlice = Range<Int>

    private static func bytes(_ text: StaticString) -> UnsafeBufferPointer<UInt8> {
        UnsafeBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount)
    }

    private static func starts(_ name: RawSpan, with prefix: StaticString) -> Bool {
        name.withUnsafeBytes { $0.starts(with: bytes(prefix)) }
    }

    private static func equals(_ name: RawSpan, _ other: StaticString) -> Bool {
        name.byteCount == other.utf8CodeUnitCount && starts(name, with: other)
    }
}

extension StaticString {
    /// The literal as a C string; literals end with a NUL.
    var cString: UnsafePointer<CChar> {
        UnsafeRawPointer(utf8Start).assumingMemoryBound(to: CChar.self)
    }
}
