internal import Glibc
import LinuxFiles
import TestSupport
import Testing

@testable import CommandSupport

/// What is written to a reader that doesn't read.
@Suite("Messages for a blocked terminal")
struct MessageQueueTests {
    /// A pipe of one page; its reading end as far as a test reads.
    private final class Reader {
        let pipe = Result { try Pipe() }
        let writeEnd: CInt

        init() throws {
            writeEnd = try pipe.get().takeWriteEnd()
            _ = fcntl(writeEnd, 1031 /* F_SETPIPE_SZ */, 4096)
        }

        /// Reads until the text has an end.
        func read(until end: String) throws -> String {
            var text = ""
            while !text.hasSuffix(end) { text += String(decoding: try pipe.get().read(1), as: UTF8.self) }
            return text
        }
    }

    private func queue(_ reader: Reader, limit: Int = 16384) -> MessageQueue {
        MessageQueue(reader.writeEnd, limit: limit) { "\($0) lost\n" }
    }

    private func seconds(_ body: () throws -> Void) rethrows -> Double {
        let start = ContinuousClock.now
        try body()
        return (ContinuousClock.now - start) / .seconds(1)
    }

    @Test("a thread that serves never waits for a full pipe; what is lost is counted where it was lost")
    func losses() throws {
        let reader = try Reader()
        let queue = queue(reader)
        let took = seconds { for number in 0..<10_000 { queue.add("message \(number)\n", .neverWait) } }
        #expect(took < 2)
        let lines = try reader.read(until: " lost\n").split(separator: "\n").map(String.init)
        let kept = lines.dropLast()
        #expect(kept.count > 500)
        #expect(Array(kept) == (0..<kept.count).map { "message \($0)" })
        #expect(lines.last == "\(10_000 - kept.count) lost")
        // It flows again.
        queue.add("after\n", .neverWait)
        #expect(try reader.read(until: "after\n") == "after\n")
    }

    @Test("messages of many threads are whole")
    func threads() throws {
        let reader = try Reader()
        let queue = queue(reader, limit: 1 << 20)
        let done = Monitor(0)
        for thread in 0..<8 {
            try startThread {
                for number in 0..<200 {
                    queue.add("\(thread) \(number) \(String(repeating: "x", count: 50))\n", .neverWait)
                }
                done.update { $0 += 1 }
            }
        }
        done.wait { $0 == 8 ? () : nil }
        queue.add("end\n", .neverWait)
        let lines = try reader.read(until: "end\n").split(separator: "\n").dropLast()
        #expect(lines.count == 1600)
        for thread in 0..<8 {
            let own = lines.filter { $0.hasPrefix("\(thread) ") }.map { $0.split(separator: " ")[1] }
            #expect(own == (0..<200).map { Substring(String($0)) })
            #expect(lines.allSatisfy { $0.hasSuffix(String(repeating: "x", count: 50)) })
        }
    }

    @Test("a message shows what a terminal would obey")
    func escapes() {
        let line = StandardError.line("no board \u{1b}[2J\u{9b}1m\u{202e} here\r\nsecond line")
        #expect(line == "\(StandardError.programName): no board \\x1b[2J\\u{009b}1m\\u{202e} here\\x0d\nsecond line\n")
    }

    @Test("progress that can't be shown is left out, and counts for nothing")
    func progress() throws {
        let reader = try Reader()
        let queue = queue(reader)
        // Twice what the backlog and the pipe hold.
        for _ in 0..<40 { queue.add(String(repeating: "x", count: 999) + "\n", .neverWait) }
        for _ in 0..<1000 { queue.add("10%\n", .nowOrNever) }
        queue.add("y\n", .neverWait)
        #expect(try reader.read(until: " lost\n").contains("%") == false)
    }

    @Test("a command that works for itself waits for a slow reader, and loses nothing")
    func waiting() throws {
        let reader = try Reader()
        let queue = queue(reader, limit: 8192)
        try startThread {
            for number in 0..<2000 { queue.add("message \(number)\n", .wait) }
            queue.add("end\n", .wait)
        }
        sleep(milliseconds: 1500)
        let lines = try reader.read(until: "end\n").split(separator: "\n")
        #expect(lines.dropLast() == (0..<2000).map { Substring("message \($0)") })
    }

    @Test("a message is written when a command's call returns")
    func synchronous() throws {
        let reader = try Reader()
        let queue = queue(reader)
        for number in 0..<100 {
            queue.add("\(number)\n", .wait)
            var waiting: CInt = 0
            _ = ioctl(reader.writeEnd, UInt(FIONREAD), &waiting)
            #expect(waiting == "\(number)\n".utf8.count)
            _ = try reader.read(until: "\n")
        }
    }

    @Test("the end of the process waits for a while, and not for ever")
    func finish() throws {
        let reader = try Reader()
        let queue = queue(reader)
        #expect(seconds { queue.finish() } < 1)
        for _ in 0..<10 { queue.add(String(repeating: "x", count: 999) + "\n", .neverWait) }
        #expect((2.5..<20).contains(seconds { queue.finish() }))
        // What flows is waited for.
        try startThread { [pipe = try reader.pipe.get()] in _ = try? pipe.read(10_000) }
        #expect(seconds { queue.finish() } < 2)
    }

    @Test("a descriptor that is closed costs no more than the messages")
    func closed() throws {
        let reader = try Reader()
        System.ignoreBrokenPipes()
        let queue = queue(reader)
        close(try reader.pipe.get().takeReadEnd())
        for _ in 0..<10_000 { queue.add("nobody hears this\n", .neverWait) }
        queue.add("nor this\n", .wait)
        #expect(seconds { queue.finish() } < 2)
    }

    @Test("a pipe that somebody made non-blocking loses nothing")
    func nonBlocking() throws {
        let reader = try Reader()
        _ = fcntl(reader.writeEnd, F_SETFL, O_NONBLOCK)
        let queue = queue(reader)
        for number in 0..<1000 { queue.add("message \(number)\n", .neverWait) }
        sleep(milliseconds: 100)
        queue.add("end\n", .neverWait)
        #expect(try reader.read(until: "end\n").split(separator: "\n").count == 1001)
    }
}
