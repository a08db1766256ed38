internal import LinuxFiles

/// Where the host keeps an extended attribute that the board names.
///
/// An ordinary user may set `user.*` only. So `security.*`, `trusted.*` and the POSIX ACLs are kept as
/// `user.containers.override_<name>`; and the names that this and other tools use for such metadata don't exist for
/// the board.
struct AttributeName: ~Copyable {
    /// XATTR_NAME_MAX, in bytes.
    static let maxLength = 255

    private let storage: InlineArray<256, UInt8>

    /// - Parameter name: as the board says it.
    /// - Throws: `EOPNOTSUPP` for a class of attributes that can't be kept, `EPERM` for a hidden name, `ERANGE` for
    ///   one that is too long, `EINVAL` for one with a NUL.
    init(board name: RawSpan) throws(Errno) {
        let isUser = Self.starts(name, with: "user.")
        let isOverridden =
            Self.starts(name, with: "security.") || Self.starts(name, with: "trusted.")
            || Self.equals(name, "system.posix_acl_access") || Self.equals(name, "system.posix_acl_default")
        guard isUser || isOverridden else { throw .EOPNOTSUPP }
        if isUser, Self.isHidden(name) { throw .EPERM }

        var storage = InlineArray<256, UInt8>(repeating: 0)
        var length = 0
        if isOverridden {
            for byte in Self.bytes(Self.overridePrefix) {
                storage[length] = byte
                length += 1
            }
        }
        guard length + name.byteCount <= Self.maxLength else { throw .ERANGE }
        for index in 0..<name.byteCount {
            let byte = name.unsafeLoad(fromByteOffset: index, as: UInt8.self)
            guard byte != 0 else { throw .EINVAL }
            storage[length] = byte
            length += 1
        }
        self.storage = storage
    }

    func withCString<Result, Failure: Error>(
        _ body: (UnsafePointer<CChar>) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        try storage.span.bytes.withUnsafeBytes { (bytes) throws(Failure) -> Result in
            guard let base = bytes.baseAddress else { preconditionFailure("the storage is never empty") }
            return try body(base.assumingMemoryBound(to: CChar.self))
        }
    }

    /// The attribute that holds the label.
    static let label: StaticString = "user.containers.override_stat"
    /// Where `security.capability` is kept.
    static let capability: StaticString = "user.containers.override_security.capability"
    private static let overridePrefix: StaticString = "user.containers.override_"

    /// Metadata of this and other fake-root tools.
    private static func isHidden(_ name: RawSpan) -> Bool {
        starts(name, with: overridePrefix) || starts(name, with: "user.virtfs.") || starts(name, with: "user.rsync.")
            || starts(name, with: "user.rootlesscontainers")
    }

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
