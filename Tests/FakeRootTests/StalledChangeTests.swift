import FakeRoot
import LinuxFiles
import Synchronization
import TestSupport
import Testing

/// One chmod or setxattr that the host's file system didn't answer held up every chmod of the tree, and every getattr
/// that was not cached.
@Suite("A file system that doesn't answer", .enabled(if: StallingFileSystem.isPossible)) struct StalledChangeTests {
    @Test("holds up changes of that file only", arguments: StallingFileSystem.Call.allCases)
    func others(_ call: StallingFileSystem.Call) throws {
        let names = ["stuck"] + (0..<600).map { "file\($0)" }
        let stalling = try StallingFileSystem(files: names, directory: TemporaryDirectory())
        defer { stalling.release() }
        let fixture = try TreeFixture(stalling)
        let tree = fixture.tree
        let stuck = SharedFile(try fixture.open("stuck"))
        stalling.stall(call, of: "stuck")
        try startThread {
            // The label needs setxattr(2), and the mode chmod(2).
            _ = try? tree.change(stuck.raw, OwnerAndMode(uid: 5, permissions: 0o750))
            stuck.isDone.store(true, ordering: .releasing)
        }
        waitUntil { stalling.isAwaited }
        #expect(stalling.isAwaited)

        let others = SharedFile(try System.open(stalling.path, [.path, .directory]))
        let wrong = Mutex<[String]>([])
        try startThread {
            // More files than there are stripes: some are in the stuck one's.
            for name in names.dropFirst() {
                do {
                    let file = try tree.lookup(FileName(name), in: others.raw)
                    _ = try tree.status(of: file.raw)
                    try tree.change(file.raw, OwnerAndMode(uid: 7, permissions: 0o4711))
                    try tree.setAttribute("security.capability", of: file.raw, to: [1, 2, 3])
                    let status = try tree.status(of: file.raw)
                    guard status.uid == 7, status.permissions == 0o4711 else { throw Errno.EINVAL }
                    _ = try tree.attributeNames(of: file.raw)
                } catch {
                    wrong.withLock { $0.append("\(name): \(error)") }
                }
            }
            others.isDone.store(true, ordering: .releasing)
        }
        waitUntil { others.hasEnded }
        #expect(others.hasEnded, "the others wait for the stuck one")
        #expect(wrong.withLock { $0 } == [])
        #expect(!stuck.hasEnded)

        stalling.release()
        waitUntil { stuck.hasEnded }
        #expect(try fixture.look("stuck") == "5:0 100750")
    }

    @Test("a second change of the same file waits, and both are made")
    func sameFile() throws {
        let stalling = try StallingFileSystem(files: ["a"], directory: TemporaryDirectory())
        defer { stalling.release() }
        let fixture = try TreeFixture(stalling)
        let tree = fixture.tree
        let first = SharedFile(try fixture.open("a"))
        let second = SharedFile(try fixture.open("a"))
        stalling.stall(.setAttribute, of: "a")
        try startThread {
            _ = try? tree.change(first.raw, OwnerAndMode(uid: 5))
            first.isDone.store(true, ordering: .releasing)
        }
        waitUntil { stalling.isAwaited }
        try startThread {
            _ = try? tree.change(second.raw, OwnerAndMode(gid: 6))
            second.isDone.store(true, ordering: .releasing)
        }
        sleep(milliseconds: 100)
        #expect(!second.hasEnded)
        stalling.release()
        waitUntil { first.hasEnded && second.hasEnded }
        #expect(try fixture.look("a") == "5:6 100644")
    }
}

/// An open file that threads share, and whether the thread that works on it has done so.
private final class SharedFile: Sendable {
    private let file: OwnedDescriptor
    let isDone = Atomic(false)
    var hasEnded: Bool { isDone.load(ordering: .acquiring) }

    init(_ file: consuming OwnedDescriptor) {
        self.file = file
    }

    var raw: CInt { file.raw }
}
