public import LinuxFiles

/// Serves the exports of a configuration on sockets and inherited descriptors.
public final class SocketServer: Sendable {
    private let configuration: ServerConfiguration
    private let log: @Sendable (String) -> Void
    private let watch = StallWatch()
    private let state = Monitor(State())

    private struct State {
        var listeners: [Listener] = []
        var connections: [ObjectIdentifier: SocketConnection] = [:]
        var isStopping = false
    }

    /// Connections at once; further ones wait in the kernel's queue.
    private static let maximumConnections = 256

    /// - Parameter log: gets a line for what an operator should know, such as a client that breaks the protocol.
    public init(_ configuration: ServerConfiguration, log: @escaping @Sendable (String) -> Void) {
        System.ignoreBrokenPipes()
        System.ignoreFileSizeSignal()
        self.configuration = configuration
        self.log = log
    }

    /// Begins to serve an address.
    /// - Returns: the address, with the port that the kernel chose for port 0.
    /// - Throws: `EBADF` for a descriptor that isn't open, `ESHUTDOWN` after `stop`, and what `bind` gives: `EADDRINUSE`,
    ///   `EACCES`, ...
    public func listen(on address: ListenAddress) throws(Errno) -> ListenAddress {
        switch address {
        case .tcp(let host, let port):
            return try accept(from: Listener(host: host, port: port))
        case .unix(let path):
            return try accept(from: Listener(path: path))
        case .descriptors(let input, let output):
            guard System.isOpen(input), System.isOpen(output) else { throw .EBADF }
            if input == output, System.socketState(input) == .listening {
                return try accept(from: Listener(inherited: input))
            }
            let source = SharedDescriptor(OwnedDescriptor(owning: input))
            let sink = input == output ? source : SharedDescriptor(OwnedDescriptor(owning: output))
            try serve(SocketConnection(input: source, output: sink, configuration, watch, log: log))
            return address
        }
    }

    private func accept(from listener: Listener) throws(Errno) -> ListenAddress {
        let isTaken = state.update { state in
            if !state.isStopping { state.listeners.append(listener) }
            return !state.isStopping
        }
        guard isTaken else { throw .ESHUTDOWN }
        try startThread { [self] in
            while takeConnection(from: listener) {}
        }
        return listener.address
    }

    /// - Returns: false if the listener is closed.
    private func takeConnection(from listener: Listener) -> Bool {
        let mayGoOn = state.wait { state -> Bool? in
            if state.isStopping { return false }
            return state.connections.count < Self.maximumConnections ? true : nil
        }
        guard mayGoOn else { return false }
        do throws(Errno) {
            guard let socket = try listener.accept() else { return false }
            try serve(SocketConnection(input: socket, output: socket, configuration, watch, log: log))
        } catch .ESHUTDOWN {
            return false
        } catch {
            log("a connection could not be taken: \(error.text)")
            // EMFILE and the like: the next try would fail at once; another connection's end may help.
            _ = state.wait(seconds: 0.1) { $0.isStopping ? () : nil }
        }
        return true
    }

    private func serve(_ connection: SocketConnection) throws(Errno) {
        let key = ObjectIdentifier(connection)
        let isTaken = state.update { state in
            // After stop has looked for connections to end, nobody would end this one.
            if !state.isStopping { state.connections[key] = connection }
            return !state.isStopping
        }
        guard isTaken else { throw .ESHUTDOWN }
        do throws(Errno) {
            try startThread { [self] in
                connection.run()
                state.update { $0.connections[key] = nil }
            }
        } catch {
            state.update { $0.connections[key] = nil }
            throw error
        }
    }

    /// Waits until there is nobody left to serve: no listener and no connection.
    public func waitUntilIdle() {
        state.wait { $0.listeners.isEmpty && $0.connections.isEmpty ? () : nil }
    }

    /// Takes no more connections and requests, and waits until those in flight are answered.
    /// - Parameter seconds: how long at most; a client that doesn't read its replies can't hold the server up.
    public func stop(waitingAtMost seconds: Double) {
        let connections = state.update { state in
            state.isStopping = true
            for listener in state.listeners { listener.close() }
            state.listeners = []
            return Array(state.connections.values)
        }
        for connection in connections { connection.stop() }
        guard state.wait(seconds: seconds, { $0.connections.isEmpty ? () : nil }) == nil else { return }
        for connection in connections { connection.abandon() }
    }
}
