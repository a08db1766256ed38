/// "/proc/self/fd/N": the way to use an O_PATH descriptor with system calls that refuse one.
///
/// Following this link leads to the very inode that the descriptor holds, even if it was renamed or unlinked, or is a symbolic
/// link; no name is resolved. Source: `proc_pid_fd(5)`.
public struct DescriptorPath: ~Copyable {
    private let storage: InlineArray<32, UInt8>

    /// The path of an open descriptor, which must stay open while the path is used.
    public init(_ descriptor: CInt) {
        var storage = InlineArray<32, UInt8>(repeating: 0)
        let prefix: StaticString = "/proc/self/fd/"
        var length = prefix.utf8CodeUnitCount
        for index in 0..<length { storage[index] = prefix.utf8Start[index] }
        var power: CInt = 1
        while descriptor / power >= 10 { power *= 10 }
        while power > 0 {
            storage[length] = UInt8(ascii: "0") + UInt8(descriptor / power % 10)
            length += 1
            power /= 10
        }
        self.storage = storage
    }

    /// The path as a C string, valid during the call.
    /// - Throws: what `body` throws.
    public func withCString<Result: ~Copyable, Failure: Error>(
        _ body: (UnsafePointer<CChar>) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        try storage.span.bytes.withUnsafeBytes { (bytes) throws(Failure) -> Result in
            guard let base = bytes.baseAddress else { preconditionFailure("the storage is never empty") }
            return try body(base.assumingMemoryBound(to: CChar.self))
        }
    }
}
