import TestSupport
import Testing

/// docs/locks.md names every lock of the sources, and none that is gone.
@Suite("Lock page")
struct LockPageTests {
    private static let sources = listFiles("\(Fixture.package)/Sources").sorted().flatMap(SourceFile.all(of:))

    private static let declared = sources.reduce(into: Set<String>()) { $0.formUnion($1.locks) }

    /// What stands in code in the first column of the page's tables.
    private static let documented: Set<String> = {
        var names: Set<String> = []
        for line in readText("\(Fixture.package)/docs/locks.md").split(separator: "\n") where line.hasPrefix("| ") {
            let cell = line.split(separator: "|")[0]
            for match in cell.matches(of: /`([A-Z]\w*\.[a-z]\w*|flock\(\w+\))`/) { names.insert(String(match.1)) }
        }
        return names
    }()

    @Test("every lock is on docs/locks.md: add it to a table there, where it belongs in the order")
    func complete() {
        #expect(Self.declared.count > 40)
        #expect(Self.declared.subtracting(Self.documented).sorted() == [])
    }

    @Test("every lock on docs/locks.md is in the sources")
    func current() {
        #expect(Self.documented.subtracting(Self.declared).sorted() == [])
    }

    @Test("only LinuxFiles has locks of other kinds")
    func kinds() {
        let files = Self.sources.filter { !$0.path.hasPrefix("Sources/LinuxFiles/") && !$0.otherLocks.isEmpty }
        #expect(files.map(\.path) == [])
    }

    @Test("locks are found by their types")
    func found() {
        let text = """
            final class Outer {
                private struct State {
                    var count = 0
                }
                private let state = Mutex(State())  // let comment = Mutex(0)
                private final class Inner {
                    let parts = (0..<4).map { _ in Monitor<Set<Int>>([]) }
                }
                func run() {
                    let outcome: Mutex<Int?>
                    _ = Monitor(()).wait(seconds: 1) { _ in nil as Void? }
                    guard try System.tryLock(3) else { return }
                    flock(3, LOCK_EX)
                }
            }
            """
        let file = SourceFile(path: "Sources/A/A.swift", text: text)
        #expect(file.locks == ["Outer.state", "Inner.parts", "Outer.outcome", "flock(Outer)"])
        #expect(file.otherLocks.count == 1)
    }
}
