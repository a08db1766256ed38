internal import Synchronization

/// Buffers of one size that all requests share: as many as were ever in use at once.
final class BufferStore: Sendable {
    private let size: Int
    private let free = Mutex<[Buffer]>([])

    private struct Buffer: @unchecked Sendable {  // only the request that took it uses it
        var bytes: UnsafeMutableRawBufferPointer
    }

    /// - Parameter size: of each buffer, in bytes.
    init(size: Int) {
        self.size = size
    }

    deinit {
        free.withLock { free in
            for buffer in free { buffer.bytes.deallocate() }
        }
    }

    /// Lends a buffer.
    func withBuffer<Result, Failure: Error>(
        _ body: (UnsafeMutableRawBufferPointer) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        let taken = free.withLock { $0.popLast() }
        let buffer = taken ?? Buffer(bytes: .allocate(byteCount: size, alignment: 16))
        defer { free.withLock { $0.append(buffer) } }
        return try body(buffer.bytes)
    }
}
