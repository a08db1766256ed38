internal import LinuxFiles

/// A file being filled from an archive; what is not written stays a hole.
final class FileContent {
    private let descriptor: CInt
    private(set) var written: UInt64 = 0
    private var end: Int64 = 0

    init(_ descriptor: CInt) {
        self.descriptor = descriptor
    }

    func write(_ block: UnsafeRawBufferPointer, at offset: Int64) throws(Errno) {
        var rest = block
        var position = offset
        // A short write comes before ENOSPC or EFBIG; the next one tells which.
        while !rest.isEmpty {
            let count = try System.write(descriptor, rest.bytes, at: position)
            rest = UnsafeRawBufferPointer(rebasing: rest[count...])
            position += Int64(count)
        }
        written += UInt64(block.count)
        end = max(end, position)
    }

    /// - Parameter size: of the whole file in bytes, a hole at its end included.
    func finish(size: Int64) throws(Errno) {
        if end < size { try System.truncate(descriptor, to: size) }
    }
}
