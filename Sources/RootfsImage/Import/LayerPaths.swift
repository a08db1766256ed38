/// Which paths the current layer has brought: a whiteout removes only what lower layers have.
///
/// Keeps 64-bit hashes, not paths, so that a large layer needs little memory: 8 bytes, or 16 after growth, a path, and
/// as much again for a directory. The hash is seeded by chance in every process, so no archive can be made whose paths
/// collide.
struct LayerPaths {
    private(set) var layer: Int?
    /// Whether the layer has brought files that others of its entries are to be linked to, and that go then.
    var hasLinkFiles = false
    private var hashes: Set<UInt64> = []

    /// Forgets the paths of other layers.
    mutating func begin(_ layer: Int) {
        guard self.layer != layer else { return }
        self.layer = layer
        hashes.removeAll(keepingCapacity: true)
    }

    /// Remembers an entry's path, and the directories that lead to it.
    mutating func insert(_ path: [UInt8]) {
        hashes.insert(Self.hash(path[...], isListed: true))
        var rest = path[...]
        while let slash = rest.lastIndex(of: UInt8(ascii: "/")) {
            rest = rest[..<slash]
            guard hashes.insert(Self.hash(rest, isListed: false)).inserted else { return }
        }
    }

    /// Whether the layer has an entry for the path, or one beneath it.
    func contains(_ path: [UInt8]) -> Bool {
        isListed(path) || hashes.contains(Self.hash(path[...], isListed: false))
    }

    /// Whether the layer has an entry for the path itself.
    func isListed(_ path: [UInt8]) -> Bool {
        hashes.contains(Self.hash(path[...], isListed: true))
    }

    private static func hash(_ path: ArraySlice<UInt8>, isListed: Bool) -> UInt64 {
        var hasher = Hasher()
        path.withUnsafeBytes { hasher.combine(bytes: $0) }
        let hash = UInt64(bitPattern: Int64(hasher.finalize()))
        return isListed ? hash | 1 : hash & ~1
    }
}
