import Testing

/// Each rule finds what breaks it, in sources made up for that.
@Suite("Rules")
struct RulesTests {
    private func file(_ text: String, path: String = "File.swift") -> SourceFile { SourceFile(path: path, text: text) }

    @Test("imports, in every form")
    func imports() {
        let text = """
            import A
            internal import B
            @_exported public import C
            @preconcurrency import struct D.Name
            import class E.Name
            import F.Sub
            // import G
            let text = "an import of H"
            """
        #expect(file(text).imports == ["A", "B", "C", "D", "E", "F"])
    }

    @Test("declarations: kinds, names, what they conform to, across lines")
    func declarations() {
        let text = """
            /// struct Comment
            @main
            struct Main: ParsableCommand {
                struct Inner: P {}
            }

            public final class Watch<Server: Responder>: Responder, Sendable where Server: P {
            }

            extension Kind: @retroactive ExpressibleByArgument {}

            extension A.B {
                func f() {}
            }

            enum Long:
                First,
                Second
            {
            }

            struct Owner: ~Copyable {}

            private func f(a: Int) -> Int { 0 }
            let constant: Int = 1
            """
        #expect(
            file(text).declarations == [
                Declaration(.struct, "Main", inherited: ["ParsableCommand"]),
                Declaration(.class, "Watch", inherited: ["Responder", "Sendable"], isEmpty: true),
                Declaration(.extension, "Kind", inherited: ["ExpressibleByArgument"], isEmpty: true),
                Declaration(.extension, "A.B"),
                Declaration(.enum, "Long", inherited: ["First", "Second"], isEmpty: true),
                Declaration(.struct, "Owner", inherited: ["~Copyable"], isEmpty: true),
                Declaration(.func, "f"),
                Declaration(.let, "constant"),
            ]
        )
    }

    @Test("Foundation is found", arguments: ["Foundation", "FoundationEssentials", "Dispatch"])
    func foundation(module: String) {
        #expect(
            Rules.noFoundation([file("import Glibc"), file("private import \(module)", path: "b")]) == [
                "b imports \(module)"
            ]
        )
        #expect(Rules.noFoundation([file("// import \(module)"), file("import \(module)Like")]) == [])
    }

    @Test("an import against the order is found")
    func order() {
        let upward = [("Low", [file("import High", path: "low")]), ("High", [file("import Low")])]
        #expect(Rules.order(upward.map { (name: $0.0, files: $0.1) }) == ["low imports High"])
        #expect(Rules.order(upward.reversed().map { (name: $0.0, files: $0.1) }) == ["File.swift imports Low"])
        #expect(
            Rules.order([(name: "Low", files: [file("import Glibc")]), (name: "High", files: [file("import Low")])])
                == []
        )
    }

    @Test("what parses and wires passes")
    func wiring() {
        let text = """
            import ArgumentParser

            @main
            struct Program: ParsableCommand {
                func run() throws {}
            }

            struct Options: ParsableArguments {
            }

            extension Options {
                func selector() -> Selector { Selector(self) }
            }

            struct Size: ExpressibleByArgument, CustomStringConvertible {
            }

            extension Kind: ExpressibleByArgument {}

            extension Server: @retroactive Responder {}

            struct Table {
            }
            """
        let texts = file("extension Gadget {\n    var json: String { text }\n}", path: "Sources/p/Texts/Gadget.swift")
        #expect(Rules.parsesAndWires([file(text), texts], presentation: ["Table"]) == [])
        #expect(Rules.parsesAndWires([file(text), texts], presentation: []).count == 1)
    }

    @Test(
        "logic in a command line's target is found",
        arguments: [
            "final class Service {\n}", "struct Loader: Sendable {\n}", "enum State {\n}", "actor Worker {\n}",
            "protocol Effects {\n}", "func pause() {\n}", "let table = Table()",
            "extension Gadget {\n    func open() {}\n}",
            "extension Kind: ExpressibleByArgument {\n    func load() {}\n}", "import Glibc", "internal import CLinux",
            "import Synchronization", String(repeating: "//\n", count: 251),
        ]
    )
    func logic(text: String) {
        #expect(Rules.parsesAndWires([file(text)], presentation: []).count == 1)
    }

    @Test("the folder Texts has no room for types, functions and system calls")
    func texts() {
        for text in ["final class Service {\n}", "func pause() {\n}", "import Glibc"] {
            #expect(Rules.parsesAndWires([file(text, path: "Sources/p/Texts/A.swift")], presentation: []).count == 1)
        }
    }

    @Test("an exception that nothing needs any more is found")
    func stale() {
        #expect(Rules.stale(["Table", "Gone"], in: [file("struct Table {\n}")]) == ["nothing declares Gone"])
    }

    @Test("a manifest's targets, in their order")
    func manifest() {
        let text = """
            products: [.executable(name: "program", targets: ["program"])],
            targets: [
                .target(name: "CShim"),
                .systemLibrary(name: "CSystem", pkgConfig: "system"),
                .target(
                    name: "Library",
                    dependencies: [.product(name: "Other", package: "other"), "CShim"]
                ),
                .executableTarget(name: "program"),
                .testTarget(name: "LibraryTests"),
            ]
            """
        #expect(PackageManifest(text: text).targets == ["CShim", "Library", "program", "LibraryTests"])
    }
}
