internal import CNettle
public import LinuxFiles

/// A SHA-256 hash in the making; of a file's content, for the manifest, and of an OCI layer.
///
/// Source: FIPS 180-4; the corresponding C functions are `nettle_sha256_init`, `_update` and `_digest`, which use the
/// processor's own instructions where it has them.
public struct SHA256: ~Copyable {
    /// Bytes in a hash.
    public static let byteCount = 32

    private var context = sha256_ctx()

    /// A hash of nothing yet.
    public init() {
        nettle_sha256_init(&context)
    }

    /// Goes on with these bytes.
    public mutating func update(_ bytes: UnsafeRawBufferPointer) {
        guard let base = bytes.baseAddress else { return }
        nettle_sha256_update(&context, bytes.count, base.assumingMemoryBound(to: UInt8.self))
    }

    /// Goes on with these bytes.
    public mutating func update(_ bytes: RawSpan) {
        bytes.withUnsafeBytes { update($0) }
    }

    /// Goes on with so many bytes of value 0, as of a hole in a file.
    public mutating func update(zeros count: UInt64) {
        withUnsafeTemporaryAllocation(byteCount: 16384, alignment: 16) { zeros in
            zeros.initializeMemory(as: UInt8.self, repeating: 0)
            var rest = count
            while rest > 0 {
                let part = Int(min(rest, UInt64(zeros.count)))
                update(UnsafeRawBufferPointer(rebasing: zeros[..<part]))
                rest -= UInt64(part)
            }
        }
    }

    /// The hash of all bytes so far, 32 bytes; begins anew with no bytes.
    public mutating func finish() -> [UInt8] {
        [UInt8](unsafeUninitializedCapacity: Self.byteCount) { digest, count in
            guard let base = digest.baseAddress else { return }
            cnettle_sha256_digest(&context, base)
            count = Self.byteCount
        }
    }

    /// The hash of a few bytes.
    public static func hash(_ bytes: RawSpan) -> [UInt8] {
        var hash = SHA256()
        hash.update(bytes)
        return hash.finish()
    }

    /// The hash of a whole file.
    /// - Parameter descriptor: open for reading.
    /// - Throws: `EISDIR` for a directory, `EBADF` for a descriptor that can't be read; else as `pread(2)`.
    public static func hash(contentOf descriptor: CInt) throws(Errno) -> [UInt8] {
        var hash = SHA256()
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 256 << 10, alignment: 4096)
        defer { buffer.deallocate() }
        var offset: Int64 = 0
        while true {
            let count = try System.read(descriptor, into: buffer, at: offset)
            if count == 0 { return hash.finish() }
            hash.update(UnsafeRawBufferPointer(rebasing: buffer[..<count]))
            offset += Int64(count)
        }
    }

    /// A hash as people and OCI descriptors write it: 64 lower-case hexadecimal digits.
    public static func text(_ hash: [UInt8]) -> String {
        let digits = Array("0123456789abcdef".utf8)
        var text: [UInt8] = []
        text.reserveCapacity(2 * hash.count)
        for byte in hash {
            text.append(digits[Int(byte >> 4)])
            text.append(digits[Int(byte & 15)])
        }
        return String(decoding: text, as: UTF8.self)
    }
}
