public import LinuxFiles
internal import ServedTree

/// How much a server lets its clients have, each and all together.
public struct ServerLimits: Sendable {
    /// How many files a process must at least be allowed to have open to be a server.
    public static let minimumOpenFiles = 64

    /// Connections by sockets at once.
    public let connections: Int
    /// Fids per session.
    let fids: Int
    /// Bytes of attribute values that one session may have under way.
    let attributeBytes = 8 << 20
    let descriptors: Budget
    /// Bytes that fids, directories and attributes take.
    let memory: Budget
    /// Bytes of the messages of requests that run beside their connection's first one.
    let messages: Budget

    /// Shares out what the process may have open.
    /// - Parameters:
    ///   - openFiles: how many files the process may have open, at least `minimumOpenFiles`. Three quarters of them are for
    ///     fids; the rest is for requests under way, connections and databases.
    ///   - fids: per session.
    public init(openFiles: Int = System.raiseOpenFileLimit(), fids: Int = 1 << 20) {
        self.fids = fids
        let shared = min(max(openFiles, Self.minimumOpenFiles) / 4 * 3, 1 << 18)
        connections = min(256, shared / 16)
        // A quarter is guaranteed: enough for each client to walk to a file and open it.
        let guaranteed = shared / 4 / connections
        descriptors = Budget(guaranteed: guaranteed, common: shared - guaranteed * connections)
        memory = Budget(guaranteed: 512 << 10, common: 384 << 20)
        messages = Budget(guaranteed: 0, common: 128 << 20)
    }
}
