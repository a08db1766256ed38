/// Which paths the layer in hand has brought: a whiteout removes what lower layers have, and nothing of its own.
///
/// Keeps 64-bit hashes, not paths, so that a large layer needs little memory: 8 bytes, or 16 after growth, a path. The
/// hash is seeded by chance in every process, so no archive can be made whose paths collide.
struct LayerPaths {
    private(set) var layer: Int?
    private var hashes: Set<UInt64> = []

    /// Forgets the paths of other layers.
    mutating func begin(_ layer: Int) {
        guard self.layer != layer else { return }
        self.layer = layer
        hashes.removeAll(keepingCapacity: true)
    }

    /// Remembers a path and the directories that lead to it.
    mutating func insert(_ path: [UInt8]) {
        var rest = path[...]
        while !rest.isEmpty {
            guard hashes.insert(Self.hash(rest)).inserted else { return }
            rest = rest.lastIndex(of: UInt8(ascii: "/")).map { rest[..<$0] } ?? []
        }
    }

    func contains(_ path: [UInt8]) -> Bool {
        hashes.contains(Self.hash(path[...]))
    }

    private static func hash(_ path: ArraySlice<UInt8>) -> UInt64 {
        var hasher = Hasher()
        path.withUnsafeBytes { hasher.combine(bytes: $0) }
        return UInt64(bitPattern: Int64(hasher.finalize()))
    }
}
