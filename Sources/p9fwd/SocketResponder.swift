import CommandSupport
import P9Client
import P9Wire
import USBLink

/// Answers a board's requests by asking a 9P server over a socket, one connection per mount.
///
/// Whatever the server does, each request gets a reply: EIO if the server fails, ESTALE for files that an earlier
/// connection knew and this one does not.
final class SocketResponder: Responder {
    private let address: ServerAddress
    private let stop: StopRequest
    private var socket: FrameSocket?
    /// Whether nothing has been sent over the connection yet, so that the server knows no fid of the board.
    private var isFresh = true
    /// Whether the board that is being answered has left the bus.
    private var isBoardGone: () -> Bool = { true }

    /// How long a new mount waits for a server that does not listen, in seconds.
    private static let connectPatience = 10.0
    /// How long a request in hand may take when the process is to end, in seconds.
    private static let stopPatience = 2.0

    /// Connects to the server, so that a wrong address shows at once.
    init(_ address: ServerAddress, stop: StopRequest) throws(FrameSocketError) {
        self.address = address
        self.stop = stop
        socket = try address.connect()
    }

    func serve(boardGone: @escaping () -> Bool) {
        isBoardGone = boardGone
    }

    func respond(to request: RawSpan, into reply: UnsafeMutableRawBufferPointer) -> Int {
        guard let rules = ReplyRules(request: request, limit: reply.count) else { return 0 }
        let isVersion = rules.requestType == MessageType.tversion.rawValue
        if isVersion { openSession() }
        // ESTALE (116): the connection that knew the board's files is gone, or was another process's.
        if !isVersion, isFresh || socket == nil { return rules.writeError(116, into: reply) }
        do throws(FrameSocketError) {
            guard isVersion else { return try exchange(request, rules, reply) }
            return try exchange(Self.limitingMsize(request).span.bytes, rules, reply)
        } catch {
            socket = nil
            // A board that has gone is the link's to tell of, and no fault of the server's.
            if !isBoardGone() {
                StandardError.say("the server at \(address) failed: \(error); the board must mount again")
            }
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
        try socket?.send(request)
        try awaitReply(to: rules)
        guard let size = try socket?.receive(into: reply) else { throw .closed }
        // After a reply to something else nothing that this connection says can be trusted.
        guard rules.accepts(UnsafeRawBufferPointer(rebasing: reply[..<size]).bytes) else { throw .badSize(size) }
        return size
    }

    /// Waits for the reply as long as it takes, and says so; only the end of the process, or of the board, makes it give up.
    private func awaitReply(to rules: ReplyRules) throws(FrameSocketError) {
        let start = ContinuousClock.now
        var stopSeen: ContinuousClock.Instant?
        var nextWord = 5.0
        while socket?.isReadable(withinMilliseconds: 1000) == false {
            let now = ContinuousClock.now
            if stop.isRequested {
                let seen = stopSeen ?? now
                stopSeen = seen
                if now - seen >= .seconds(Self.stopPatience) { throw .timedOut }
            }
            // The board may be back before such a server answers.
            if isBoardGone() { throw .timedOut }
            if now - start >= .seconds(nextWord) {
                let seconds = Int((now - start) / .seconds(1))
                StandardError.say(
                    "for \(seconds) seconds the server at \(address) has not answered \(name(of: rules.requestType))"
                )
                nextWord *= 2
            }
        }
    }

    private func name(of type: UInt8) -> String {
        MessageType(rawValue: type).map { "\($0)".prefix(1).uppercased() + "\($0)".dropFirst() }
            ?? "a message of type \(type)"
    }

    /// Gives a new mount a connection of its own, which knows nothing of the fids before it.
    private func openSession() {
        // A server does not speak first: if there is something to read, it is the connection's end.
        if isFresh, socket?.isReadable(withinMilliseconds: 0) == false { return }
        socket = nil
        let deadline = ContinuousClock.now + .seconds(Self.connectPatience)
        var isFirst = true
        while true {
            do throws(FrameSocketError) {
                socket = try address.connect()
                isFresh = true
                return
            } catch {
                if isFirst { StandardError.say("can't reach the server at \(address): \(error); trying again") }
                isFirst = false
            }
            if stop.isRequested || ContinuousClock.now >= deadline || isBoardGone() { return }
            pause(milliseconds: 250)
        }
    }

    /// A Tversion with no larger msize than the link is made for.
    private static func limitingMsize(_ request: RawSpan) -> [UInt8] {
        var frame = request.withUnsafeBytes { Array($0) }
        guard frame.count >= FrameHeader.size + 4 else { return frame }
        frame.withUnsafeMutableBytes { frame in
            let msize = UInt32(littleEndian: frame.loadUnaligned(fromByteOffset: FrameHeader.size, as: UInt32.self))
            let limited = min(msize, UInt32(GadgetLink.maximumMsize))
            frame.storeBytes(of: limited.littleEndian, toByteOffset: FrameHeader.size, as: UInt32.self)
        }
        return frame
    }
}
