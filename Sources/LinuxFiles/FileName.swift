/// One name in a directory: not empty, no "/", no NUL, at most 255 bytes, neither "." nor "..".
///
/// The one check that every name from a client passes. The bytes lie on the stack, ready for a system call.
public struct FileName: ~Copyable {
    /// NAME_MAX, in bytes.
    public static let maxLength = 255

    private let storage: InlineArray<256, UInt8>
    /// In bytes.
    public let count: Int

    /// Copies the bytes of a name.
    /// - Throws: `ENAMETOOLONG`, or `EINVAL` for everything else that can't be a name.
    public init(_ bytes: RawSpan) throws(Errno) {
        guard bytes.byteCount <= Self.maxLength else { throw .ENAMETOOLONG }
        guard bytes.byteCount > 0, !Self.isDot(bytes), !Self.isDotDot(bytes) else { throw .EINVAL }
        var storage = InlineArray<256, UInt8>(repeating: 0)
        for index in 0..<bytes.byteCount {
            let byte = Self.byte(index, of: bytes)
            guard byte != UInt8(ascii: "/"), byte != 0 else { throw .EINVAL }
            storage[index] = byte
        }
        self.storage = storage
        count = bytes.byteCount
    }

    /// As `init` of the bytes in UTF-8.
    /// - Throws: as that `init`.
    public init(_ string: String) throws(Errno) {
        let bytes = Array(string.utf8)
        try self.init(bytes.span.bytes)
    }

    /// Whether bytes are ".".
    public static func isDot(_ bytes: RawSpan) -> Bool {
        bytes.byteCount == 1 && byte(0, of: bytes) == UInt8(ascii: ".")
    }

    /// Whether bytes are "..".
    public static func isDotDot(_ bytes: RawSpan) -> Bool {
        bytes.byteCount == 2 && byte(0, of: bytes) == UInt8(ascii: ".") && byte(1, of: bytes) == UInt8(ascii: ".")
    }

    private static func byte(_ index: Int, of bytes: RawSpan) -> UInt8 {
        bytes.unsafeLoad(fromByteOffset: index, as: UInt8.self)
    }

    /// The name as a C string, valid during the call.
    /// - Throws: what `body` throws.
    public func withCString<Result: ~Copyable, Failure: Error>(
        _ body: (UnsafePointer<CChar>) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        try storage.span.bytes.withUnsafeBytes { (bytes) throws(Failure) -> Result in
            guard let base = bytes.baseAddress else { preconditionFailure("the storage is never empty") }
            return try body(base.assumingMemoryBound(to: CChar.self))
        }
    }

    /// The bytes without the NUL.
    public var bytes: RawSpan {
        @_lifetime(borrow self)
        get { storage.span.bytes.extracting(first: count) }
    }

    /// Whether the name begins with these bytes.
    public func hasPrefix(_ prefix: StaticString) -> Bool {
        guard count >= prefix.utf8CodeUnitCount else { return false }
        return bytes.withUnsafeBytes { bytes in
            bytes.prefix(prefix.utf8CodeUnitCount)
                .elementsEqual(UnsafeBufferPointer(start: prefix.utf8Start, count: prefix.utf8CodeUnitCount))
        }
    }
}
