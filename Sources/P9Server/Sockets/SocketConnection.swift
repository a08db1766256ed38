internal import LinuxFiles
internal import P9Wire
internal import ServedTree
internal import Synchronization

/// Serves one stream with a few threads that take turns at reading.
///
/// The thread that has read a lone request executes it itself and goes on reading, without a hand-over. If more bytes are
/// waiting, or the request is of a kind that takes long, it first lets another thread read. If another request takes long,
/// `StallWatch` does that for it.
final class SocketConnection: Sendable {
    private let input: StreamDescriptor
    private let output: StreamDescriptor
    private let stream: FrameStream
    private let server: ServerConnection
    private let configuration: ServerConfiguration
    private let inFlight: RequestsInFlight
    private let watch: StallWatch
    /// Counts the requests that the reader executes itself, twice each: odd while it does.
    private let readersRequest = Atomic<UInt64>(0)
    /// For an input that is not a socket.
    private let wakeUp: WakeUp?
    private let isStopping = Atomic<Bool>(false)
    private let turns = Monitor(Turns())
    private let log: @Sendable (String) -> Void

    private struct Turns {
        /// Whether some thread has the turn to read.
        var isReading = false
        /// Threads that wait for the turn.
        var waiting = 0
        var workers = 0
        /// Workers that have handed the turn over and execute a request.
        var executing = 0
        /// Whether a Tversion waits for `executing` to become 0.
        var isAwaited = false
        var isClosing = false
    }

    /// Requests that may run at once; more are left in the socket.
    private static let maximumWorkers = 16
    /// How long a thread beyond the first one waits for something to do, in seconds.
    private static let workersPatience = 10.0
    /// The limit of messages before a session has one, in bytes.
    private static let firstMessageSize = ServerConfiguration.minimumMessageSize
    /// A board that lost its power holds its locks until this has passed after it is up again.
    private static let keepAliveSeconds: CInt = 30
    /// Ten minutes: Linux' client can't connect anew, so a cable that was out or a switch that restarts must not cost
    /// a board its root.
    private static let keepAliveProbes: CInt = 20

    /// - Parameters:
    ///   - output: the same as `input` if that is a socket.
    ///   - watch: of the server, for all connections.
    ///   - log: gets a line when the client breaks the protocol.
    /// - Throws: `EMFILE` and the like.
    init(
        input: StreamDescriptor,
        output: StreamDescriptor,
        _ configuration: ServerConfiguration,
        _ watch: StallWatch,
        log: @escaping @Sendable (String) -> Void
    ) throws(Errno) {
        self.input = input
        self.output = output
        self.configuration = configuration
        self.watch = watch
        self.log = log
        wakeUp = System.socketState(input.raw) == .none ? try WakeUp() : nil
        stream = FrameStream(input.raw, wakeUp)
        server = ServerConnection(configuration)
        inFlight = RequestsInFlight(output: output.raw)
    }

    /// Serves until the client hangs up, breaks the protocol, or `stop` is called; on return all threads are done.
    func run() {
        System.setNoDelay(input.raw)
        System.setKeepAlive(input.raw, idle: Self.keepAliveSeconds, probes: Self.keepAliveProbes)
        watch.add(self)
        turns.update { $0.workers += 1 }
        work(MessageBuffers(paidBy: nil), isFirst: true)
        turns.wait { $0.workers == 0 ? () : nil }
        watch.remove(self)
    }

    /// Stops taking requests; those in flight are still answered.
    func stop() {
        isStopping.store(true, ordering: .releasing)
        turns.update { $0.isClosing = true }
        System.shutDown(input.raw, receivingOnly: true)
        wakeUp?.wake()
    }

    /// Ends the connection, though replies may wait to be read by the client.
    func abandon() {
        System.shutDown(input.raw, receivingOnly: false)
        System.shutDown(output.raw, receivingOnly: false)
    }

    /// Whether the client uses the connection.
    var hasAttached: Bool { server.hasAttached }

    private func work(_ buffers: consuming MessageBuffers, isFirst: Bool) {
        while true {
            switch takeTurn(isFirst: isFirst) {
            case .mine: break
            case .none: return turns.update { $0.workers -= 1 }
            case .notNeeded: return
            }
            switch readAndExecute(&buffers) {
            case .mayGoOn: continue
            case .noRoom: return handBack()
            case .end: close()
            }
        }
    }

    private enum Turn {
        case mine
        /// The connection is closing.
        case none
        /// There was nothing to do for this thread for a while; it counts as gone already.
        case notNeeded
    }

    private func takeTurn(isFirst: Bool) -> Turn {
        var isWaiting = false
        let takeIt: (inout Turns) -> Turn? = { turns in
            if turns.isReading, !turns.isClosing {
                if !isWaiting { turns.waiting += 1 }
                isWaiting = true
                return nil
            }
            if isWaiting { turns.waiting -= 1 }
            isWaiting = false
            if turns.isClosing { return Turn.none }
            turns.isReading = true
            return .mine
        }
        if isFirst { return turns.wait(takeIt) }
        if let turn = turns.wait(seconds: Self.workersPatience, takeIt) { return turn }
        return turns.update { turns in
            // The turn may have become free at the last moment, and the thread that gave it on counts on this one.
            if let turn = takeIt(&turns) { return turn }
            turns.waiting -= 1
            turns.workers -= 1
            return .notNeeded
        }
    }

