internal import ImageEntries

/// Joins small writes, so that what is behind gets 256 KiB at a time.
final class BufferedOutput: ByteOutput {
    private let next: any ByteOutput
    private let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 256 << 10, alignment: 4096)
    private var used = 0
    /// Bytes written so far, the buffer's included.
    private(set) var count: UInt64 = 0

    init(_ next: any ByteOutput) {
        self.next = next
    }

    deinit {
        buffer.deallocate()
    }

    func write(_ bytes: UnsafeRawBufferPointer) throws(ImageError) {
        count += UInt64(bytes.count)
        var rest = bytes
        while !rest.isEmpty {
            if used == 0, rest.count >= buffer.count { return try next.write(rest) }
            let part = min(rest.count, buffer.count - used)
            UnsafeMutableRawBufferPointer(rebasing: buffer[used...])
                .copyMemory(from: UnsafeRawBufferPointer(rebasing: rest[..<part]))
            used += part
            rest = UnsafeRawBufferPointer(rebasing: rest[part...])
            if used == buffer.count { try flush() }
        }
    }

    /// Writes bytes of value 0.
    func write(zeros count: UInt64) throws(ImageError) {
        self.count += count
        var rest = count
        while rest > 0 {
            let part = Int(min(rest, UInt64(buffer.count - used)))
            UnsafeMutableRawBufferPointer(rebasing: buffer[used..<used + part])
                .initializeMemory(as: UInt8.self, repeating: 0)
            used += part
            rest -= UInt64(part)
            if used == buffer.count { try flush() }
        }
    }

    /// Fills up with zeros to a multiple of so many bytes.
    func pad(to alignment: UInt64) throws(ImageError) {
        let excess = count % alignment
        if excess > 0 { try write(zeros: alignment - excess) }
    }

    private func flush() throws(ImageError) {
        guard used > 0 else { return }
        try next.write(UnsafeRawBufferPointer(rebasing: buffer[..<used]))
        used = 0
    }

    func finish() throws(ImageError) {
        try flush()
        try next.finish()
    }
}
