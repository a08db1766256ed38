internal import LinuxFiles
internal import Synchronization

/// The descriptors that all clients of a server keep for fids.
///
/// A fid holds its file by a descriptor; clients keep tens of thousands of fids, and processes may have few descriptors.
/// A client that has its share parks fids that aren't open: they give their descriptors up, and their names are kept in
/// `places`. What can't be parked (open files, removed ones, those deeper than any path can say) stays in the client's
/// share, so it never costs another client's.
final class DescriptorPool: Sendable {
    /// Where parked files are.
    let places = ParkedPlaces()
    private let budget: Budget
    private let clients = Mutex<[ObjectIdentifier: ClientDescriptors]>([:])

    init(_ budget: Budget) {
        self.budget = budget
    }

    func join() -> ClientDescriptors {
        let client = ClientDescriptors(self, Budget.Account(budget))
        clients.withLock { $0[ObjectIdentifier(client)] = client }
        return client
    }

    func leave(_ client: ClientDescriptors) {
        // Its nodes go when the lock is given back.
        _ = clients.withLock { $0.removeValue(forKey: ObjectIdentifier(client)) }
    }

    /// Makes room for one more descriptor of a client.
    ///
    /// The client that holds most of the common part gives first, half of what it can; then the one that asks.
    /// - Throws: `EMFILE` if the client has its share and can park nothing.
    func reserve(for client: ClientDescriptors) throws(Errno) {
        guard !client.account.mayTake(1) else { return }
        for _ in 0..<Self.maximumTries {
            // What another thread is parking is not idle any more, and not given up yet.
            let isParking = isParking
            guard !makeRoom(for: client) else { return }
            guard isParking || self.isParking else { break }
            System.sleep(milliseconds: 1)
        }
        guard client.account.mayTake(1) else { throw .EMFILE }
    }

    /// A second, as long as others are parking all the time.
    private static let maximumTries = 1000

    private func makeRoom(for client: ClientDescriptors) -> Bool {
        if let greediest {
            greediest.park((greediest.idleCount + 1) / 2)
            if client.account.mayTake(1) { return true }
        }
        client.park((client.idleCount + 1) / 2)
        if client.account.mayTake(1) { return true }
        client.park(client.idleCount)
        return client.account.mayTake(1)
    }

    private var isParking: Bool { clients.withLock { $0.values.contains(where: \.isParking) } }

    private var greediest: ClientDescriptors? {
        clients.withLock { clients in
            clients.values.filter { $0.idleCount > 0 && $0.account.commonPart > 0 }
                .max { $0.account.commonPart < $1.account.commonPart }
        }
    }
}
