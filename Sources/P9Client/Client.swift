internal import LinuxFiles
public import P9Wire

/// A 9P2000.L client for one thread: each call sends one request and waits for its reply.
///
/// For tests, for command-line verbs, and as an example of the protocol. Names are checked by the server, not here.
public final class Client {
    private let socket: FrameSocket
    private let request: UnsafeMutableRawBufferPointer
    private let reply: UnsafeMutableRawBufferPointer
    private var lastFid: UInt32 = 0
    private var lastTag: UInt16 = 0
    /// The largest message in bytes, as settled with the server.
    public private(set) var msize: Int

    /// Opens a session on a connected socket.
    /// - Parameter msize: what to propose, in bytes.
    /// - Throws: `ClientError.unsupportedVersion` if the server doesn't speak 9P2000.L.
    public init(_ socket: consuming FrameSocket, msize: Int = 64 << 10) throws(ClientError) {
        self.socket = socket
        self.msize = msize
        request = .allocate(byteCount: msize, alignment: 16)
        reply = .allocate(byteCount: msize, alignment: 16)
        let version = Array("9P2000.L".utf8)
        let size = try call(Tversion(msize: UInt32(msize), version: version.span.bytes), tag: Tag.none) {
            (body) throws(WireError) -> Int in
            let answer = try Rversion(decoding: body)
            let isOurs = answer.version.withUnsafeBytes { $0.elementsEqual("9P2000.L".utf8) }
            return isOurs ? Int(answer.msize) : 0
        }
        guard size > 0, size <= msize else { throw .unsupportedVersion }
        self.msize = size
    }

    deinit {
        request.deallocate()
        reply.deallocate()
    }

    /// A fid that this client has not used yet.
    public func newFid() -> Fid {
        lastFid += 1
        return Fid(rawValue: lastFid)
    }

    /// Sends a request and decodes the body of its reply.
    /// - Throws: `ClientError.refused` with the server's errno, `.protocolViolation` if the reply does not fit the request.
    public func call<Request: Message & ~Escapable, Answer>(
        _ message: borrowing Request,
        tag: Tag? = nil,
        _ decode: (RawSpan) throws(WireError) -> Answer
    ) throws(ClientError) -> Answer {
        lastTag = lastTag == Tag.none.rawValue - 1 ? 0 : lastTag + 1
        let tag = tag ?? Tag(rawValue: lastTag)
        var frame = OutputRawSpan(buffer: request, initializedCount: 0)
        do throws(WireError) {
            try message.encode(tag: tag, into: &frame)
        } catch {
            throw .tooLarge
        }
        let size = frame.finalize(for: request)
        guard size <= msize else { throw .tooLarge }
        return try answer(to: UnsafeRawBufferPointer(rebasing: request[..<size]).bytes, tag, decode)
    }

    private func answer<Answer>(
        to frame: RawSpan,
        _ tag: Tag,
        _ decode: (RawSpan) throws(WireError) -> Answer
    ) throws(ClientError) -> Answer {
        let answer = try exchange(frame)
        guard let asked = FrameHeader(decoding: frame), let header = FrameHeader(decoding: answer), header.tag == tag
        else { throw .protocolViolation }
        let body = answer.extracting(droppingFirst: FrameHeader.size)
        if header.type == MessageType.rlerror.rawValue {
            guard let error = try? Rlerror(decoding: body) else { throw .protocolViolation }
            throw .refused(Errno(rawValue: CInt(clamping: error.ecode)))
        }
        guard header.type == asked.type + 1 else { throw .protocolViolation }
        do throws(WireError) {
            return try decode(body)
        } catch {
            throw .protocolViolation
        }
    }

    /// Sends bytes as they are and receives one frame, valid until the next call.
    /// - Throws: `ClientError.socket`.
    @_lifetime(borrow self)
    public func exchange(_ frame: RawSpan) throws(ClientError) -> RawSpan {
        do throws(FrameSocketError) {
            try socket.send(frame)
            let size = try socket.receive(into: reply)
            return _overrideLifetime(UnsafeRawBufferPointer(rebasing: reply[..<size]).bytes, borrowing: self)
        } catch {
            throw .socket(error)
        }
    }
}
