internal import FakeRoot
package import LinuxFiles

/// A file that is being filled from an archive; parts that are not written stay holes.
package final class FileContent {
    /// More holes than this are not hashed, in bytes: they cost nothing but would take minutes.
    package static let maxHashedHoles: UInt64 = 1 << 30

    private let descriptor: CInt
    package private(set) var written: UInt64 = 0
    private var end: Int64 = 0
    private var hash: SHA256?
    private var holes: UInt64 = 0

    /// Fills a file that is open for writing and empty.
    /// - Parameter isHashed: whether `finish` is to give the content's hash.
    package init(_ descriptor: CInt, isHashed: Bool = false) {
        self.descriptor = descriptor
        if isHashed { hash = SHA256() }
    }

    package func write(_ block: UnsafeRawBufferPointer, at offset: Int64) throws(Errno) {
        updateHash(block, at: offset)
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

    /// While the bytes are in the processor's cache.
    private func updateHash(_ block: UnsafeRawBufferPointer, at offset: Int64) {
        guard hash != nil else { return }
        // Blocks out of order: only reading the file would give the hash.
        guard offset >= end else {
            hash = nil
            return
        }
        updateHash(holeTo: offset)
        hash?.update(block)
    }

    private func updateHash(holeTo offset: Int64) {
        guard hash != nil, offset > end else { return }
        holes += UInt64(offset - end)
        if holes > Self.maxHashedHoles {
            hash = nil
        } else {
            hash?.update(zeros: UInt64(offset - end))
        }
    }

    /// Gives the file its size.
    /// - Parameter size: of the whole file in bytes, a hole at its end included.
    /// - Returns: the SHA-256 of the content; nil if nobody asked for it, or it would take too long to compute.
    /// - Throws: as `truncate(2)`.
    @discardableResult
    package func finish(size: Int64) throws(Errno) -> [UInt8]? {
        updateHash(holeTo: size)
        if end < size { try System.truncate(descriptor, to: size) }
        return hash?.finish()
    }
}
