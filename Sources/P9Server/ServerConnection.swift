internal import LinuxFiles
internal import P9Wire
internal import Synchronization

/// The server's end of one link to a client: takes T-messages, gives R-messages.
///
/// Independent of the transport. May be called from several threads at once; requests then run in parallel.
public final class ServerConnection: Sendable {
    private let configuration: ServerConfiguration
    let client: ClientShare
    private let session = Mutex<Session?>(nil)
    private let attached = Atomic<Bool>(false)

    /// A connection without a session.
    public init(_ configuration: ServerConfiguration) {
        self.configuration = configuration
        client = ClientShare(configuration)
    }

    /// Whether the client has attached to an export, ever.
    var hasAttached: Bool { attached.load(ordering: .relaxed) }

    /// The largest message that the client and we have agreed on, in bytes; 0 while there is no session.
    public var msize: Int {
        session.withLock { $0?.messageSize } ?? 0
    }

    /// Answers one T-message, well-formed or not.
    /// - Parameters:
    ///   - request: the frame, as it came.
    ///   - reply: at least 11 bytes, and room for the reply that the client expects. File data is read straight into it.
    /// - Returns: the reply's size in bytes; 0 if the request is too short to have a tag, so that nothing can be
    ///   answered.
    public func respond(to request: RawSpan, into reply: UnsafeMutableRawBufferPointer) -> Int {
        guard let header = FrameHeader(decoding: request) else { return 0 }
        configuration.trace.map { $0("-> " + describe(request)) }
        let session = session.withLock { $0 }
        let limit = min(reply.count, session?.messageSize ?? reply.count)
        let buffer = UnsafeMutableRawBufferPointer(rebasing: reply[..<limit])
        var writer = Reply(tag: header.tag, frame: OutputRawSpan(buffer: buffer, initializedCount: 0))
        do throws(Errno) {
            guard Int(header.size) == request.byteCount else { throw .EINVAL }
            guard let type = MessageType(rawValue: header.type), type.isRequest else { throw .EOPNOTSUPP }
            let body = request.extracting(droppingFirst: FrameHeader.size)
            switch type {
            case .tversion:
                try negotiate(body, &writer)
            case .tflush:
                // A caller that runs requests in parallel sends this reply after the flushed request's own.
                guard (try? Tflush(decoding: body)) != nil else { throw .EINVAL }
                try writer.send(EmptyReply(.rflush))
            default:
                // The client goes on with a session that a restart has lost.
                guard let session else { throw .ESTALE }
                try session.execute(type, body, &writer)
                if type == .tattach { attached.store(true, ordering: .relaxed) }
            }
        } catch {
            writer.fail(error)
        }
        let size = writer.finish().finalize(for: buffer)
        configuration.trace.map { $0("<- " + describe(UnsafeRawBufferPointer(rebasing: buffer[..<size]).bytes)) }
        return size
    }

    /// Begins a session, and ends the one before: its fids are clunked and its locks dropped.
    private func negotiate(_ body: RawSpan, _ reply: inout Reply) throws(Errno) {
        guard let request = try? Tversion(decoding: body) else { throw .EINVAL }
        setSession(nil)
        let size = min(Int(request.msize), configuration.maximumMessageSize)
        guard size >= ServerConfiguration.minimumMessageSize else { throw .EMSGSIZE }
        let isKnown = request.version.withUnsafeBytes { bytes in
            bytes.elementsEqual("9P2000.L".utf8) || bytes.starts(with: "9P2000.L.".utf8)
        }
        if isKnown { setSession(Session(configuration, client, messageSize: size)) }
        let version: StaticString = isKnown ? "9P2000.L" : "unknown"
        let text = UnsafeRawBufferPointer(start: version.utf8Start, count: version.utf8CodeUnitCount)
        try reply.send(Rversion(msize: UInt32(size), version: text.bytes))
    }

    private func setSession(_ new: Session?) {
        // Its files are closed after the lock is given back.
        let old = session.withLock { session in
            defer { session = new }
            return session
        }
        withExtendedLifetime(old) {}
    }
}
