internal import LinuxFiles
internal import P9Wire
internal import Synchronization

/// The requests of one connection that were read and not answered yet, and the order of the replies.
///
/// Keeps three promises of the protocol: each request gets one reply; a flush is answered after the request that it
/// flushes; requests from before a Tversion are not answered after it.
final class RequestsInFlight: Sendable {
    private let output: CInt
    private let state = Mutex(State())
    /// Held while a reply is written. A reply leaves `state` under this lock, so that what sees it gone (a Tflush, say)
    /// can't overtake it on the wire.
    private let writing = Mutex<Void>(())

    private struct State {
        /// For each request, the Tflush requests that wait for it.
        var flushes: [Tag: [Tag]] = [:]
        /// Counts the Tversions.
        var generation: UInt64 = 0

        /// Forgets a request and the flushes that waited for it, and those that waited for them.
        /// - Returns: the flushes' tags in the order of their replies; mostly none, which costs no allocation.
        mutating func finish(_ tag: Tag) -> [Tag] {
            var order = flushes.removeValue(forKey: tag) ?? []
            var next = 0
            while next < order.count {
                order += flushes.removeValue(forKey: order[next]) ?? []
                next += 1
            }
            return order
        }
    }

    /// What a request must show to be answered.
    struct Ticket: Sendable {
        var tag: Tag
        var generation: UInt64
    }

    init(output: CInt) {
        self.output = output
    }

    enum Admission {
        case execute(Ticket)
        /// A Tflush whose reply will follow the other request's.
        case deferred
        /// The tag is in use: the client is broken.
        case duplicate
    }

    /// Takes note of a request that was read.
    func admit(_ frame: RawSpan) -> Admission {
        guard let header = FrameHeader(decoding: frame) else { return .duplicate }
        return state.withLock { state in
            if header.type == MessageType.tversion.rawValue {
                state.flushes.removeAll()
                state.generation += 1
            }
            guard state.flushes[header.tag] == nil else { return .duplicate }
            if header.type == MessageType.tflush.rawValue,
                let request = try? Tflush(decoding: frame.extracting(droppingFirst: FrameHeader.size)),
                state.flushes[request.oldTag] != nil
            {
                state.flushes[request.oldTag]?.append(header.tag)
                state.flushes[header.tag] = []
                return .deferred
            }
            state.flushes[header.tag] = []
            return .execute(Ticket(tag: header.tag, generation: state.generation))
        }
    }

    /// Sends a reply, and those to the flushes that waited for it; or nothing, if the session is over.
    /// - Throws: why the stream can't be written.
    func answer(_ ticket: Ticket, with reply: UnsafeRawBufferPointer) throws(Errno) {
        try writing.withLock { _ throws(Errno) in
            let flushes = state.withLock { state -> [Tag]? in
                guard state.generation == ticket.generation else { return nil }
                return state.finish(ticket.tag)
            }
            guard let flushes else { return }
            try System.send(output, reply)
            for tag in flushes { try sendFlushReply(tag) }
        }
    }

    private func sendFlushReply(_ tag: Tag) throws(Errno) {
        try withUnsafeTemporaryAllocation(byteCount: FrameHeader.size, alignment: 1) { (buffer) throws(Errno) in
            var frame = OutputRawSpan(buffer: buffer, initializedCount: 0)
            guard (try? EmptyReply(.rflush).encode(tag: tag, into: &frame)) != nil else { throw .EMSGSIZE }
            let size = frame.finalize(for: buffer)
            try System.send(output, UnsafeRawBufferPointer(rebasing: buffer[..<size]))
        }
    }
}
