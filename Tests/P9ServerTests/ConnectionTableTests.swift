import LinuxFiles
@testable import P9Server
import Testing

private final class Connection {
    var hasAttached = false
}

@Suite("Places for connections")
struct ConnectionTableTests {
    private func address(_ last: UInt8) throws -> HostAddress { try #require(HostAddress([10, 0, 0, last])) }

    @Test("silent connections give their places up, the oldest first, but only after a while")
    func silent() {
        var table = ConnectionTable<Connection>(limit: 4)
        let connections = (0..<4).map { _ in Connection() }
        for (index, connection) in connections.enumerated() {
            table.insert(connection, from: nil, at: UInt64(index) * 100)
        }
        connections[0].hasAttached = true
        #expect(table.isFull)
        #expect(table.evict(at: 4_000) { $0.hasAttached } == nil)
        #expect(table.evict(at: 5_150) { $0.hasAttached } === connections[1])
        // It is on its way out.
        #expect(table.evict(at: 5_150) { $0.hasAttached } == nil)
        table.remove(connections[1])
        #expect(!table.isFull)
        #expect(table.evict(at: 9_000) { $0.hasAttached } === connections[2])
        #expect(table.evict(at: 9_000) { $0.hasAttached } === connections[3])
        #expect(table.evict(at: .max) { $0.hasAttached } == nil)
    }

    @Test("a host that has its share gives up what it doesn't use, for its own next client")
    func silentOfOneHost() throws {
        var table = ConnectionTable<Connection>(limit: 16)
        let (host, other) = try (address(1), address(2))
        let connections = (0..<4).map { _ in Connection() }
        for connection in connections { table.insert(connection, from: host, at: 100) }
        let stranger = Connection()
        table.insert(stranger, from: other, at: 0)
        connections[0].hasAttached = true
        #expect(!table.mayConnect(host))
        #expect(table.evict(at: 5_050, from: host) { $0.hasAttached } == nil)
        let evicted = try #require(table.evict(at: 5_100, from: host) { $0.hasAttached })
        #expect(evicted !== stranger && evicted !== connections[0])
        // It is on its way out, and does not count any more.
        #expect(table.mayConnect(host))
    }

    @Test("one host gets a quarter; this machine and others go on")
    func hosts() throws {
        var table = ConnectionTable<Connection>(limit: 16)
        let hog = try address(1)
        var taken: [Connection] = []
        while table.mayConnect(hog) {
            taken.append(Connection())
            table.insert(taken[taken.count - 1], from: hog, at: 0)
        }
        #expect(taken.count == 4)
        #expect(table.mayConnect(try address(2)))
        #expect(table.mayConnect(nil))
        for _ in 0..<8 { table.insert(Connection(), from: HostAddress([127, 0, 0, 1]), at: 0) }
        #expect(table.mayConnect(HostAddress([127, 0, 0, 1])))
        table.remove(taken[0])
        #expect(table.mayConnect(hog))
    }

    @Test("an IPv4 address is the same host in IPv6's clothes; loopback is known in both")
    func addresses() throws {
        let mapped: [UInt8] = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 10, 0, 0, 1]
        #expect(HostAddress(mapped) == HostAddress([10, 0, 0, 1]))
        #expect(HostAddress([127, 9, 9, 9])?.isLoopback == true)
        #expect(HostAddress([10, 0, 0, 1])?.isLoopback == false)
        #expect(HostAddress([UInt8](repeating: 0, count: 15) + [1])?.isLoopback == true)
        #expect(HostAddress([1, 2, 3]) == nil)
    }
}
