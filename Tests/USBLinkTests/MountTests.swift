import P9Wire
import Testing
import USBHost

@testable import USBLink

private let rclunk = message(.rclunk)
/// The types of the replies that the board has taken.
private func types(_ played: Played) -> [UInt8] { played.replies.map { $0[4] } }
private let session: [FakeBoard.Step] = [.send(version()), .take, .send(clunk()), .take]
private let sessionReplies: [UInt8] = [MessageType.rversion.rawValue, MessageType.rclunk.rawValue]

/// Boards with the pair in alternate setting 1, which is there only while something is mounted.
@Suite("A board that says when it has mounted")
struct MountTests {
    @Test func todaysBoardSeesNothingOfIt() throws {
        let played = try play(session)
        #expect(played.board.control == [])
        #expect(played.notices == [])
    }

    @Test func mountedAlready() throws {
        let played = try play([.mount] + session, followsMounts: true)
        // The script goes on when the link first waits: after one refusal.
        #expect(played.board.control == [1, -1, 1])
        #expect(types(played) == sessionReplies)
        #expect(played.end == .stopped)
    }

    @Test func setInterfaceIsTriedOnceASecondUntilItMounts() throws {
        let played = try play([.pass(60_500), .mount] + session, followsMounts: true)
        #expect(types(played) == sessionReplies)
        #expect(played.board.control.filter { $0 == 1 }.count == 62)
        #expect(played.board.control.filter { $0 == -1 }.count == 61)
        #expect(played.notices == [.notMounted])
    }

    @Test func stoppedBeforeItMounts() throws {
        let played = try play([.pass(5000), .stop, .pass(60_000)], followsMounts: true)
        #expect(played.end == .stopped)
        #expect(played.board.elapsed < 7000)
    }

    @Test func goneBeforeItMounts() throws {
        let played = try play([.pass(5000), .unplug(noticedAfter: 0), .pass(60_000)], followsMounts: true)
        #expect(played.end == .gone(midRequest: false))
    }

    @Test func twoMounts() throws {
        let played = try play(
            [.mount] + session + [.unmount, .pass(10_000), .mount] + session,
            followsMounts: true
        )
        #expect(types(played) == sessionReplies + sessionReplies)
        #expect(played.end == .stopped)
        #expect(played.notices == [.notMounted, .notMounted])
    }

    @Test func unmountedAndMountedWithoutAPause() throws {
        let played = try play([.mount] + session + [.unmount, .mount] + session, followsMounts: true)
        #expect(types(played) == sessionReplies + sessionReplies)
    }

    @Test(
        "endpoints shut down with a request or a reply under way",
        arguments: [
            [.begin(Array(write(size: 1000)[..<512]))],
            [.send(clunk(tag: 3)), .pass(1)],
            [.send(read(4000)), .sip(512)],
        ] as [[FakeBoard.Step]]
    )
    func unmountedInTheMiddle(steps: [FakeBoard.Step]) throws {
        let played = try play([.mount] + session + steps + [.unmount, .mount] + session, followsMounts: true)
        #expect(types(played) == sessionReplies + sessionReplies)
        #expect(played.end == .stopped)
    }

    @Test func endpointsThatFailAtOnceKeepNoProcessorBusy() throws {
        let refusals = [FakeBoard.Step](repeating: .refuse(.requests, .inputOutput), count: 30)
        let played = try play(refusals + [.mount, .pass(20_000)] + session, followsMounts: true)
        #expect(played.board.control.filter { $0 == 1 }.count <= 34)
        #expect(types(played) == sessionReplies)
    }

    // MARK: Requests that the board gives up

    @Test func lateReplyThatIsDroppedByTheBoard() throws {
        // It takes the bytes, does not find the tag, and throws them away: the host sees success.
        let played = try play(
            [.mount] + session + [.send(clunk(tag: 1)), .pass(31_000), .send(clunk(tag: 2)), .take, .take],
            followsMounts: true
        )
        #expect(played.replies.suffix(2) == [message(.rclunk, tag: 1), message(.rclunk, tag: 2)])
        #expect(played.statistics.repliesTooLate == 0)
    }

    @Test func lateReplyThatIsNotTaken() throws {
        let played = try play(
            [.mount] + session + [.send(clunk(tag: 1)), .pass(31_000), .send(clunk(tag: 2)), .pass(3000), .take],
            followsMounts: true
        )
        #expect(played.replies.last == message(.rclunk, tag: 2))
        #expect(played.statistics.repliesTooLate == 1)
        #expect(played.notices == [.notMounted, .replyTooLate])
        #expect(played.end == .stopped)
    }

    @Test func lateReplyWhoseTagIsInUseAgain() throws {
        let played = try play(
            [.mount] + session + [.send(read(100)), .pass(31_000), .send(clunk()), .pass(49), .take],
            followsMounts: true
        )
        #expect(played.replies.last == rclunk)
        #expect(played.statistics.repliesTooLate == 1)
    }

    @Test func replyOfWhichTheTagIsInUseAgainBeforeItIsThere() throws {
        // The responder took so long that the next request, with the same tag, is there before the reply.
        let played = try play(
            [.mount] + session + [.send(read(100)), .send(clunk()), .take],
            followsMounts: true
        )
        #expect(played.replies.last == rclunk)
        #expect(played.replies.count == 3)
        #expect(played.statistics.repliesTooLate == 1)
    }

    @Test func lateReplyThatIsTakenByHalfIsTheMountsEnd() throws {
        let played = try play(
            [.mount] + session + [.send(read(4000)), .sip(512), .send(clunk(tag: 2)), .pass(5000)] + session,
            followsMounts: true
        )
        #expect(types(played) == sessionReplies + sessionReplies)
    }

    @Test func todaysBoardIsWaitedForHoweverLong() throws {
        let played = try play([.send(clunk(tag: 1)), .send(clunk(tag: 2)), .pass(3_600_000), .take, .take])
        #expect(played.replies == [message(.rclunk, tag: 1), message(.rclunk, tag: 2)])
    }
}
