import P9Wire
import Testing
import USBHost

@testable import USBLink

private let rversion = message(
    .rversion,
    tag: 0xffff,
    body: littleEndian(UInt32(16384)) + [8, 0] + Array("9P2000.L".utf8)
)
private let rclunk = message(.rclunk)

@Suite("A link that is asked to stop")
struct StopTests {
    @Test func beforeItBegins() throws {
        let played = try play([.stop])
        #expect(played.end == .stopped)
        #expect(played.replies == [])
    }

    @Test func whileIdle() throws {
        let played = try play([.send(version()), .take, .pass(3_600_000), .stop])
        #expect(played.end == .stopped)
        #expect(played.replies == [rversion])
        #expect(played.msize == 16384)
    }

    @Test func whileARequestIsExecuted() throws {
        let played = try play([.send(version()), .take, .send(clunk()), .take]) { type, stop in
            if type == MessageType.tclunk.rawValue { stop.request() }
        }
        #expect(played.end == .stopped)
        #expect(played.replies == [rversion, rclunk])
        #expect(played.statistics.requests == 2)
    }

    @Test func whileAReplyIsOnItsWay() throws {
        let played = try play([.send(clunk()), .pass(10), .stop, .pass(1500), .take])
        #expect(played.end == .stopped)
        #expect(played.replies == [rclunk])
    }

    @Test func whileAReplyIsNotTaken() throws {
        let played = try play([.send(clunk()), .pass(10), .stop, .pass(60_000), .take])
        #expect(played.end == .wedged(.replyNotTaken))
        #expect(played.replies == [])
        #expect(played.board.elapsed < 5000)
    }

    @Test func whileHalfAReplyIsTaken() throws {
        let played = try play([.send(read(4000)), .sip(512), .stop, .pass(60_000)])
        #expect(played.end == .wedged(.replyNotTaken))
        #expect(played.replies == [])
    }

    @Test func cancelledReplyThatWasTakenAllTheSame() throws {
        let played = try play([.send(clunk()), .pass(10), .stop, .pass(1990), .endReply(.completed, taken: 7)])
        #expect(played.end == .stopped)
        #expect(played.replies == [rclunk])
    }

    @Test func inTheMiddleOfAMessageThatEnds() throws {
        let request = write(size: 1000)
        let played = try play([.begin(Array(request[..<512])), .stop, .pass(400), .send(Array(request[512...])), .take])
        #expect(played.end == .stopped)
        #expect(played.replies.count == 1)
    }

    @Test func inTheMiddleOfAMessageThatDoesNotEnd() throws {
        let played = try play([.begin(Array(write(size: 1000)[..<512])), .stop, .pass(60_000)])
        #expect(played.end == .wedged(.requestLost))
        #expect(played.replies == [])
        #expect(played.board.elapsed < 5000)
    }

    @Test func inTheMiddleOfAMessageOfManyBuffers() throws {
        let endless = [UInt8](repeating: 0xff, count: 16896 * 3)
        let played = try play([.begin(endless), .stop, .pass(60_000)])
        #expect(played.end == .wedged(.requestLost))
        #expect(played.board.elapsed < 5000)
    }

    @Test("the transfer that is cancelled has brought a request", arguments: [TransferOutcome.completed, .cancelled])
    func cancelRace(outcome: TransferOutcome) throws {
        let played = try play([
            .send(version()), .take, .pass(10), .onCancel(clunk(), outcome), .stop, .pass(100), .take,
        ])
        #expect(played.end == .stopped)
        #expect(played.replies == [rversion, rclunk])
    }

    @Test func cancelRaceWithAMessageThatFillsItsPackets() throws {
        // The packet of no bytes is still to come; the board listens for the reply when it is taken.
        let played = try play([
            .pass(10), .onCancel(write(size: 512), .cancelled), .stop, .pass(10), .send([]), .take,
        ])
        #expect(played.end == .stopped)
        #expect(played.replies.count == 1)
    }

    @Test func cancelRaceWithHalfAMessage() throws {
        let request = write(size: 1000)
        let played = try play([
            .pass(10), .onCancel(Array(request[..<512]), .cancelled), .stop, .pass(100),
            .send(Array(request[512...])), .take,
        ])
        #expect(played.end == .stopped)
        #expect(played.replies.count == 1)
    }

    @Test func withTheNextRequestThereAlready() throws {
        // What came before the stop is answered, what came with it too: the board can't ask again.
        let played = try play([.send(clunk(tag: 1)), .send(clunk(tag: 2)), .pass(10), .stop, .take, .take])
        #expect(played.end == .stopped)
        #expect(played.replies == [message(.rclunk, tag: 1), message(.rclunk, tag: 2)])
    }
}
