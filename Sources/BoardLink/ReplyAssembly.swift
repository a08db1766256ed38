internal import P9Wire

/// Puts a host's reply together from the pieces that the OUT endpoint gives: one, or several where the kernel has no memory for
/// large ones.
public struct ReplyAssembly: Sendable {
    /// Bytes of the reply that are there.
    public private(set) var count = 0
    /// The most bytes that a reply may have.
    private let limit: Int

    /// - Parameter limit: in bytes.
    public init(limit: Int) {
        self.limit = limit
    }

    /// What a piece has made of the reply.
    public enum Outcome: Equatable, Sendable {
        /// The whole reply, of so many bytes from the buffer's beginning.
        case whole(Int)
        /// There is more to come.
        case more
        /// It can't be a reply; the next piece begins another one.
        case malformed
    }

    /// A piece has come.
    /// - Parameters:
    ///   - buffer: the reply up to now, the piece included.
    ///   - isShort: whether the endpoint gave less than was asked for, which ends a USB transfer.
    public mutating func add(_ pieceSize: Int, isShort: Bool, in buffer: UnsafeRawBufferPointer) -> Outcome {
        // A zero-length packet behind a reply that had filled its last one.
        if pieceSize == 0, count == 0 { return .more }
        count += pieceSize
        let size = FrameHeader(decoding: UnsafeRawBufferPointer(rebasing: buffer[..<count]).bytes).map { Int($0.size) }
        guard let size, size >= FrameHeader.size, size <= limit, size >= count, size == count || !isShort else {
            // Less than a header may be the beginning of one.
            if size == nil, !isShort { return .more }
            // What follows in the same transfer is skipped: it is as malformed.
            count = 0
            return .malformed
        }
        guard size == count else { return .more }
        count = 0
        return .whole(size)
    }

    /// The link was interrupted: what is there will not go on.
    public mutating func reset() { count = 0 }
}
