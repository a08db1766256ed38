/// What answers a board's requests: a server in this process, or one that is reached over a socket.
///
/// A link calls it on the board's thread, one request at a time.
public protocol Responder: AnyObject {
    /// Executes one request and writes its reply.
    ///
    /// - Parameters:
    ///   - request: one frame; its header is there and its size field is right, all else is up to the board.
    ///   - reply: as many bytes as the client has room for, 11 or more. It is the memory that goes on the wire, so
    ///     file data is best read straight into it.
    /// - Returns: the reply's size in bytes. Anything that is not a valid reply to the request (see `ReplyRules`) is
    ///   replaced by an Rlerror, so 0 will do where a responder has nothing better to say.
    func respond(to request: RawSpan, into reply: UnsafeMutableRawBufferPointer) -> Int

    /// Called when a link begins. While a responder waits for somebody else it may ask now and then whether the board has gone,
    /// so that nobody wants the reply. A responder that never waits needs no implementation.
    func serve(boardGone: @escaping () -> Bool)
}

/// `Responder.respond` of some responder.
typealias Respond = (_ request: RawSpan, _ reply: UnsafeMutableRawBufferPointer) -> Int

extension Responder {
    /// Does nothing: for responders that wait for nobody.
    public func serve(boardGone: @escaping () -> Bool) {}
}
