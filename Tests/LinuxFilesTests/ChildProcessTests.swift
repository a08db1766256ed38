import LinuxFiles
import TestSupport
import Testing

@Suite("Child processes")
struct ChildProcessTests {
    private func text(_ descriptor: CInt) throws -> String {
        var text: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 65536)
        while true {
            let count = try buffer.withUnsafeMutableBytes { try System.receive(descriptor, into: $0) }
            if count == 0 { return String(decoding: text, as: UTF8.self) }
            text += buffer[..<count]
        }
    }

    @Test("input, output, errors and the exit code")
    func streams() throws {
        let script = "cat; echo odd >&2; exit 3"
        let child = try ChildProcess("sh", ["-c", script], input: .pipe, output: .pipe)
        do {
            let input = try child.takeInput()
            try Array("hello".utf8).withUnsafeBytes { try System.send(input.raw, $0) }
        }
        let output = try child.takeOutput()
        #expect(try text(output.raw) == "hello")
        #expect(try child.wait() == .exited(3))
        #expect(try child.wait() == .exited(3))
        #expect(String(decoding: child.errorText, as: UTF8.self) == "odd\n")
        #expect(throws: Errno.EBADF) { _ = try child.takeOutput() }
    }

    @Test("of a long standard error the end is kept, and nothing stalls")
    func longErrors() throws {
        let child = try ChildProcess("sh", ["-c", "head -c 1000000 /dev/zero >&2; echo end >&2"])
        #expect(try child.wait() == .exited(0))
        #expect(child.errorText.count == 4096)
        #expect(child.errorText.suffix(4) == Array("end\n".utf8)[...])
    }

    @Test("no such program")
    func missing() {
        #expect(throws: Errno.ENOENT) { _ = try ChildProcess("usb9pfs-no-such-program", []) }
        #expect(ChildProcess.find("usb9pfs-no-such-program") == nil)
    }

    @Test("inherits no descriptors, no ignored signals, a C locale, its own process group")
    func cleanStart() throws {
        System.ignoreBrokenPipes()
        let held = try System.open("/dev/null", .readOnly)
        // 3 is the directory, opened by ls. Signals 32 and 33 are the C library's own.
        let script = """
            echo $LC_ALL $GIVEN; ls /proc/self/fd | tr '\\n' ' '; grep SigIgn /proc/self/status | tail -c 8
            test "$(cut -d' ' -f5 /proc/self/stat)" = $$ && echo own
            """
        let child = try ChildProcess("sh", ["-c", script], output: .pipe, environment: ["GIVEN": "x y"])
        let output = try child.takeOutput()
        let lines = try text(output.raw).split(separator: "\n").map(String.init)
        #expect(lines == ["C x y", "0 1 2 3 0000000", "own"])
        try child.wait()
        extendLifetime(held)
    }

    @Test("killed on demand, and with its owner")
    func killed() throws {
        let child = try ChildProcess("sleep", ["1000"])
        child.kill()
        #expect(try child.wait() == .signalled(9))
        let id = try ChildProcess("sleep", ["1000"]).processID
        #expect(throws: Errno.ENOENT) { _ = try System.open("/proc/\(id)", .readOnly) }
    }
}
