internal import LinuxFiles
internal import P9Wire

/// Cuts a stream of bytes into frames; reads several at once when they are there.
final class FrameStream: @unchecked Sendable {  // used only by the thread whose turn it is to read
    private let descriptor: CInt
    private let wakeUp: WakeUp?
    private let buffer: UnsafeMutableRawBufferPointer
    private var start = 0
    private var end = 0

    /// Holds many small requests, and the head of a large one.
    private static let bufferSize = 64 << 10

    /// - Parameter wakeUp: ends the stream when woken; a socket needs none.
    init(_ descriptor: CInt, _ wakeUp: WakeUp?) {
        self.descriptor = descriptor
        self.wakeUp = wakeUp
        buffer = .allocate(byteCount: Self.bufferSize, alignment: 16)
    }

    deinit {
        buffer.deallocate()
    }

    enum Next {
        /// A whole frame, with its size in bytes.
        case frame(Int)
        /// The peer has closed the stream, or it broke; bytes of an unfinished frame don't count.
        case end
        /// A size field below 7 or above the limit: the beginning of the next frame is unknown.
        case unintelligible(size: UInt32)
    }

    /// Whether bytes of a further frame are here already.
    var hasMore: Bool { start < end }

    /// Waits for a frame and puts it into `frame`.
    /// - Parameter limit: the most bytes that a frame may have.
    func next(into frame: UnsafeMutableRawBufferPointer, limit: Int) -> Next {
        while end - start < FrameHeader.size {
            if start > 0 {
                buffer.copyMemory(from: UnsafeRawBufferPointer(rebasing: buffer[start..<end]))
                end -= start
                start = 0
            }
            let free = UnsafeMutableRawBufferPointer(rebasing: buffer[end...])
            guard let count = receive(into: free) else { return .end }
            end += count
        }
        let size = UInt32(littleEndian: buffer.loadUnaligned(fromByteOffset: start, as: UInt32.self))
        guard size >= FrameHeader.size, size <= min(limit, frame.count) else { return .unintelligible(size: size) }

        let here = min(Int(size), end - start)
        frame.copyMemory(from: UnsafeRawBufferPointer(rebasing: buffer[start..<start + here]))
        start += here
        // The rest of a large frame goes straight to its place.
        var filled = here
        while filled < size {
            let free = UnsafeMutableRawBufferPointer(rebasing: frame[filled..<Int(size)])
            guard let count = receive(into: free) else { return .end }
            filled += count
        }
        return .frame(Int(size))
    }

    /// - Returns: bytes received, at least one; nil at the end.
    private func receive(into free: UnsafeMutableRawBufferPointer) -> Int? {
        if let wakeUp, !wakeUp.waitUntilReadable(descriptor) { return nil }
        guard let count = try? System.receive(descriptor, into: free), count > 0 else { return nil }
        return count
    }
}
