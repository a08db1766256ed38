import TestSupport
import Testing

@testable import CommandSupport

/// What a terminal shows of messages that come while a progress line stands.
@Suite("A line that stands")
struct StandingLineTests {
    @Test("a warning is not written into the progress line, which comes again below it")
    func warningInProgressLine() throws {
        let pipe = try Pipe()
        let queue = MessageQueue(pipe.takeWriteEnd()) { "\($0) lost\n" }
        let lines = StandingLine(queue)
        lines.stand("5%")
        lines.add("", .wait)
        lines.add("warning\n", .wait)
        lines.removeStandingLine()
        lines.removeStandingLine()
        lines.add("done\n", .wait)
        let wanted = "\r\u{1b}[K5%" + "\r\u{1b}[K5%" + "\r\u{1b}[Kwarning\n5%" + "\r\u{1b}[K" + "done\n"
        #expect(String(decoding: try pipe.read(wanted.utf8.count), as: UTF8.self) == wanted)
    }
}
