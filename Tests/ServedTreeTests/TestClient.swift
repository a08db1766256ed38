import ServedTree
import TestSupport

/// A client's part of a pool of its own, or of one that several share.
final class TestClient: Sendable {
    let pool: DescriptorPool
    let files: ClientFiles
    private let directory: (any HostFiles)?

    /// - Parameters:
    ///   - descriptors: that the pool has, seven eighths of which one client may hold.
    ///   - memory: in bytes, likewise.
    ///   - directory: lives as long as this.
    init(descriptors: Int = 1024, memory: Int = 1 << 20, keeping directory: (any HostFiles)? = nil) {
        self.directory = directory
        pool = DescriptorPool(Budget(guaranteed: 4, common: descriptors - 4))
        files = pool.join(memory: Budget.Account(Budget(guaranteed: 0, common: memory)))
    }

    init(sharing pool: DescriptorPool) {
        directory = nil
        self.pool = pool
        files = pool.join(memory: Budget.Account(Budget(guaranteed: 0, common: 1 << 20)))
    }

    deinit {
        pool.leave(files)
    }
}
