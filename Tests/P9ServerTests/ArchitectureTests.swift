import TestSupport
import Testing

/// What imports what, read from the sources and Package.swift.
@Suite("Architecture")
struct ArchitectureTests {
    /// The targets of Package.swift, in its order: who stands above may be imported.
    private static let targets: [String] = {
        let manifest = readText("\(Fixture.package)/Package.swift")
        // Names of products and packages are of another kind.
        return manifest.split(separator: "arget(").dropFirst().compactMap { target in
            target.split(separator: "name: \"", maxSplits: 1).last.map { String($0.prefix { $0 != "\"" }) }
        }
    }()

    private static func sources(_ target: String) -> [(file: String, text: String)] {
        files(beneath: "\(Fixture.package)/Sources/\(target)").map { ($0, readText($0)) }
    }

    private static func files(beneath path: String) -> [String] {
        listFiles(path).sorted().flatMap { name in
            name.hasSuffix(".swift") ? ["\(path)/\(name)"] : files(beneath: "\(path)/\(name)")
        }
    }

    private static func imports(_ text: String) -> [String] {
        text.split(separator: "\n").compactMap { line in
            let words = line.split(separator: " ")
            guard let keyword = words.firstIndex(of: "import"), keyword <= 2, words.count > keyword + 1,
                words[..<keyword].allSatisfy({
                    ["public", "internal", "private", "package"].contains($0) || $0.hasPrefix("@")
                })
            else { return nil }
            return String(words[keyword + 1].split(separator: ".")[0])
        }
    }

    @Test(
        "the core knows no Foundation",
        arguments: [
            "P9Wire", "LinuxFiles", "FakeRoot", "P9Server", "P9Client", "USBHost", "USBLink", "RPiBoot",
            "ImageEntries", "Ext4Image", "Archives", "RootfsImage",
        ]
    )
    func noFoundation(target: String) {
        let sources = Self.sources(target)
        #expect(!sources.isEmpty)
        for source in sources {
            let imported = Set(Self.imports(source.text))
            #expect(imported.isDisjoint(with: ["Foundation", "FoundationEssentials", "Dispatch"]), "\(source.file)")
        }
    }

    @Test("P9Wire imports nothing")
    func wire() {
        for source in Self.sources("P9Wire") { #expect(Self.imports(source.text).isEmpty, "\(source.file)") }
    }

    @Test("no target imports one that stands below it in Package.swift")
    func order() throws {
        let order = Self.targets.filter { !Self.sources($0).isEmpty }
        #expect(order.count >= 9)
        for (index, target) in order.enumerated() {
            let below = Set(order[(index + 1)...])
            for source in Self.sources(target) {
                #expect(below.isDisjoint(with: Self.imports(source.text)), "\(source.file)")
            }
        }
    }
}
