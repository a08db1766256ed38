internal import Glibc
internal import P9Wire

/// Answers a board's requests by asking a 9P server over a socket, one connection per mount; belongs to one thread.
///
/// Each request gets a reply, even if the server fails: EIO then, and ESTALE for files that only an earlier connection knew.
///
/// A server may take as long as it wants to read a request and to begin its reply; a reply that has begun must go on. Each wait
/// ends with the board, and at most `Patience.stop` after the process was asked to end.
public final class RequestForwarder {
    /// How long to wait for what.
    public struct Patience: Sendable {
        /// How often to ask whether somebody still wants to wait, in milliseconds.
        public var look = 250
        /// How long a new mount waits for a server that does not listen.
        public var connect = Duration.seconds(10)
        /// How long a server may be silent in the middle of a reply: its process was killed in a way that leaves the
        /// connection open, or stopped. The board must mount again after that.
        public var midReply = Duration.seconds(60)
        /// How long the current request may take when the process is to end.
        public var stop = Duration.seconds(2)
        /// When a message first tells of a server that does not answer; the next one comes after twice the time, and so on.
        public var firstWord = Duration.seconds(5)

        /// The times that the program uses.
        public init() {}
    }

    private let address: ServerAddress
    private let maximumMsize: Int
    private let patience: Patience
    private let isStopping: () -> Bool
    private let say: (String) -> Void
    private var socket: FrameSocket?
    /// Whether nothing has been sent over the connection yet, so that the server knows no fid of the board.
    private var isFresh = true
    /// Whether the board that is being answered has left the bus.
    private var isBoardGone: () -> Bool = { true }

    /// Connects to the server, so that a wrong address shows at once.
    /// - Parameters:
    ///   - maximumMsize: the largest msize that a board may ask for, in bytes.
    ///   - isStopping: whether the process is to end.
    ///   - say: gets a sentence for the user.
    /// - Throws: `FrameSocketError.givenUp` if the process is to end, and otherwise as `FrameSocket.connect`.
    public init(
        _ address: ServerAddress,
        maximumMsize: Int,
        patience: Patience = Patience(),
        isStopping: @escaping () -> Bool,
        say: @escaping (String) -> Void
    ) throws(FrameSocketError) {
        self.address = address
        self.maximumMsize = maximumMsize
        self.patience = patience
        self.isStopping = isStopping
        self.say = say
        socket = try address.connect(lookingEvery: patience.look) { (_) throws(FrameSocketError) in
            if isStopping() { throw .givenUp }
        }
    }

    /// Begins to serve a board.
    /// - Parameter boardGone: whether it has left the bus.
    public func serve(boardGone: @escaping () -> Bool) {
        isBoardGone = boardGone
    }

    /// Has the server execute one request.
    /// - Parameters:
    ///   - request: one frame.
    ///   - reply: room for the largest reply that the board takes, 11 bytes or more.
    /// - Returns: the reply's size in bytes; 0 if the request has no tag to answer to.
    public func respond(to request: RawSpan, into reply: UnsafeMutableRawBufferPointer) -> Int {
        guard let rules = ReplyRules(request: request, limit: reply.count) else { return 0 }
        let isVersion = rules.requestType == MessageType.tversion.rawValue
        if isVersion { openSession() }
        // ESTALE (116): the connection that knew the board's files is gone, or was another process's.
        if !isVersion, isFresh || socket == nil { return rules.writeError(116, into: reply) }
        guard socket != nil else { return rules.writeError(5 /* EIO */, into: reply) }
        do throws(FrameSocketError) {
            guard isVersion else { return try exchange(request, rules, reply) }
            return try exchange(limitingMsize(request).span.bytes, rules, reply)
        } catch {
            socket = nil
            // The link tells of a board that has gone; the server has done nothing wrong.
            if !isBoardGone() { say("the server at \(address) failed: \(error); the board must mount again") }
            return rules.writeError(5 /* EIO */, into: reply)
        }
    }

    /// Sends a request and receives the reply to it.
    private func exchange(
        _ request: RawSpan,
        _ rules: ReplyRules,
        _ reply: UnsafeMutableRawBufferPointer
    ) throws(FrameSocketError) -> Int {
        isFresh = false
        var wait = ReplyWait(patience)
        func lookOut(_ state: FrameSocket.Wait) throws(FrameSocketError) {
            // The server may never answer; the board may be back before.
            if isBoardGone() { throw .givenUp }
            if try wait.goOn(state, isStopping: isStopping()) {
                let seconds = Int(wait.duration / .seconds(1))
                say("for \(seconds) seconds the server at \(address) has not answered \(name(of: rules.requestType))")
            }
        }
        try socket?.send(request, lookingEvery: patience.look, lookOut)
        guard let size = try socket?.receive(into: reply, lookingEvery: patience.look, lookOut) else { throw .closed }
        // After a reply to another request nothing from this connection can be trusted.
        guard rules.accepts(UnsafeRawBufferPointer(rebasing: reply[..<size]).bytes) else { throw .badSize(size) }
        return size
    }

    private func name(of type: UInt8) -> String {
        MessageType(rawValue: type).map { "\($0)".prefix(1).uppercased() + "\($0)".dropFirst() }
            ?? "a message of type \(type)"
    }

    /// Gives a new mount a connection of its own, which knows nothing of the fids before it.
    private func openSession() {
        // A server does not speak first: anything to read is the connection's end.
        if isFresh, socket?.isReadable(withinMilliseconds: 0) == false { return }
        socket = nil
        let deadline = ContinuousClock.now + patience.connect
        func isOver() -> Bool { isStopping() || ContinuousClock.now >= deadline || isBoardGone() }
        var isFirst = true
        while true {
            do throws(FrameSocketError) {
                socket = try address.connect(lookingEvery: patience.look) { (_) throws(FrameSocketError) in
                    if isOver() { throw .timedOut }
                }
                isFresh = true
                return
            } catch {
                if isFirst, !isBoardGone() {
                    say("can't reach the server at \(address): \(error)" + (isOver() ? "" : "; trying again"))
                }
                isFirst = false
            }
            if isOver() { return }
            usleep(UInt32(clamping: patience.look) * 1000)
        }
    }

    /// A Tversion with no larger msize than the link is made for.
    private func limitingMsize(_ request: RawSpan) -> [UInt8] {
        var frame = request.withUnsafeBytes { Array($0) }
        guard frame.count >= FrameHeader.size + 4 else { return frame }
        frame.withUnsafeMutableBytes { frame in
            let msize = UInt32(littleEndian: frame.loadUnaligned(fromByteOffset: FrameHeader.size, as: UInt32.self))
            let limited = min(msize, UInt32(clamping: maximumMsize))
            frame.storeBytes(of: limited.littleEndian, toByteOffset: FrameHeader.size, as: UInt32.self)
        }
        return frame
    }
}
