public import LinuxFiles

/// Serves the exports of a configuration on sockets and inherited descriptors.
public final class SocketServer: Sendable {
    private let configuration: ServerConfiguration
    private let log: @Sendable (String) -> Void
    private let watch = StallWatch()
    private let state: Monitor<State>

    private struct State {
        var listeners: [Listener] = []
        /// Further ones wait in the kernel's queue.
        var connections: ConnectionTable<SocketConnection>
        var isStopping = false
    }

    /// A server that listens nowhere yet; see `listen`.
    /// - Parameter log: gets a line for what an operator should know, such as a client that breaks the protocol.
    public init(_ configuration: ServerConfiguration, log: @escaping @Sendable (String) -> Void) {
        System.ignoreBrokenPipes()
        System.ignoreFileSizeSignal()
        self.configuration = configuration
        self.log = log
        state = Monitor(State(connections: ConnectionTable(limit: configuration.limits.connections)))
    }

    /// Begins to serve an address.
    /// - Returns: the addresses, as a host name may have several; with the port that the kernel chose for port 0.
    /// - Throws: `EBADF` for a descriptor that isn't open, `ESHUTDOWN` after `stop`, and what `bind` gives: `EADDRINUSE`,
    ///   `EACCES`, ...
    public func listen(on address: ListenAddress) throws(Errno) -> [ListenAddress] {
        switch address {
        case .tcp(let host, let port):
            let listeners = try Listener.all(host: host, port: port)
            for listener in listeners { try accept(from: listener) }
            return listeners.map(\.address)
        case .unix(let path):
            let listener = try Listener(path: path)
            try accept(from: listener)
            return [listener.address]
        case .descriptors(let input, let output):
            guard System.isOpen(input), System.isOpen(output) else { throw .EBADF }
            if input == output, System.socketState(input) == .listening {
                let listener = try Listener(inherited: input)
                try accept(from: listener)
                return [listener.address]
            }
            let source = StreamDescriptor(OwnedDescriptor(owning: input))
            let sink = input == output ? source : StreamDescriptor(OwnedDescriptor(owning: output))
            try serve(SocketConnection(input: source, output: sink, configuration, watch, log: log))
            return [address]
        }
    }

    private func accept(from listener: Listener) throws(Errno) {
        let isTaken = state.update { state in
            if !state.isStopping { state.listeners.append(listener) }
            return !state.isStopping
        }
        guard isTaken else { throw .ESHUTDOWN }
        do throws(Errno) {
            try startThread { [self] in
                while takeConnection(from: listener) {}
            }
        } catch {
            state.update { state in state.listeners.removeAll { $0 === listener } }
            listener.close()
            throw error
        }
    }

    /// - Returns: false if the listener is closed.
    private func takeConnection(from listener: Listener) -> Bool {
        guard listener.waitForClient(), waitForPlace() else { return false }
        do throws(Errno) {
            guard let socket = try listener.accept() else { return false }
            let host = SocketAddress(peerOf: socket.raw)?.host
            guard makePlace(for: host) else {
                log("a connection was refused: its host has as many as one host may have")
                return true
            }
            try serve(SocketConnection(input: socket, output: socket, configuration, watch, log: log), from: host)
        } catch .ESHUTDOWN {
            return false
        } catch {
            log("a connection could not be taken: \(error.text)")
            // EMFILE and the like: the next try would fail at once; another connection's end may help.
            _ = state.wait(seconds: 0.1) { $0.isStopping ? () : nil }
        }
        return true
    }

    /// - Returns: false if a host has its share and uses it.
    private func makePlace(for host: HostAddress?) -> Bool {
        let now = System.monotonicMilliseconds
        let (mayConnect, silent) = state.updateQuietly { state -> (Bool, SocketConnection?) in
            if state.connections.mayConnect(host) { return (true, nil) }
            let silent = state.connections.evict(at: now, from: host) { $0.hasAttached }
            return (silent != nil, silent)
        }
        silent?.abandon()
        return mayConnect
    }

    /// Waits for room for one more connection, and ends one that doesn't use its place.
    /// - Returns: false if the server is stopping.
    private func waitForPlace() -> Bool {
        while true {
            let now = System.monotonicMilliseconds
            let silent = state.updateQuietly { state -> SocketConnection? in
                guard state.connections.isFull else { return nil }
                return state.connections.evict(at: now) { $0.hasAttached }
            }
            if let silent {
                log("closing a connection that nobody uses: its client has attached to nothing, and another one waits")
                silent.abandon()
            }
            // A silent connection's time may run out meanwhile.
            let mayGoOn = state.wait(seconds: 0.25) { state -> Bool? in
                if state.isStopping { return false }
                return state.connections.isFull ? nil : true
            }
            if let mayGoOn { return mayGoOn }
        }
    }

    private func serve(_ connection: SocketConnection, from host: HostAddress? = nil) throws(Errno) {
        let isTaken = state.update { state in
            // `stop` has already looked for connections to end: nobody would end this one.
            if !state.isStopping { state.connections.insert(connection, from: host, at: System.monotonicMilliseconds) }
            return !state.isStopping
        }
        guard isTaken else { throw .ESHUTDOWN }
        do throws(Errno) {
            try startThread { [self] in
                connection.run()
                state.update { $0.connections.remove(connection) }
            }
        } catch {
            state.update { $0.connections.remove(connection) }
            throw error
        }
    }

    /// Waits until there is nobody left to serve: no listener and no connection.
    public func waitUntilIdle() {
        state.wait { $0.listeners.isEmpty && $0.connections.isEmpty ? () : nil }
    }

    /// Stops taking connections and requests, and waits until those in flight are answered.
    /// - Parameter seconds: how long at most; then clients that don't read their replies are cut off.
    public func stop(waitingAtMost seconds: Double) {
        let (listeners, connections) = state.update { state in
            state.isStopping = true
            return (state.listeners, state.connections.connections)
        }
        // Without the lock, as the names of Unix sockets are removed; and before anybody is told that all is idle.
        for listener in listeners { listener.close() }
        state.update { $0.listeners = [] }
        for connection in connections { connection.stop() }
        guard state.wait(seconds: seconds, { $0.connections.isEmpty ? () : nil }) == nil else { return }
        for connection in connections { connection.abandon() }
    }
}
