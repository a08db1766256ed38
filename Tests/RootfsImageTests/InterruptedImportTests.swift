import Glibc
import ImageEntries
import LinuxFiles
import RootfsImage
import TestSupport
import Testing

/// Imports that don't come to their end. The program itself is run, with an archive that stops in the middle.
@Suite struct InterruptedImportTests {
    private static let program = "\(Fixture.package)/.build/debug/p9serve"

    /// Starts an import that has made files and waits for more of its archive.
    private func begin(_ fixture: ImportFixture) throws -> RunningProgram {
        _ = try fixture.archive("for i in range(20): add(f'd/{i}', data=b'x' * 50000, uid=5, mode=0o4000)")
        // In the end the writer only keeps the FIFO open, as long as the import lives.
        let script = """
            cd "$1" && mkfifo pipe && { { head -c 600000 a.tar; exec tail -f --pid=$$ /dev/null; } > pipe & } &&
            exec "$2" import pipe root
            """
        let running = try RunningProgram(["sh", "-c", script, "sh", fixture.host.path, Self.program])
        var hasBegun = false
        waitUntil {
            let staging = listFiles(fixture.host.path).first { $0.hasPrefix(".root.importing-") }
            hasBegun = staging.map { listFiles(fixture.host.file("\($0)/d")).count >= 5 } ?? false
            return hasBegun
        }
        if hasBegun { return running }
        running.send(signal: SIGKILL)
        throw Errno.ETIMEDOUT
    }

    @Test(.enabled(if: isInstalled(program)), arguments: [SIGTERM, SIGINT, SIGHUP])
    func signalRemovesEverything(_ signal: CInt) throws {
        let fixture = try ImportFixture()
        let running = try begin(fixture)
        running.send(signal: signal)
        let result = try running.wait()
        #expect(result.status == 130)
        #expect(result.output.contains("cancelled"), "\(result.output)")
        #expect(try fixture.host.names() == ["a.tar", "make.py", "pipe"])
    }

    @Test(.enabled(if: isInstalled(program))) func killedImportLeavesNoDestinationAndTheNextOneCleansUp() throws {
        let fixture = try ImportFixture()
        let running = try begin(fixture)
        // While it runs, its directory is locked and another import leaves it alone.
        let archive = fixture.host.file("a.tar")
        #expect(try fixture.refusal(archive).code == .busy)
        running.send(signal: SIGKILL)
        #expect(try running.wait().status == 128 + SIGKILL)
        let names = try fixture.host.names()
        #expect(!names.contains("root"))
        #expect(names.contains { $0.hasPrefix(".root.importing-") })

        try fixture.host.write(".root.importing-x", "not ours: the suffix has another length")
        let summary = try fixture.importing(archive)
        #expect(summary.leftoversRemoved == 1)
        let left = try fixture.host.names().filter { !$0.contains(".usb9pfs.db") }
        #expect(left == [".root.importing-x", "a.tar", "make.py", "pipe", "root"])
        #expect(try fixture.host.names().allSatisfy { !$0.hasPrefix("..root") })
    }

    /// Both went on, and the later one's work was lost at its end. Now one of them is told at once, and the other one's
    /// directory stays.
    @Test(.enabled(if: isInstalled(program))) func secondImportOfOneInstantIsToldAtOnce() throws {
        let fixture = try ImportFixture()
        let archive = try fixture.archive("for i in range(2000): add(f'd/{i}', data=b'x' * 1000)")
        let root = fixture.host.file("root")
        for _ in 0..<3 {
            let arguments = [Self.program, "import", "-q", "--no-sync", archive, root]
            let (first, second) = (try RunningProgram(arguments), try RunningProgram(arguments))
            let results = [try first.wait(), try second.wait()]
            let output = results.map(\.output).joined()
            // On a busy machine one may be done before the other has begun.
            let codes = results.map(\.status).sorted()
            #expect(codes == [0, 5] || codes == [0, 64], "\(output)")
            #expect(output.contains("another p9serve is making") || output.contains("is not empty"), "\(output)")
            #expect(try fixture.host.names() == [".root.usb9pfs.db", "a.tar", "make.py", "root"])
            #expect(try fixture.host.names("root/d").count == 2000)
            try fixture.shell("rm -r root .root.usb9pfs.db")
        }
    }

    /// Somebody else holds a lock on the parent directory, as any user may on /tmp: imports go on all the same.
    @Test func lockedParentDoesNotStopImports() throws {
        let fixture = try ImportFixture()
        let archive = try fixture.archive("add('a')")
        let parent = try System.open(fixture.host.path, [.readOnly, .directory])
        #expect(try System.tryLock(parent.raw))
        #expect(try fixture.importing(archive).files == 1)
        extendLifetime(parent)
    }

