internal import LinuxFiles

/// The connections of a server, and who gets a place when all are taken.
///
/// A client that connects and doesn't attach gives its place up to the next one after a while. One host may have a quarter of
/// all places; this machine's own processes all of them.
struct ConnectionTable<Connection: AnyObject> {
    private struct Entry {
        let connection: Connection
        let host: HostAddress?
        /// In milliseconds, by the monotonic clock.
        let since: UInt64
        var isEvicted = false
    }

    /// For how long a client may be without Tversion and Tattach where places are wanted, in milliseconds.
    static var patience: UInt64 { 5_000 }

    private let limit: Int
    private var entries: [ObjectIdentifier: Entry] = [:]

    /// - Parameter limit: how many places there are.
    init(limit: Int) {
        self.limit = limit
    }

    var isEmpty: Bool { entries.isEmpty }
    var isFull: Bool { entries.count >= limit }
    var connections: [Connection] { entries.values.map(\.connection) }

    /// Whether a host may have one more.
    func mayConnect(_ host: HostAddress?) -> Bool {
        guard let host, !host.isLoopback else { return true }
        return entries.values.count { $0.host == host && !$0.isEvicted } < max(1, limit / 4)
    }

    mutating func insert(_ connection: Connection, from host: HostAddress?, at time: UInt64) {
        entries[ObjectIdentifier(connection)] = Entry(connection: connection, host: host, since: time)
    }

    mutating func remove(_ connection: Connection) { entries[ObjectIdentifier(connection)] = nil }

    /// The connection that has been silent for longest and for too long; it is to be ended.
    /// - Parameters:
    ///   - host: only one of this host's; nil for any.
    ///   - hasAttached: whether a connection's client uses it.
    mutating func evict(
        at time: UInt64,
        from host: HostAddress? = nil,
        unless hasAttached: (Connection) -> Bool
    ) -> Connection? {
        let silent = entries.values.filter { entry in
            !entry.isEvicted && entry.since + Self.patience <= time && (host == nil || entry.host == host)
                && !hasAttached(entry.connection)
        }
        guard let oldest = silent.min(by: { $0.since < $1.since }) else { return nil }
        entries[ObjectIdentifier(oldest.connection)]?.isEvicted = true
        return oldest.connection
    }
}