    /// A thread beyond the first one has no room for a message: it gives the turn back, and ends.
    private func handBack() {
        turns.update { turns in
            turns.isReading = false
            turns.workers -= 1
        }
    }

    /// Lets another thread read; starts one if all are busy.
    /// - Parameter serial: only if the reader still executes the request that it began at this `execution`. Nil for the
    ///   reader itself.
    func handOver(executing serial: UInt64? = nil) {
        let (isAwaited, needsWorker) = turns.updateQuietly { turns in
            if let serial, !end(serial) { return (false, false) }
            turns.isReading = false
            turns.executing += 1
            guard turns.waiting == 0 else { return (true, false) }
            let size = MessageBuffers.cost(server.msize)
            guard turns.workers < Self.maximumWorkers, server.client.messages.mayTake(size) else {
                return (false, false)
            }
            turns.workers += 1
            return (false, true)
        }
        // While there is a turn to give only threads that want to read wait.
        if isAwaited { turns.wakeOne() }
        guard needsWorker else { return }
        do throws(Errno) {
            try startThread { [self] in work(MessageBuffers(paidBy: server.client.messages), isFirst: false) }
        } catch {
            turns.update { $0.workers -= 1 }  // those that there are will do
        }
    }

    /// A request that was handed over is answered.
    private func finishHandedOver() {
        let isLast = turns.updateQuietly { turns in
            turns.executing -= 1
            return turns.executing == 0 && turns.isAwaited
        }
        if isLast { turns.wakeAll() }
    }

    /// Waits for the requests before, which still belong to the session that a Tversion ends.
    private func waitForOthers() {
        turns.wait { turns in
            turns.isAwaited = turns.executing > 0
            return turns.isAwaited ? nil : ()
        }
    }

    /// What `StallWatch` looks at: odd while the reader executes a request, and another number for each.
    var execution: UInt64 { readersRequest.load(ordering: .sequentiallyConsistent) }

    /// The reader begins to execute a request.
    /// - Returns: what `execution` is meanwhile.
    private func begin() -> UInt64 {
        let serial = readersRequest.add(1, ordering: .sequentiallyConsistent).newValue
        watch.notice()
        return serial
    }

    /// - Returns: false if it has ended already.
    private func end(_ serial: UInt64) -> Bool {
        readersRequest.compareExchange(
            expected: serial,
            desired: serial + 1,
            ordering: .sequentiallyConsistent
        ).exchanged
    }

    private enum Outcome {
        /// The turn is given away.
        case mayGoOn
        /// Nothing was read, as the client has its share of memory.
        case noRoom
        case end
    }

    /// Has the turn on entry; has given it away on return, by hand-over or because the connection is at its end.
    private func readAndExecute(_ buffers: inout MessageBuffers) -> Outcome {
        while true {
            let size: Int
            let msize = server.msize
            let limit = msize > 0 ? msize : min(Self.firstMessageSize, configuration.maximumMessageSize)
            guard buffers.fit(limit) else { return .noRoom }
            let request = buffers.request
            let reply = buffers.reply
            switch stream.next(into: request, limit: limit) {
            case .frame(let count): size = count
            case .end: return .end
            case .unintelligible(let claimed):
                log("closing a connection: a frame claims \(claimed) bytes, and the limit is \(limit)")
                return .end
            }
            if isStopping.load(ordering: .acquiring) { return .end }
            let frame = UnsafeRawBufferPointer(rebasing: request[..<size]).bytes
            let ticket: RequestsInFlight.Ticket
            switch inFlight.admit(frame) {
            case .execute(let admitted): ticket = admitted
            case .deferred: continue
            case .duplicate:
                log("closing a connection: a tag was used again before its request was answered")
                return .end
            }
            guard execute(frame, ticket, reply) else { return .mayGoOn }
        }
    }

    /// Executes a request and sends its reply.
    /// - Returns: whether this thread still has the turn; a stream that can't be written any more is left to the reader.
    private func execute(
        _ request: RawSpan,
        _ ticket: RequestsInFlight.Ticket,
        _ reply: UnsafeMutableRawBufferPointer
    ) -> Bool {
        let type = FrameHeader(decoding: request)?.type
        let isVersion = type == MessageType.tversion.rawValue
        if isVersion { waitForOthers() }
        // What follows a Tversion is for the new session, and must be of its msize: nobody reads meanwhile.
        let isHandedOver = !isVersion && (stream.hasMore || type.map(Self.mayTakeLong) ?? false)
        var serial: UInt64?
        if isHandedOver {
            handOver()
        } else if !isVersion {
            serial = begin()
        }
        let size = server.respond(to: request, into: reply)
        do throws(Errno) {
            try inFlight.answer(ticket, with: UnsafeRawBufferPointer(rebasing: reply[..<size]))
        } catch {
            // The thread that reads, perhaps this one, must learn of it.
            isStopping.store(true, ordering: .releasing)
            System.shutDown(input.raw, receivingOnly: false)
            wakeUp?.wake()
        }
        let hasTurn = !isHandedOver && (serial.map(end) ?? true)
        if !hasTurn { finishHandedOver() }
        return hasTurn
    }

    /// Requests that wait for a disk to write.
    private static func mayTakeLong(_ type: UInt8) -> Bool {
        type == MessageType.tfsync.rawValue
    }

    private func close() {
        turns.update { turns in
            turns.isClosing = true
            turns.isReading = false
        }
    }
}