    /// Any user can lock a file of such a name in /tmp: another user's file neither stops an import nor is removed.
    @Test(.enabled(if: System.effectiveUser == 0)) func anotherUsersFileOfSuchANameDoesNotStopImports() throws {
        let fixture = try ImportFixture()
        let archive = try fixture.archive("add('a')")
        try fixture.host.write(".root.importing-abcdef", "")
        try fixture.host.write(".root.importing-unused", "")
        try fixture.shell("chown 1000 .root.importing-*")
        let theirs = try System.open(fixture.host.file(".root.importing-abcdef"), .readOnly)
        #expect(try System.tryLock(theirs.raw))
        let summary = try fixture.importing(archive)
        #expect(summary.files == 1 && summary.leftoversRemoved == 0)
        extendLifetime(theirs)
    }

    /// Names that are cut to leave room for the rest are still two.
    @Test func longNamesOfOneBeginningAreNotTakenForEachOther() throws {
        let fixture = try ImportFixture()
        let archive = try fixture.archive("add('a')")
        let (one, other) = (String(repeating: "n", count: 210) + "1", String(repeating: "n", count: 210) + "2")
        let importer = Importer(source: archive, destination: fixture.host.file(one))
        var inner: ImportSummary?
        _ = try importer.run { if $0.entries == 0 { inner = inner ?? (try? fixture.importing(archive, to: other)) } }
        #expect(inner?.files == 1)
    }

    @Test func cancelledFromAnotherThread() throws {
        let fixture = try ImportFixture()
        let archive = try fixture.archive("for i in range(500): add(f'{i}', data=b'x' * 1000)")
        let cancellation = Cancellation()
        let importer = Importer(source: archive, destination: fixture.host.file("root"), cancellation: cancellation)
        var failure: ImageError?
        do throws(ImageError) {
            _ = try importer.run { if $0.entries == 100 { cancellation.request() } }
        } catch {
            failure = error
        }
        #expect(failure?.code == .cancelled)
        #expect(try fixture.host.names() == ["a.tar", "make.py"])
    }

    /// Somebody fills the destination while the import runs.
    @Test func destinationMadeMeanwhileIsLeftAlone() throws {
        let fixture = try ImportFixture()
        let archive = try fixture.archive("for i in range(5): add(f'{i}')")
        let importer = Importer(source: archive, destination: fixture.host.file("root"))
        var failure: ImageError?
        do throws(ImageError) {
            _ = try importer.run {
                guard $0.entries == 3 else { return }
                _ = try? run("mkdir", fixture.host.file("root"))
                _ = try? fixture.host.write("root/mine", "mine")
            }
        } catch {
            failure = error
        }
        #expect(failure?.code == .badDestination)
        #expect(try fixture.host.names("root") == ["mine"])
        #expect(try fixture.host.names() == ["a.tar", "make.py", "root"])
    }

    /// The disk is full. A size limit gives the same short write as a full disk, without one.
    @Test(.enabled(if: isInstalled(program))) func fullDiskLeavesNothing() throws {
        let fixture = try ImportFixture()
        let archive = try fixture.archive("add('a', data=b'x' * 3000000)")
        let script = "trap '' XFSZ; ulimit -f 2000; exec \"$1\" import \"$2\" \"$3\""
        let result = try run("sh", "-c", script, "sh", Self.program, archive, fixture.host.file("root"))
        #expect(result.status == 1)
        #expect(result.output.contains("can't write a: File too large"), "\(result.output)")
        #expect(try fixture.host.names() == ["a.tar", "make.py"])
    }

    @Test(.enabled(if: isInstalled(program))) func programReportsAsJSON() throws {
        let fixture = try ImportFixture()
        let archive = try fixture.archive("add('a', mode=0o4755); add('l', S, linkname='x', uid=1)")
        let root = fixture.host.file("root")
        let result = try run(
            "sh",
            "-c",
            "\"$1\" import --json - \"$2\" < \"$3\" 2>/dev/null",
            "sh",
            Self.program,
            root,
            archive
        )
        #expect(result.status == 0)
        for line in [
            "\"version\":1", "\"event\":\"start\"", "\"event\":\"done\"", "\"entries\":2", "\"labels\":2",
            "\"symlinks\":1", "\"source\":\"-\"", "\"kind\":\"tar\"",
        ] {
            #expect(result.output.contains(line), "\(result.output)")
        }
        #expect(result.output.split(separator: "\n").allSatisfy { $0.hasPrefix("{") && $0.hasSuffix("}") })
        let again = try run(Self.program, "import", archive, root)
        #expect(again.status == 64 && again.output.contains("is not empty") && again.output.contains("rm -r"))
        #expect(try run(Self.program, "import", root + "/missing", fixture.host.file("new")).status == 3)
    }
}
