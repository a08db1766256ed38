internal import LinuxFiles
internal import Synchronization

/// The descriptors that all clients of a server keep for their handles.
///
/// A node holds its file by a descriptor; clients keep tens of thousands of them, and processes may have few descriptors.
/// A client that has its share parks nodes that aren't open: they give their descriptors up, and their names are kept in
/// `places`. Nodes that can't be parked (open files, removed ones, those deeper than any path) stay in the client's share, so
/// they never cost another client's.
public final class DescriptorPool: Sendable {
    /// Where parked files are.
    let places = ParkedPlaces()
    /// For reading directories.
    let directoryBuffers = BufferStore(size: DirectoryStream.bufferSize)
    private let budget: Budget
    private let clients = Mutex<[ObjectIdentifier: ClientFiles]>([:])

    /// A pool of which nothing is used.
    /// - Parameter budget: of descriptors.
    public init(_ budget: Budget) {
        self.budget = budget
    }

    /// A client comes. Each `join` has its `leave`.
    /// - Parameter memory: bytes, for what the client's open directories remember.
    public func join(memory: Budget.Account) -> ClientFiles {
        let client = ClientFiles(self, Budget.Account(budget), memory)
        clients.withLock { $0[ObjectIdentifier(client)] = client }
        return client
    }

    /// A client goes: nobody parks its nodes any more.
    public func leave(_ client: ClientFiles) {
        // Its nodes go when the lock is given back.
        _ = clients.withLock { $0.removeValue(forKey: ObjectIdentifier(client)) }
    }

    /// Makes room for one more descriptor of a client.
    ///
    /// The client that holds most of the common part gives first, half of what it can; then the one that asks.
    /// - Throws: `EMFILE` if the client has its share and can park nothing.
    func reserve(for client: ClientFiles) throws(Errno) {
        guard !client.descriptors.mayTake(1) else { return }
        for _ in 0..<Self.maximumTries {
            // A node that another thread is parking is no longer idle, and still has its descriptor.
            let isParking = isParking
            guard !makeRoom(for: client) else { return }
            guard isParking || self.isParking else { break }
            System.sleep(milliseconds: 1)
        }
        guard client.descriptors.mayTake(1) else { throw .EMFILE }
    }

    /// One a millisecond: a second, if others are parking all the time.
    private static let maximumTries = 1000

    private func makeRoom(for client: ClientFiles) -> Bool {
        if let greediest {
            greediest.park((greediest.idleCount + 1) / 2)
            if client.descriptors.mayTake(1) { return true }
        }
        client.park((client.idleCount + 1) / 2)
        if client.descriptors.mayTake(1) { return true }
        client.park(client.idleCount)
        return client.descriptors.mayTake(1)
    }

    private var isParking: Bool { clients.withLock { $0.values.contains(where: \.isParking) } }

    private var greediest: ClientFiles? {
        clients.withLock { clients in
            clients.values.filter { $0.idleCount > 0 && $0.descriptors.commonPart > 0 }
                .max { $0.descriptors.commonPart < $1.descriptors.commonPart }
        }
    }
}
