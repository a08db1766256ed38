internal import LinuxFiles
internal import P9Wire
internal import Synchronization

/// Serves one stream with a few threads that take turns at reading.
///
/// The thread that has read a lone request executes it itself and goes on reading: no hand-over is paid for. If more
/// bytes are waiting, or the request may take long, it first lets another thread read.
final class SocketConnection: Sendable {
    private let input: SharedDescriptor
    private let output: SharedDescriptor
    private let stream: FrameStream
    private let server: ServerConnection
    private let configuration: ServerConfiguration
    private let inFlight: RequestsInFlight
    /// For an input that is no socket.
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
        var isClosing = false
    }

    /// Requests that may run at once; more are left in the socket.
    private static let maximumWorkers = 16

    /// - Parameters:
    ///   - output: the same as `input` if that is a socket.
    ///   - log: gets a line when the client breaks the protocol.
    /// - Throws: `EMFILE` and the like.
    init(
        input: SharedDescriptor,
        output: SharedDescriptor,
        _ configuration: ServerConfiguration,
        log: @escaping @Sendable (String) -> Void
    ) throws(Errno) {
        self.input = input
        self.output = output
        self.configuration = configuration
        self.log = log
        wakeUp = System.socketState(input.raw) == .none ? try WakeUp() : nil
        stream = FrameStream(input.raw, wakeUp)
        server = ServerConnection(configuration)
        inFlight = RequestsInFlight(output: output.raw)
    }

    /// Serves until the client hangs up, breaks the protocol, or `stop` is called; on return all threads are done.
    func run() {
        System.setNoDelay(input.raw)
        turns.update { $0.workers += 1 }
        work()
        turns.wait { $0.workers == 0 ? () : nil }
    }

    /// Takes no more requests; those in flight are still answered.
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

    private func work() {
        let size = configuration.maximumMessageSize
        let request = UnsafeMutableRawBufferPointer.allocate(byteCount: size, alignment: 4096)
        let reply = UnsafeMutableRawBufferPointer.allocate(byteCount: size, alignment: 4096)
        defer {
            request.deallocate()
            reply.deallocate()
        }
        while takeTurn() {
            if !readAndExecute(request, reply) { close() }
        }
        turns.update { $0.workers -= 1 }
    }

    /// - Returns: false if the connection is closing.
    private func takeTurn() -> Bool {
        turns.update { $0.waiting += 1 }
        return turns.wait { turns -> Bool? in
            if turns.isReading, !turns.isClosing { return nil }
            turns.waiting -= 1
            if turns.isClosing { return false }
            turns.isReading = true
            return true
        }
    }

    /// Lets another thread read; starts one if all are busy.
    private func handOver() {
        let wantsWorker = turns.update { turns -> Bool in
            turns.isReading = false
            turns.executing += 1
            guard turns.waiting == 0, turns.workers < Self.maximumWorkers else { return false }
            turns.workers += 1
            return true
        }
        guard wantsWorker else { return }
        do throws(Errno) {
            try startThread { [self] in work() }
        } catch {
            turns.update { $0.workers -= 1 }  // those that there are will do
        }
    }

    /// A request that was handed over is answered.
    private func finishHandedOver() {
        turns.update { $0.executing -= 1 }
    }

    /// Waits for the requests before, which still belong to the session that a Tversion ends.
    private func waitForOthers() {
        turns.wait { $0.executing == 0 ? () : nil }
    }

    /// Has the turn on entry; has given it away on return, by hand-over or because the connection is at its end.
    /// - Returns: false at the end.
    private func readAndExecute(_ request: UnsafeMutableRawBufferPointer, _ reply: UnsafeMutableRawBufferPointer)
        -> Bool
    {
        while true {
            let size: Int
            let limit = server.msize > 0 ? server.msize : configuration.maximumMessageSize
            switch stream.next(into: request, limit: limit) {
            case .frame(let count): size = count
            case .end: return false
            case .unintelligible(let claimed):
                log("closing a connection: a frame claims \(claimed) bytes, and the limit is \(limit)")
                return false
            }
            if isStopping.load(ordering: .acquiring) { return false }
            let frame = UnsafeRawBufferPointer(rebasing: request[..<size]).bytes
            let ticket: RequestsInFlight.Ticket
            switch inFlight.admit(frame) {
            case .execute(let admitted): ticket = admitted
            case .deferred: continue
            case .duplicate:
                log("closing a connection: a tag was used again before its request was answered")
                return false
            }
            let isVersion = FrameHeader(decoding: frame)?.type == MessageType.tversion.rawValue
            if isVersion { waitForOthers() }
            // What follows a Tversion is for the new session, and must be of its msize.
            let isHandedOver = !isVersion && (stream.hasMore || Self.mayTakeLong(frame))
            if isHandedOver { handOver() }
            defer {
                if isHandedOver { finishHandedOver() }
            }
            let count = server.respond(to: frame, into: reply)
            do throws(Errno) {
                try inFlight.answer(ticket, with: UnsafeRawBufferPointer(rebasing: reply[..<count]))
            } catch {
                return isHandedOver ? closeFromOutside() : false
            }
            if isHandedOver { return true }
        }
    }

    /// Requests that wait for a disk to write.
    private static func mayTakeLong(_ frame: RawSpan) -> Bool {
        FrameHeader(decoding: frame)?.type == MessageType.tfsync.rawValue
    }

    private func close() {
        turns.update { turns in
            turns.isClosing = true
            turns.isReading = false
        }
    }

    /// The stream can't be written: the thread that reads must hear of it.
    private func closeFromOutside() -> Bool {
        turns.update { $0.isClosing = true }
        System.shutDown(input.raw, receivingOnly: false)
        wakeUp?.wake()
        return true
    }
}
