internal import LinuxFiles
internal import Synchronization

/// Finds requests that delay their connection: the file system beneath an export may be slow, or not answer.
///
/// A connection's reader executes a lone request itself, as most are done before another thread would have woken. One thread
/// for all connections of a server finds the others, and has their connections let another thread read. It looks a hundred
/// times a second while there are requests, and sleeps when there were none for a while.
final class StallWatch: Sendable {
    private let state = Monitor(State())
    private let isAsleep = Atomic<Bool>(false)

    private struct State {
        var connections: [ObjectIdentifier: Watched] = [:]
        var hasThread = false
        var isWoken = false
    }

    private struct Watched {
        let connection: SocketConnection
        /// Its `execution` at the last look.
        var seen: UInt64
    }

    /// Between two looks, in seconds: a request that is seen twice has run for that long.
    private static let interval = 0.01
    /// The thread sleeps after this many looks without a request.
    private static let looksBeforeSleep = 20

    /// Watches a connection until `remove`. If there can be no thread, it goes unwatched until another is added.
    func add(_ connection: SocketConnection) {
        let needsThread = state.update { state -> Bool in
            state.connections[ObjectIdentifier(connection)] = Watched(connection: connection, seen: 0)
            defer { state.hasThread = true }
            return !state.hasThread
        }
        guard needsThread else { return }
        do throws(Errno) {
            try startThread { [self] in run() }
        } catch {
            state.update { $0.hasThread = false }
        }
    }

    func remove(_ connection: SocketConnection) {
        state.update { $0.connections[ObjectIdentifier(connection)] = nil }
    }

    /// A connection's reader has begun to execute a request.
    func notice() {
        guard isAsleep.load(ordering: .sequentiallyConsistent) else { return }
        state.update { $0.isWoken = true }
    }

    private func run() {
        var quietLooks = 0
        while !mayEnd() {
            quietLooks = look() ? 0 : quietLooks + 1
            if quietLooks >= Self.looksBeforeSleep {
                sleep()
                quietLooks = 0
            }
            _ = state.wait(seconds: Self.interval) { $0.connections.isEmpty ? () : nil }
        }
    }

    private func mayEnd() -> Bool {
        state.updateQuietly { state in
            state.hasThread = !state.connections.isEmpty
            return !state.hasThread
        }
    }

    /// Until a request comes, or the last connection goes.
    private func sleep() {
        isAsleep.store(true, ordering: .sequentiallyConsistent)
        // A request that began before this store has not woken this thread; one that begins later does.
        if !look() { state.wait { $0.isWoken || $0.connections.isEmpty ? () : nil } }
        isAsleep.store(false, ordering: .sequentiallyConsistent)
        state.updateQuietly { $0.isWoken = false }
    }

    /// Frees the connections whose request was already there at the last look.
    /// - Returns: whether there were requests since then.
    private func look() -> Bool {
        var isBusy = false
        var stalled: [Watched] = []
        state.updateQuietly { state in
            for index in state.connections.values.indices {
                let watched = state.connections.values[index]
                let now = watched.connection.execution
                let isExecuting = now & 1 == 1
                if isExecuting, now == watched.seen { stalled.append(watched) }
                isBusy = isBusy || isExecuting || now != watched.seen
                state.connections.values[index].seen = now
            }
        }
        for watched in stalled { watched.connection.handOver(executing: watched.seen) }
        return isBusy
    }
}
