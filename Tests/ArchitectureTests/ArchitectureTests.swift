import TestSupport
import Testing

/// The sources keep the rules of the house (CONTRIBUTING.md).
@Suite("Architecture")
struct ArchitectureTests {
    /// In the manifest's order, without the tests.
    private static let targets: [String] = {
        PackageManifest(text: readText("\(Fixture.package)/Package.swift")).targets.filter {
            !SourceFile.all(of: $0).isEmpty
        }
    }()

    @Test("the manifest is read")
    func manifest() {
        #expect(Self.targets.count >= 10)
        #expect(Self.targets.first == "P9Wire" && Self.targets.last == "p9serve")
        #expect(
            Self.targets
                == Self.targets.filter { !$0.hasSuffix("Tests") && !$0.hasPrefix("C") || $0 == "CommandSupport" }
        )
    }

    @Test("no target imports one that stands below it in Package.swift")
    func order() {
        #expect(Rules.order(Self.targets.map { (name: $0, files: SourceFile.all(of: $0)) }) == [])
    }

    @Test("nothing knows Foundation", arguments: targets)
    func noFoundation(target: String) {
        #expect(Rules.noFoundation(SourceFile.all(of: target)) == [])
    }

    @Test("P9Wire imports nothing: the board's program is compiled from it too")
    func wire() {
        #expect(SourceFile.all(of: "P9Wire").filter { !$0.imports.isEmpty }.map(\.path) == [])
    }

    @Test("the board's program knows only what is compiled for boards")
    func board() {
        let program = SourceFile.all(of: "p9gadget")
        #expect(!program.isEmpty)
        for file in program + SourceFile.all(of: "BoardLink") {
            #expect(file.imports.subtracting(["P9Wire", "BoardLink", "CBoard"]) == [], "\(file.path)")
        }
    }

    @Test("what knows no 9P", arguments: ["USBHost", "ServedTree"])
    func no9P(target: String) {
        let files = SourceFile.all(of: target)
        #expect(!files.isEmpty)
        #expect(Rules.imports(files, of: ["P9Wire", "P9Server", "P9Client"]) == [])
    }

    @Test("only command lines know ArgumentParser")
    func argumentParser() {
        for target in Self.targets where !["CommandSupport", "p9fwd", "p9serve"].contains(target) {
            #expect(Rules.imports(SourceFile.all(of: target), of: ["ArgumentParser"]) == [])
        }
    }

    @Test("command lines parse and wire", arguments: ["p9fwd", "p9serve"])
    func commandLines(target: String) {
        let presentation: [String: Set<String>] = [
            // The table that `p9fwd list` prints, the lines and JSON of events; BootDirectory(argument).
            "p9fwd": ["GadgetTable", "BoardReport", "BootDirectory"]
        ]
        let files = SourceFile.all(of: target)
        #expect(!files.isEmpty)
        #expect(Rules.parsesAndWires(files, presentation: presentation[target, default: []]) == [])
        #expect(Rules.stale(presentation[target, default: []], in: files) == [])
    }
}
