/// The wait for the reply to one request: when to give up, and when to say that it takes long.
struct ReplyWait {
    private let patience: RequestForwarder.Patience
    private let start = ContinuousClock.now
    private var stopSeen: ContinuousClock.Instant?
    private var nextWord: Duration

    init(_ patience: RequestForwarder.Patience) {
        self.patience = patience
        nextWord = patience.firstWord
    }

    var duration: Duration { ContinuousClock.now - start }

    /// - Returns: whether it is time to say how long the wait has been.
    /// - Throws: `.timedOut` to give up.
    mutating func goOn(_ wait: FrameSocket.Wait, isStopping: Bool) throws(FrameSocketError) -> Bool {
        let now = ContinuousClock.now
        if isStopping {
            let seen = stopSeen ?? now
            stopSeen = seen
            if now - seen >= patience.stop { throw .timedOut }
        }
        if wait.isMidMessage, wait.silence >= patience.midReply { throw .timedOut }
        guard now - start >= nextWord else { return false }
        nextWord *= 2
        return true
    }
}
