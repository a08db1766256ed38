/// What Package.swift says, read as text.
struct PackageManifest {
    /// The targets with sources in this package, in the manifest's order.
    var targets: [String]

    init(text: String) {
        // .target(, .executableTarget(, .testTarget(; the names of products and packages come after other words.
        targets = text.split(separator: "arget(").dropFirst().compactMap { target in
            let parts = target.split(separator: "name: \"", maxSplits: 1, omittingEmptySubsequences: false)
            return parts.count == 2 ? String(parts[1].prefix { $0 != "\"" }) : nil
        }
    }
}
