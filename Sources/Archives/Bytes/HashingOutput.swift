internal import FakeRoot
internal import ImageEntries

/// Hashes what it passes on.
final class HashingOutput: ByteOutput {
    private let next: any ByteOutput
    private var hash = SHA256()
    private(set) var count: UInt64 = 0

    init(_ next: any ByteOutput) {
        self.next = next
    }

    func write(_ bytes: UnsafeRawBufferPointer) throws(ImageError) {
        hash.update(bytes)
        count += UInt64(bytes.count)
        try next.write(bytes)
    }

    func finish() throws(ImageError) {
        try next.finish()
    }

    /// The digest of all bytes so far; to be taken once.
    func digest() -> String { SHA256.text(hash.finish()) }
}
