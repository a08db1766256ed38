internal import LinuxFiles
internal import Synchronization

/// One client's share for files: its descriptors, and its nodes that may give theirs up.
///
/// Another client's thread may park this client's nodes. So parking never asks a node's file system, which may not answer: it
/// reads the path that the kernel remembers, and checks it when the node is needed again.
public final class ClientFiles: Sendable {
    let descriptors: Budget.Account
    /// Pays for what directories remember.
    let memory: Budget.Account
    private let pool: DescriptorPool
    private let idle = Mutex(Idle())

    private struct Idle {
        var nodes: [Node] = []
        /// The next one to be parked: roughly the one that has waited longest.
        var hand = 0
        /// How many were taken out of `nodes` to be parked, and are not yet.
        var underWay = 0
    }

    /// How a client uses a node; under the lock of `idle`. Small, as there is one for each fid.
    struct NodeUse {
        /// Handles that stand for it.
        var handles: UInt32 = 0
        /// Openings: a node keeps its descriptor as long as there is one.
        var openings: UInt32 = 0
        /// Its place in `Idle.nodes`.
        var index: UInt32?
        /// Parking was tried, and no path leads to the file.
        var isPathless = false
    }

    init(_ pool: DescriptorPool, _ descriptors: Budget.Account, _ memory: Budget.Account) {
        self.pool = pool
        self.descriptors = descriptors
        self.memory = memory
    }

    var places: ParkedPlaces { pool.places }
    var directoryBuffers: BufferStore { pool.directoryBuffers }

    /// Makes room for one more descriptor.
    /// - Throws: `EMFILE` if the client has its share and can park nothing.
    func reserve() throws(Errno) { try pool.reserve(for: self) }

    /// How many nodes could be parked.
    var idleCount: Int { idle.withLock { $0.nodes.count } }

    /// Whether some thread is parking nodes of this client.
    var isParking: Bool { idle.withLock { $0.underWay > 0 } }

    // MARK: Handles and openings

    func bind(_ node: Node) { change(node) { $0.handles += 1 } }
    func unbind(_ node: Node) { change(node) { $0.handles -= 1 } }
    fileprivate func beginOpening(_ node: Node) { change(node) { $0.openings += 1 } }
    fileprivate func endOpening(_ node: Node) { change(node) { $0.openings -= 1 } }

    private func change(_ node: Node, _ change: (inout NodeUse) -> Void) {
        idle.withLock { idle in
            change(&node.use)
            Self.settle(node, &idle)
        }
    }

    /// Puts a node where it belongs: among the idle ones or not.
    private static func settle(_ node: Node, _ idle: inout Idle) {
        let use = node.use
        let isIdle = use.handles > 0 && use.openings == 0 && !use.isPathless && node.isParkable && !node.isParked
        if isIdle, use.index == nil {
            node.use.index = UInt32(idle.nodes.count)
            idle.nodes.append(node)
        } else if !isIdle, let index = use.index {
            remove(at: Int(index), &idle)
        }
    }

    @discardableResult
    private static func remove(at index: Int, _ idle: inout Idle) -> Node {
        idle.nodes.swapAt(index, idle.nodes.count - 1)
        let node = idle.nodes.removeLast()
        node.use.index = nil
        if index < idle.nodes.count { idle.nodes[index].use.index = UInt32(index) }
        return node
    }

    // MARK: Parking, and finding again

    /// Makes idle nodes give up their descriptors.
    /// - Parameter count: how many are tried.
    func park(_ count: Int) {
        let nodes = idle.withLock { idle in
            idle.underWay += min(count, idle.nodes.count)
            return (0..<min(count, idle.nodes.count)).map { _ in
                if idle.hand >= idle.nodes.count { idle.hand = 0 }
                defer { idle.hand += 1 }
                return Self.remove(at: idle.hand, &idle)
            }
        }
        for node in nodes { park(node) }
    }

    private func park(_ node: Node) {
        // Closed here, as the lock is given back: closing takes a while.
        _ = takeDescriptor(of: node)
        idle.withLock { $0.underWay -= 1 }
    }

    private func takeDescriptor(of node: Node) -> SharedDescriptor? {
        let place = node.findPlace(in: places)
        return idle.withLock { idle in
            var descriptor: SharedDescriptor?
            switch place {
            // It may have been opened, or its last handle given up, meanwhile.
            case .found(let place) where node.use.openings == 0 && node.use.handles > 0:
                descriptor = node.park(at: place)
            case .none: node.use.isPathless = true
            case .found, .moving: break
            }
            Self.settle(node, &idle)
            return descriptor
        }
    }

    /// The node's file, found again if need be.
    /// - Throws: `ESTALE` if another file has its name now, `ENOENT` if none has, `EMFILE`.
    func descriptor(of node: Node) throws(Errno) -> SharedDescriptor {
        if let descriptor = node.heldDescriptor { return descriptor }
        try reserve()
        let found = try node.findAgain(in: places)
        return idle.withLock { idle in
            let descriptor = node.hold(found)
            Self.settle(node, &idle)
            return descriptor
        }
    }
}

/// A node that is open, or about to be: it isn't parked as long as this lives, as an open file outlives its name.
struct OpenNode: ~Copyable, Sendable {
    let node: Node

    init(_ node: Node) {
        self.node = node
        node.client.beginOpening(node)
    }

    deinit {
        node.client.endOpening(node)
    }
}
