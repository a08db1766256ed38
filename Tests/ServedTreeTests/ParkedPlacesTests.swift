import LinuxFiles
@testable import ServedTree
import TestSupport
import Testing

private func names(_ path: String) -> [[UInt8]] { ParkedPlaces.names(of: Array(path.utf8)) }

@Suite("Places of parked files")
struct ParkedPlacesTests {
    private let places = ParkedPlaces()
    private let top: ParkedPlaces.Place

    init() throws {
        top = try #require(places.attachPoint(at: Array("/srv/root".utf8)))
    }

    private func path(_ text: String, from top: ParkedPlaces.Place? = nil) -> ParkedPlaces.Path {
        ParkedPlaces.Path(top: top ?? self.top, names: names(text))
    }

    private func park(_ text: String) throws -> ParkedPlaces.Place { try #require(places.place(at: path(text))) }

    private func begin(_ old: String?, _ new: String?) -> ParkedPlaces.Move {
        places.begin { (old.map { path($0) }, new.map { path($0) }) }
    }

    private func move(_ old: String?, _ new: String?, isDone: Bool = true) {
        places.end(begin(old, new), isDone: isDone)
    }

    private func found(_ place: ParkedPlaces.Place, from top: ParkedPlaces.Place? = nil) -> String? {
        places.names(of: place, from: top ?? self.top)?.map { String(decoding: $0, as: UTF8.self) }
            .joined(separator: "/")
    }

    @Test("a rename moves all that is beneath, and nothing beside it")
    func directory() throws {
        let (file, deep, beside) = try (park("a/b/file"), park("a/b/c/d/deep"), park("a/bc/file"))
        move("a/b", "x/y")
        #expect(found(file) == "x/y/file" && found(deep) == "x/y/c/d/deep" && found(beside) == "a/bc/file")
        move("x", "a/x")
        #expect(found(file) == "a/x/y/file")
        move("a", "z", isDone: false)
        #expect(found(deep) == "a/x/y/c/d/deep")
    }

    @Test("what is renamed over is lost, and the file that took its place is found")
    func replaced() throws {
        let (old, new) = try (park("target"), park("new"))
        move("new", "target")
        #expect(found(old) == nil && found(new) == "target")
        // A name onto itself: nothing happens.
        move("target", "target")
        #expect(found(new) == "target")
    }

    @Test("out of what any path can say: what is beneath is lost, and nothing else")
    func tooDeep() throws {
        let (moved, stays) = try (park("a/file"), park("b/file"))
        move("a", nil)
        move(nil, "b/other")
        #expect(found(moved) == nil && found(stays) == "b/file")
    }

    @Test("an export within an export: a rename through the outer one moves what is parked by the inner one")
    func nested() throws {
        let inner = try #require(places.attachPoint(at: Array("/srv/root/home".utf8)))
        let file = try #require(places.place(at: path("user/file", from: inner)))
        move("home/user", "home/other")
        #expect(found(file, from: inner) == "other/file")
        move("home", "elsewhere")
        #expect(found(file, from: inner) == "other/file" && found(file) == "elsewhere/other/file")
        move("elsewhere/other", "out")
        #expect(found(file, from: inner) == nil && found(file) == "out/file")
    }

    @Test("nothing is parked where a rename is under way, nor is it looked for before the rename is done")
    func underWay() throws {
        let file = try park("a/file")
        let rename = begin("a", "b")
        for text in ["a", "a/file", "b", "b/any"] { #expect(places.place(at: path(text)) == nil) }
        #expect(places.place(at: path("c")) != nil)
        let places = places
        let seen = Monitor<String?>(nil)
        let top = top
        try startThread {
            places.waitForMoves(of: file)
            let names = places.names(of: file, from: top)?.map { String(decoding: $0, as: UTF8.self) } ?? []
            seen.update { $0 = names.joined(separator: "/") }
        }
        sleep(milliseconds: 50)
        places.end(rename, isDone: true)
        #expect(seen.wait { $0 } == "b/file")
    }

    @Test("renames that touch each other are made in turn; others don't wait")
    func inTurn() throws {
        let file = try park("a/file")
        let first = begin("a", "b")
        let (isAsked, done) = (Monitor(false), Monitor(0))
        let (places, top) = (places, top)
        try startThread {
            let second = places.begin {
                isAsked.update { $0 = true }
                return (
                    ParkedPlaces.Path(top: top, names: names("b/file")), ParkedPlaces.Path(top: top, names: names("c"))
                )
            }
            places.end(second, isDone: true)
            done.update { $0 += 1 }
        }
        isAsked.wait { $0 ? () : nil }
        for index in 0..<100 { move("other-\(index)", "new-\(index)") }
        #expect(done.update { $0 } == 0)
        places.end(first, isDone: true)
        done.wait { $0 == 1 ? () : nil }
        #expect(found(file) == "c")
    }

    @Test("a rename goes by where its directories are when its turn comes, not where they were when it was asked for")
    func outdatedPath() throws {
        let file = try park("a/file")
        var above = ["a", "b"][...]
        let second = places.begin {
            let old = above.removeFirst()
            // Another client is faster.
            if old == "a" { move("a", "b") }
            return (path("\(old)/file"), path("\(old)/new"))
        }
        places.end(second, isDone: true)
        #expect(above.isEmpty && found(file) == "b/new")
    }

    @Test("a rename that has waited for another one of its directory asks for its path again")
    func outdatedPathAfterWaiting() throws {
        let file = try park("a/file")
        let first = begin("a", "b")
        let isAsked = Monitor(0)
        let done = Monitor(false)
        let (places, top) = (places, top)
        try startThread {
            let second = places.begin {
                let above = isAsked.update { count in
                    count += 1
                    return count == 1 ? "a" : "b"
                }
                return (
                    ParkedPlaces.Path(top: top, names: names("\(above)/file")),
                    ParkedPlaces.Path(top: top, names: names("\(above)/new"))
                )
            }
            places.end(second, isDone: true)
            done.update { $0 = true }
        }
        isAsked.wait { $0 > 0 ? () : nil }
        sleep(milliseconds: 50)
        places.end(first, isDone: true)
        done.wait { $0 ? () : nil }
        #expect(found(file) == "b/new")
    }

    @Test("a rename that is stuck holds up another one of the same files for a moment only")
    func stuck() throws {
        let places = ParkedPlaces(patience: 0.5)
        let top = try #require(places.attachPoint(at: []))
        func path(_ text: String) -> ParkedPlaces.Path { ParkedPlaces.Path(top: top, names: names(text)) }
        let file = try #require(places.place(at: path("a/file")))
        _ = places.begin { (path("a"), path("b")) }
        let clock = ContinuousClock()
        let time = clock.measure { places.end(places.begin { (path("a/file"), path("c")) }, isDone: true) }
        #expect(time >= .seconds(0.5))
        #expect(places.names(of: file, from: top) == names("c"))
    }

    @Test("what is too deep takes no memory: attach points, and files")
    func depth() throws {
        let deep = String(repeating: "/d", count: ParkedPlaces.maximumDepth + 1)
        #expect(places.attachPoint(at: Array(deep.utf8)) == nil)
        #expect(!places.isTooDeep(path("a/b")))
        #expect(places.isTooDeep(path(deep)))
        // Counted from the top, whoever attaches where.
        let inner = try #require(places.attachPoint(at: Array(deep.utf8.dropLast(2))))
        #expect(places.isTooDeep(path("file", from: inner)))
        // What was parked is found wherever it is moved to.
        let file = try park("file")
        move("file", "below" + deep)
        #expect(found(file) == "below" + deep)
    }
}
