import LinuxFiles
import TestSupport
import Testing

@Suite struct DirectoryTrailTests {
    private func withName<Result: ~Copyable>(
        _ body: (UnsafePointer<CChar>) throws(Errno) -> Result
    ) throws(Errno) -> Result {
        try FileName("d").withCString { (name) throws(Errno) in try body(name) }
    }

    /// Goes down a chain of new directories.
    private func descend(_ trail: DirectoryTrail, from path: String, depth: Int) throws(Errno) {
        try trail.enter(System.open(path, [.readOnly, .directory]))
        for _ in 0..<depth {
            let inner = try withName { (name) throws(Errno) in
                try System.makeDirectory(at: trail.current, name, mode: 0o755)
                return try System.open(at: trail.current, name, [.readOnly, .directory])
            }
            try trail.enter(inner)
        }
    }

    private func openDescriptors() throws(Errno) -> Int {
        let directory = try System.open("/proc/self/fd", [.readOnly, .directory])
        return try System.names(in: directory.raw).count
    }

    @Test func fewDirectoriesAreOpenHoweverDeep() throws {
        let host = try TemporaryDirectory()
        let trail = DirectoryTrail()
        let top = try System.open(host.path, .path)
        let before = try System.status(of: top.raw)
        try descend(trail, from: host.path, depth: 500)
        // Others run meanwhile.
        #expect(try openDescriptors() < 500)
        #expect(trail.depth == 501)
        while trail.depth > 1 { try trail.leave() }
        #expect(try System.status(of: trail.current).isSameFile(as: before))
    }

    /// A directory that was moved away leads to another parent, where nothing may be done.
    @Test func movedDirectoryIsNoticed() throws {
        let host = try TemporaryDirectory()
        try host.makeDirectory("a")
        try host.makeDirectory("b")
        let trail = DirectoryTrail()
        try descend(trail, from: host.file("a"), depth: 100)
        let a = try System.open(host.file("a/d"), .path)
        let b = try System.open(host.file("b"), .path)
        try withName { (name) throws(Errno) in try System.rename(at: a.raw, name, to: b.raw, name) }
        var failure: Errno?
        do throws(Errno) {
            while trail.depth > 1 { try trail.leave() }
        } catch {
            failure = error
        }
        #expect(failure == .ESTALE)
    }

    /// It was recursive, with an open directory for each level.
    @Test(.disabled(if: isQuick, "it takes seconds"), .timeLimit(.minutes(1))) func removeTreeGoesToAnyDepth() throws {
        let host = try TemporaryDirectory()
        try host.makeDirectory("top")
        try descend(DirectoryTrail(), from: host.file("top"), depth: 10_000)
        let parent = try System.open(host.path, [.path, .directory])
        try System.removeTree(at: parent.raw, FileName("top"))
        #expect(try host.names() == [])
    }
}
