internal import Glibc
internal import LinuxFiles
internal import Synchronization

/// Text on its way to a descriptor that may block for a while: a terminal after Ctrl-S, a full pipe that nobody reads, a
/// hung ssh. A thread of its own writes it, so that threads with a board or a client to answer never wait for a reader.
///
/// The backlog has a limit. Messages that come while it is full are lost and counted, until all before them is written; then
/// a notice with the count takes their place. Messages are whole or lost, and stay in order.
final class MessageQueue: Sendable {
    /// What to do while the descriptor takes nothing.
    enum Manner {
        /// Lose the message if the backlog is full: for threads that serve.
        case neverWait
        /// Return when the message is written, as `write(2)` itself would: for a command that works for nobody else. A
        /// descriptor that takes nothing for a second is waited for no longer, unless the backlog is full.
        case wait
        /// Leave the message out, without counting it, unless all before it is written: for progress.
        case nowOrNever
    }

    private struct State {
        /// Accepted, and not yet taken by the writer.
        var pending: [UInt8] = []
        /// Bytes accepted, and bytes done with, since the beginning.
        var accepted = 0
        var finished = 0
        /// Messages that found the backlog full.
        var lost = 0
        var hasWriter = false
        /// When something was last written, or began to wait.
        var lastMove = ContinuousClock.now

        var backlog: Int { accepted - finished }

        mutating func take() -> [UInt8] {
            let batch = pending
            pending = []
            return batch
        }

        /// - Returns: false if there is no room, or the loss of earlier messages has not been reported yet.
        mutating func accept(_ text: String, limit: Int) -> Bool {
            let count = text.utf8.count
            // One that is larger than all the room still finds its way.
            guard lost == 0, backlog == 0 || backlog + count <= limit else { return false }
            append(text)
            return true
        }

        mutating func append(_ text: String) {
            if backlog == 0 { lastMove = .now }
            pending.append(contentsOf: text.utf8)
            accepted += text.utf8.count
        }
    }

    /// For one write: less than PIPE_BUF, so that lines of several programs don't mix in a pipe, and little, so that a slow
    /// line shows that it moves.
    private static let largestWrite = 1024
    /// What takes nothing for this many seconds counts as blocked.
    private static let patience = 1.0
    /// How long the end of a process waits for what is blocked, in seconds: when somebody asked for the end, and otherwise.
    private static let promptFarewell = 0.4
    private static let farewell = 3.0

    private let descriptor: CInt
    private let limit: Int
    private let notice: @Sendable (_ lost: Int) -> String
    private let state = Monitor(State())

    /// - Parameters:
    ///   - descriptor: stays the caller's.
    ///   - limit: bytes that may wait; 1 MiB are some 10,000 lines of a trace.
    ///   - notice: the text that takes the place of `lost` messages.
    init(_ descriptor: CInt, limit: Int = 1 << 20, notice: @escaping @Sendable (_ lost: Int) -> String) {
        self.descriptor = descriptor
        self.limit = limit
        self.notice = notice
    }

    func add(_ text: String, _ manner: Manner) {
        switch manner {
        case .neverWait: acceptOrLose(text)
        case .nowOrNever:
            guard state.updateQuietly({ $0.backlog == 0 && $0.accept(text, limit: limit) }) else { return }
        case .wait:
            if !waitForRoom(text) { acceptOrLose(text) }
        }
        guard startWriter() else { return writeWithoutThread() }
        state.wakeAll()
        if case .wait = manner { waitUntilWritten() }
    }

    /// Waits, before the process ends, until all is written; not for long if the descriptor takes nothing.
    func finish() {
        let start = ContinuousClock.now
        while !isWritten(withinSeconds: 0.05) {
            let now = ContinuousClock.now
            if Self.isEnding {
                if now - start >= .seconds(Self.promptFarewell) { return }
            } else if now - max(start, lastMove) >= .seconds(Self.farewell) {
                return
            }
        }
    }

    private var lastMove: ContinuousClock.Instant { state.updateQuietly { $0.lastMove } }

    /// The writer must hear of a loss, so it is counted while there is something that it has not written: under the same lock.
    private func acceptOrLose(_ text: String) {
        state.updateQuietly { state in
            if !state.accept(text, limit: limit) { state.lost += 1 }
        }
    }

    /// - Returns: false if the process is to end.
    private func waitForRoom(_ text: String) -> Bool {
        while !Self.isEnding {
            if state.wait(seconds: 0.1, { $0.accept(text, limit: limit) ? () : nil }) != nil { return true }
        }
        return false
    }

    private func waitUntilWritten() {
        while !isWritten(withinSeconds: 0.1), !Self.isEnding {
            if ContinuousClock.now - lastMove >= .seconds(Self.patience) { return }
        }
    }

    private func isWritten(withinSeconds seconds: Double) -> Bool {
        // Between the last message and the notice of lost ones there is nothing in the backlog either.
        state.wait(seconds: seconds) { $0.backlog == 0 && $0.lost == 0 ? () : nil } != nil
    }

    // MARK: The writer

    /// - Returns: false if there can be no more threads.
    private func startWriter() -> Bool {
        state.updateQuietly { state in
            if state.hasWriter { return true }
            state.hasWriter =
                (try? SignalWaiter.withoutSignals { () throws(Errno) in try startThread { self.run() } }) != nil
            return state.hasWriter
        }
    }

    private func run() -> Never {
        while true {
            let batch = state.wait { state -> [UInt8]? in
                if state.pending.isEmpty, state.lost > 0 {
                    state.append(notice(state.lost))
                    state.lost = 0
                }
                return state.pending.isEmpty ? nil : state.take()
            }
            forEachWrite(batch) { part in
                // Nobody can be told that the descriptor is gone, and the next message may find room on the disk again.
                try? System.send(descriptor, part)
                finish(part.count)
            }
        }
    }

    /// The limit of threads is reached: what can be written without waiting is; the rest is lost.
    private func writeWithoutThread() {
        let batch = state.updateQuietly { state in
            state.lost = 0
            return state.take()
        }
        forEachWrite(batch) { part in
            var request = pollfd(fd: descriptor, events: CShort(POLLOUT), revents: 0)
            if poll(&request, 1, 0) > 0 { try? System.send(descriptor, part) }
            finish(part.count)
        }
    }

    private func finish(_ count: Int) {
        state.update { state in
            state.finished += count
            state.lastMove = .now
        }
    }

    /// Cuts a batch at the ends of lines, where it can.
    private func forEachWrite(_ batch: [UInt8], _ body: (UnsafeRawBufferPointer) -> Void) {
        batch.withUnsafeBytes { bytes in
            var rest = bytes[...]
            while !rest.isEmpty {
                let part = rest.prefix(Self.largestWrite)
                let end = part.count < rest.count ? part.lastIndex(of: UInt8(ascii: "\n")).map { $0 + 1 } : nil
                body(UnsafeRawBufferPointer(rebasing: rest[..<(end ?? part.endIndex)]))
                rest = rest[(end ?? part.endIndex)...]
            }
        }
    }

    // MARK: The end of the process

    private static let isEndAsked = Atomic(false)

    /// Has nobody wait for a blocked descriptor any more: somebody wants the process to end.
    static func hurry() {
        isEndAsked.store(true, ordering: .releasing)
    }

    private static var isEnding: Bool { isEndAsked.load(ordering: .acquiring) || SignalWaiter.isEndPending }
}
