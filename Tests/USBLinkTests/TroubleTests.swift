import P9Wire
import Testing
import USBHost

@testable import USBLink

private let rclunk = message(.rclunk)

@Suite("A link in trouble")
struct TroubleTests {
    // MARK: No memory

    @Test func replyThatHasNoMemoryBecomesENOMEM() throws {
        let played = try play([.send(version()), .take, .refuse(.replies, .noMemory), .send(read(1000)), .take])
        #expect(played.replies.last == errorReply(12))
        #expect(played.notices == [.noMemory(msize: 16384)])
        #expect(played.end == .stopped)
    }

    @Test func replyThatHasNoMemoryTwiceEndsTheLink() throws {
        let played = try play([
            .refuse(.replies, .noMemory), .refuse(.replies, .noMemory), .send(read(1000)), .pass(10),
        ])
        #expect(played.end == .failed(.noMemory))
        #expect(played.replies == [])
    }

    @Test func versionThatHasNoMemoryGrantsNothing() throws {
        let played = try play([.refuse(.replies, .noMemory), .send(version(msize: 65536)), .take])
        #expect(played.replies == [errorReply(12, tag: 0xffff)])
        #expect(played.msize == 0)
    }

    @Test func mountFailsWhereItsBuffersHaveNoMemory() throws {
        let played = try play([
            .pass(1), .refuse(.requests, .noMemory), .send(version(msize: 1 << 20)), .take,
            .send(version(msize: 65536)), .take,
        ])
        #expect(played.replies.first == errorReply(12, tag: 0xffff))
        #expect(played.replies.last?[4] == MessageType.rversion.rawValue)
        #expect(played.notices == [.noMemory(msize: 1 << 20)])
        #expect(played.msize == 65536)
        #expect(played.board.readSizes.contains(65536 + 512))
    }

    @Test func readAheadThatHasNoMemoryIsTriedAgain() throws {
        let played = try play([
            .send(version()), .take, .pass(1), .refuse(.requests, .noMemory), .send(clunk(tag: 1)), .take,
            .send(clunk(tag: 2)), .take,
        ])
        #expect(played.end == .stopped)
        #expect(played.replies.count == 3)
        #expect(played.notices == [])
    }

    @Test func buffersAreMadeByTheMsize() throws {
        let played = try play([.send(version(msize: 131_096)), .take, .send(read(131_000)), .take])
        #expect(played.board.readSizes.first == 16896)
        #expect(played.board.readSizes.last == 131_584)
        #expect(played.replies.last?.count == 131_011)
    }

    // MARK: Wedged

    @Test("a reply that failed is never sent again", arguments: [TransferOutcome.failed, .cancelled, .completed])
    func replyNotTaken(outcome: TransferOutcome) throws {
        let played = try play([.send(read(4000)), .endReply(outcome, taken: 512), .send(clunk(tag: 2)), .pass(10_000)])
        #expect(played.end == .wedged(.replyNotTaken))
        #expect(played.replies == [])
    }

    @Test("what has no tag ends the link", arguments: [[0], [7, 0, 0, 0, 0, 0]] as [[UInt8]])
    func junk(bytes: [UInt8]) throws {
        let played = try play([.send(bytes), .pass(10)])
        #expect(played.end == .wedged(.requestLost))
        #expect(played.replies == [])
        #expect(played.notices == [.requestRefused(.malformed)])
    }

    // MARK: Gone

    @Test func goneWhileIdle() throws {
        #expect(
            try play([.send(clunk()), .take, .pass(100), .unplug(noticedAfter: 0)]).end == .gone(midRequest: false)
        )
    }

    @Test(
        "an I/O error is a pulled cable, if the device goes within a second",
        arguments: [(900, true), (1200, false)]
    )
    func shownAsInputOutputErrorFirst(milliseconds: Int, isGone: Bool) throws {
        let end = try play([.send(clunk()), .take, .pass(100), .unplug(noticedAfter: milliseconds), .pass(5000)]).end
        #expect(end == (isGone ? .gone(midRequest: false) : .failed(.inputOutput)))
    }

    @Test func goneInTheMiddleOfAMessage() throws {
        let begun = Array(write(size: 1000)[..<512])
        #expect(try play([.begin(begun), .pass(100), .unplug(noticedAfter: 0)]).end == .gone(midRequest: true))
        #expect(try play([.begin(begun), .pass(100), .unplug(noticedAfter: 500)]).end == .gone(midRequest: true))
    }

    @Test func goneWhileARequestIsExecuted() throws {
        let played = try play([.pass(1), .send(clunk()), .unplug(noticedAfter: 0), .take])
        #expect(played.end == .gone(midRequest: true))
        #expect(played.replies == [])
    }

    @Test("gone while the reply is on its way", arguments: [0, 500])
    func goneMidReply(milliseconds: Int) throws {
        let played = try play([
            .send(read(4000)), .sip(512), .pass(5), .unplug(noticedAfter: milliseconds), .pass(5000),
        ])
        #expect(played.end == .gone(midRequest: true))
    }

    @Test func failedTransferOfADeviceThatStays() throws {
        let played = try play([.send(clunk()), .take, .endRequest(.failed), .pass(5000)])
        #expect(played.end == .failed(.inputOutput))
        #expect(played.replies == [rclunk])
        #expect(played.board.elapsed < 2000)
    }

    @Test func refusedSubmissionEndsTheLink() throws {
        #expect(
            try play([
                .pass(1), .refuse(.requests, .inputOutput), .refuse(.requests, .inputOutput), .send(clunk()), .take,
            ]).end
                == .failed(.inputOutput)
        )
        #expect(try play([.refuse(.replies, .noDevice), .send(clunk()), .pass(9)]).end == .gone(midRequest: true))
    }

    // MARK: Packets of no bytes

    @Test("messages and replies of whole packets", arguments: [512, 1024, 16384])
    func zeroLengthPackets(size: Int) throws {
        let played = try play([
            .send(version()), .take, .send(write(size: size)), .take, .send(read(size - 11 - (size == 16384 ? 1 : 0))),
            .take,
        ])
        #expect(played.replies.count == 3)
        #expect(played.board.zeroLengthPackets == [false, false, size < 16384])
    }

    @Test func emptyPacketsBetweenMessages() throws {
        let played = try play([.send([]), .send([]), .send(clunk()), .take, .send([]), .send(clunk(tag: 2)), .take])
        #expect(played.replies.count == 2)
        #expect(played.statistics.requests == 2)
    }

    @Test func messageLongerThanTheBufferIsRefusedOnce() throws {
        let played = try play([.send(version()), .take, .send(write(size: 40_000)), .take, .send(clunk(tag: 2)), .take])
        #expect(played.replies[1] == errorReply(90))
        #expect(played.replies[2] == message(.rclunk, tag: 2))
        #expect(played.notices == [.requestRefused(.tooLong)])
        #expect(played.statistics.requestsRefused == 1)
    }

    @Test func messageOfALostSessionIsStale() throws {
        let played = try play([.send(write(size: 40_000)), .take])
        #expect(played.replies == [errorReply(116)])
    }

    @Test func messagesGluedTogetherGetOneRefusal() throws {
        let played = try play([.send(clunk(tag: 1) + clunk(tag: 2)), .take, .send(clunk(tag: 3)), .take])
        #expect(played.replies == [errorReply(71, tag: 1), message(.rclunk, tag: 3)])
    }
}
