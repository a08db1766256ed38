internal import LinuxFiles
internal import P9Wire
internal import Synchronization

/// The requests of one connection that were read and not answered yet, and the order of the replies.
///
/// Keeps three promises of the protocol: each request gets one reply, or none if it was flushed; a flush is answered
/// after the request that it flushes, or in its place; requests from before a Tversion are not answered after it.
final class RequestsInFlight: Sendable {
    private let output: CInt
    private let state = Mutex(State())
    /// Held while a reply is written. A reply leaves `state` under this lock, so that what sees it gone (a Tflush, say)
    /// can't overtake it on the wire.
    private let writing = Mutex<Void>(())

    fileprivate struct Request {
        var serial: UInt64
        /// Whether it need not be answered once it is flushed.
        var isInquiry: Bool
        /// The Tflush requests that wait for it.
        var flushes: [Tag] = []
    }

    fileprivate struct State {
        var requests: [Tag: Request] = [:]
        /// The number of the request that was read last.
        var serial: UInt64 = 0

        /// Forgets a request and the flushes that waited for it, and those that waited for them.
        /// - Returns: the flushes' tags in the order of their replies; mostly none, which costs no allocation.
        mutating func finish(_ tag: Tag) -> [Tag] {
            var order = requests.removeValue(forKey: tag)?.flushes ?? []
            var next = 0
            while next < order.count {
                order += requests.removeValue(forKey: order[next])?.flushes ?? []
                next += 1
            }
            return order
        }
    }

    /// What a request needs to be answered.
    struct Ticket {
        fileprivate var tag: Tag
        /// Another request may have the tag by then.
        fileprivate var serial: UInt64
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
            if header.type == MessageType.tversion.rawValue { state.requests.removeAll() }
            guard state.requests[header.tag] == nil else { return .duplicate }
            state.serial += 1
            let isInquiry = MessageType(rawValue: header.type)?.isInquiry ?? false
            let isDeferred = header.type == MessageType.tflush.rawValue && state.flush(frame, by: header.tag)
            state.requests[header.tag] = Request(serial: state.serial, isInquiry: isInquiry)
            return isDeferred ? .deferred : .execute(Ticket(tag: header.tag, serial: state.serial))
        }
    }

    /// Sends a reply, and those to the flushes that waited for it; or nothing, if the request was flushed or the session
    /// is over.
    /// - Throws: why the stream can't be written.
    func answer(_ ticket: Ticket, with reply: UnsafeRawBufferPointer) throws(Errno) {
        try writing.withLock { _ throws(Errno) in
            let flushes = state.withLock { state -> [Tag]? in
                guard state.requests[ticket.tag]?.serial == ticket.serial else { return nil }
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

extension RequestsInFlight.State {
    /// A flushed inquiry is not answered any more: its client has given up, perhaps because a file system doesn't answer. A
    /// request that changes something is answered, because the client must learn its outcome.
    /// - Returns: whether the flush has to wait for the other request's reply.
    fileprivate mutating func flush(_ frame: RawSpan, by tag: Tag) -> Bool {
        guard let flush = try? Tflush(decoding: frame.extracting(droppingFirst: FrameHeader.size)),
            let request = requests[flush.oldTag]
        else { return false }
        guard !request.isInquiry else {
            requests[flush.oldTag] = nil
            return false
        }
        requests[flush.oldTag]?.flushes.append(tag)
        return true
    }
}

extension MessageType {
    /// Whether a request changes neither fids nor files: it makes no difference whether it was executed.
    fileprivate var isInquiry: Bool {
        switch self {
        case .tread, .treaddir, .treadlink, .tgetattr, .tstatfs, .tgetlock, .tfsync: true
        default: false
        }
    }
}
