import Glibc
import LinuxFiles
import P9Client
import P9Server
import P9Wire
import ServedTree
import TestSupport
import Testing

/// One Tsetattr or Txattrcreate that the host's file system didn't answer stopped every chmod of the export, and every
/// Tgetattr of a file that was not cached.
@Suite("An export whose file system doesn't answer", .enabled(if: StallingFileSystem.isPossible))
struct StalledExportTests {
    private func connect(_ server: SocketServer) throws -> FrameSocket {
        var ends: [CInt] = [-1, -1]
        guard socketpair(AF_UNIX, CInt(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0, &ends) == 0 else {
            throw Errno.last
        }
        _ = try server.listen(on: .descriptors(input: ends[1], output: ends[1]))
        return FrameSocket(owning: OwnedDescriptor(owning: ends[0]))
    }

    @Test(
        "other sessions' requests for other files are answered as before",
        arguments: StallingFileSystem.Call.allCases
    )
    func secondSession(_ call: StallingFileSystem.Call) throws {
        let names = ["stuck"] + (0..<100).map { "file\($0)" }
        let stalling = try StallingFileSystem(files: names, directory: TemporaryDirectory())
        defer { stalling.release() }
        let server = SocketServer(ServerConfiguration(exports: [try Export(directory: stalling.path)])) { _ in }
        let first = try connect(server)
        let second = try connect(server)
        second.setTimeout(milliseconds: 20_000)
        let client = try Client(second, msize: 65_536)
        let root = try client.attach()

        func work(_ names: ArraySlice<String>) throws -> Duration {
            let start = ContinuousClock.now
            for name in names {
                let file = try client.walk(root, [name])
                #expect(try client.getAttributes(file).mode == 0o100644)
                try client.set(file, [.mode, .uid], mode: 0o4711, uid: 7)
                try client.setAttribute(file, "security.capability", [1, 2, 3])
                #expect(try client.getAttributes(file).mode == 0o104711)
                try client.clunk(file)
            }
            return ContinuousClock.now - start
        }

        let before = try work(names[1...50])
        stalling.stall(call, of: "stuck")
        let waiting = try Client(first, msize: 65_536)
        let stuck = try waiting.walk(try waiting.attach(), ["stuck"])
        let thread = Thread(waiting, stuck)
        try startThread { thread.run() }
        waitUntil { stalling.isAwaited }
        #expect(stalling.isAwaited)
        let during = try work(names[51...])
        // A machine that does other things at the same time; who waits for the stuck one waits for ever.
        #expect(during < before * 10 + .seconds(2), "\(before) before, \(during) during")
        stalling.release()
        waitUntil { thread.isDone }
        #expect(try client.status(root, "stuck").uid == 5)
        server.stop(waitingAtMost: 5)
    }
}

/// A request that is sent by a thread of its own.
private final class Thread: @unchecked Sendable {  // the client is this thread's alone until it is done
    private let client: Client
    private let file: Fid
    private let done = Monitor(false)

    init(_ client: Client, _ file: Fid) {
        self.client = client
        self.file = file
    }

    func run() {
        try? client.set(file, [.mode, .uid], mode: 0o600, uid: 5)
        done.update { $0 = true }
    }

    var isDone: Bool { done.update { $0 } }
}
