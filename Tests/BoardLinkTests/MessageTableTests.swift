import P9Wire
import Testing

@testable import BoardLink

/// A table in memory of its own, and the messages of a client and a host.
final class TableFixture {
    let table: MessageTable
    private let counters = UnsafeMutablePointer<MessageTable.Counters>.allocate(capacity: 1)
    private let places: UnsafeMutableBufferPointer<MessageTable.Place>

    init(messages: Int = 2) {
        places = .allocate(capacity: messages + 1)
        table = MessageTable(counters, places)
        table.initialize()
    }

    deinit {
        places.deallocate()
        counters.deallocate()
    }

    /// A frame: `size[4] type[1] tag[2]` and a body.
    static func frame(_ type: MessageType, _ tag: UInt16, _ body: [UInt8] = []) -> [UInt8] {
        let size = UInt32(7 + body.count)
        return [UInt8(size & 0xff), UInt8(size >> 8 & 0xff), UInt8(size >> 16 & 0xff), UInt8(size >> 24)]
            + [type.rawValue, UInt8(tag & 0xff), UInt8(tag >> 8)] + body
    }

    static func flush(_ tag: UInt16, of old: UInt16) -> [UInt8] {
        frame(.tflush, tag, [UInt8(old & 0xff), UInt8(old >> 8)])
    }

    /// Takes a message as the kernel's client sends it.
    func take(_ frame: [UInt8]) throws -> (place: Int, taken: MessageTable.Taken) {
        let place = try #require(table.freePlace(for: frame[4]))
        return (place, table.take(frame.span.bytes, at: place))
    }

    /// Takes a message, and gives it to the host.
    @discardableResult
    func send(_ type: MessageType, _ tag: UInt16, _ body: [UInt8] = []) throws -> Int {
        let (place, taken) = try take(Self.frame(type, tag, body))
        #expect(taken == .send)
        #expect(table.willSend(place) == 7 + body.count)
        return place
    }

    func receive(_ type: MessageType, _ tag: UInt16, _ body: [UInt8] = []) -> MessageTable.Received {
        table.receive(Self.frame(type, tag, body).span.bytes)
    }

    /// Sends a fence.
    /// - Returns: its tag.
    func fence() -> UInt16 {
        var frame = [UInt8](repeating: 0, count: MessageTable.fenceSize)
        frame.withUnsafeMutableBytes { table.beginFence(into: $0) }
        #expect(frame[4] == MessageType.tflush.rawValue && frame[0] == 9)
        return UInt16(frame[5]) | UInt16(frame[6]) << 8
    }

    /// The tags of requests that are lost for good.
    func lost(_ received: MessageTable.Received) -> [UInt16]? {
        guard case .fence(let order) = received else { return nil }
        var tags: [UInt16] = []
        while let tag = table.takeLost(upTo: order) { tags.append(tag.rawValue) }
        return tags
    }
}

private let getattr = [UInt8](repeating: 0, count: 12)
private let readAt: [UInt8] = [1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4, 0, 0, 0]

@Suite("A board's messages")
struct MessageTableTests {
    @Test("a request is answered, and its place is free again")
    func roundTrip() throws {
        let fixture = TableFixture(messages: 1)
        for _ in 0..<3 {
            try fixture.send(.tclunk, 0, [1, 0, 0, 0])
            #expect(fixture.table.isAwaitingReplies)
            #expect(fixture.receive(.rclunk, 0) == .reply)
            #expect(!fixture.table.isAwaitingReplies)
        }
        #expect(fixture.table.statistics.sent == 3)
        #expect(fixture.table.statistics.repliesDropped == 0)
    }

    @Test("replies come in any order")
    func order() throws {
        let fixture = TableFixture(messages: 3)
        for tag: UInt16 in 0..<3 { try fixture.send(.tclunk, tag, [1, 0, 0, 0]) }
        for tag: UInt16 in [1, 2, 0] { #expect(fixture.receive(.rclunk, tag) == .reply) }
    }

    @Test("the last place is for a Tflush alone")
    func flushPlace() throws {
        let fixture = TableFixture(messages: 1)
        try fixture.send(.tread, 0, readAt)
        #expect(fixture.table.freePlace(for: MessageType.tread.rawValue) == nil)
        try fixture.send(.tflush, 1, [0, 0])
        #expect(fixture.table.freePlace(for: MessageType.tflush.rawValue) == nil)
        // The request is answered no more.
        #expect(fixture.receive(.rflush, 1) == .reply)
        #expect(!fixture.table.isAwaitingReplies)
        #expect(fixture.receive(.rread, 0, [0, 0, 0, 0]) == .dropped)
    }

    @Test("a reply that comes before the Rflush counts")
    func flushTooLate() throws {
        let fixture = TableFixture()
        try fixture.send(.tread, 0, readAt)
        try fixture.send(.tflush, 1, [0, 0])
        #expect(fixture.receive(.rread, 0, [0, 0, 0, 0]) == .reply)
        #expect(fixture.receive(.rflush, 1) == .reply)
    }

    @Test("a reply that would end the client's mount is replaced by an error")
    func refusal() throws {
        let fixture = TableFixture()
        try fixture.send(.tread, 0, readAt)
        // Larger than what was asked for; of another type; with an errno that means success.
        #expect(fixture.receive(.rread, 0, [UInt8](repeating: 0, count: 9)) == .replyRefused(Tag(rawValue: 0)))
        try fixture.send(.tread, 0, readAt)
        #expect(fixture.receive(.rwrite, 0, [0, 0, 0, 0]) == .replyRefused(Tag(rawValue: 0)))
        try fixture.send(.tread, 0, readAt)
        #expect(fixture.receive(.rlerror, 0, [0, 0, 0, 0]) == .replyRefused(Tag(rawValue: 0)))
        #expect(!fixture.table.isAwaitingReplies)
    }

    @Test("what belongs to no request is dropped")
    func strangers() throws {
        let fixture = TableFixture()
        try fixture.send(.tclunk, 5, [1, 0, 0, 0])
        #expect(fixture.receive(.rclunk, 6) == .dropped)
        #expect(fixture.table.receive([7, 0, 0, 0].span.bytes) == .dropped)
        #expect(fixture.table.receive([9, 0, 0, 0, 121, 5, 0].span.bytes) == .dropped)
        #expect(fixture.receive(.rflush, 0xf001) == .dropped)
        #expect(fixture.receive(.rclunk, 5) == .reply)
        #expect(fixture.receive(.rclunk, 5) == .dropped)
    }

    @Test(
        "no client of the kernel sends these",
        arguments: [
            TableFixture.frame(.tclunk, 0, [1, 0, 0, 0]), TableFixture.frame(.tclunk, 0xf000),
            TableFixture.frame(.tclunk, 0xf7ff),
            TableFixture.frame(.tflush, 1, [0]),
            [8, 0, 0, 0, 120, 1, 0], [7, 0, 0, 0],
        ]
    )
    func malformed(frame: [UInt8]) throws {
        let fixture = TableFixture()
        try fixture.send(.tread, 0, readAt)
        let place = try #require(fixture.table.freePlace(for: 120))
        #expect(fixture.table.take(frame.span.bytes, at: place) == .malformed)
    }
}

@Suite("A link that was interrupted")
struct InterruptionTests {
    @Test("what can be repeated is sent again, the first one first; the rest fails")
    func lost() throws {
        let fixture = TableFixture(messages: 5)
        try fixture.send(.tgetattr, 0, getattr)
        try fixture.send(.tmkdir, 1)
        try fixture.send(.twrite, 2, readAt)
        try fixture.send(.twalk, 3, readAt)
        let tag = fixture.fence()
        // Not lost, only late.
        #expect(fixture.receive(.rgetattr, 0) == .reply)
        #expect(fixture.table.nextToSend == nil)
        #expect(fixture.lost(fixture.receive(.rflush, tag)) == [1, 3])
        let again = try #require(fixture.table.nextToSend)
        #expect(fixture.table.willSend(again) == 7 + 16)
        #expect(fixture.table.nextToSend == nil)
        #expect(fixture.receive(.rwrite, 2, [4, 0, 0, 0]) == .reply)
        #expect(!fixture.table.isAwaitingReplies)
        #expect(fixture.table.statistics.sentAgain == 1)
        #expect(fixture.table.statistics.failed == 2)
    }

    @Test("what is sent behind the fence is not lost")
    func behind() throws {
        let fixture = TableFixture(messages: 3)
        try fixture.send(.tmkdir, 0)
        let tag = fixture.fence()
        try fixture.send(.tmkdir, 1)
        #expect(fixture.lost(fixture.receive(.rflush, tag)) == [0])
        // The client uses the tag again at once.
        try fixture.send(.tmkdir, 0)
        #expect(fixture.receive(.rmkdir, 1, [UInt8](repeating: 0, count: 13)) == .reply)
        #expect(fixture.receive(.rmkdir, 0, [UInt8](repeating: 0, count: 13)) == .reply)
    }

    @Test("an earlier fence's answer does not count")
    func fences() throws {
        let fixture = TableFixture()
        try fixture.send(.tmkdir, 0)
        let first = fixture.fence()
        try fixture.send(.tmkdir, 1)
        let second = fixture.fence()
        #expect(first != second)
        #expect(fixture.receive(.rflush, first) == .dropped)
        // Also a host without a session answers the fence.
        #expect(fixture.lost(fixture.receive(.rlerror, second, [5, 0, 0, 0])) == [0, 1])
        #expect(fixture.receive(.rflush, second) == .dropped)
    }

    @Test("of many fences to a host that has not answered for long, only the last one's answer counts")
    func manyFences() throws {
        let fixture = TableFixture()
        try fixture.send(.tmkdir, 0)
        let tags = (0..<2000).map { _ in fixture.fence() }
        #expect(Set(tags).count == tags.count)
        #expect(!tags.contains(0xffff))
        for tag in tags.dropLast() { #expect(fixture.receive(.rflush, tag) == .dropped) }
        #expect(fixture.lost(fixture.receive(.rflush, tags[1999])) == [0])
    }

    @Test("a Tflush of what waits to be sent again is answered at once, and nothing is sent")
    func flushed() throws {
        let fixture = TableFixture()
        try fixture.send(.tread, 0, readAt)
        #expect(fixture.lost(fixture.receive(.rflush, fixture.fence())) == [])
        #expect(fixture.table.nextToSend != nil)
        let (_, taken) = try fixture.take(TableFixture.flush(1, of: 0))
        #expect(taken == .flushed(Tag(rawValue: 1)))
        #expect(fixture.table.nextToSend == nil)
        // Both tags are free.
        try fixture.send(.tread, 0, readAt)
        try fixture.send(.tread, 1, readAt)
    }

    @Test("a lost request that was flushed is sent no more, only its Tflush is")
    func lostFlush() throws {
        let fixture = TableFixture()
        try fixture.send(.tread, 0, readAt)
        let flush = try fixture.send(.tflush, 1, [0, 0])
        #expect(fixture.lost(fixture.receive(.rflush, fixture.fence())) == [])
        #expect(fixture.table.nextToSend == flush)
        _ = fixture.table.willSend(flush)
        #expect(fixture.table.nextToSend == nil)
        #expect(fixture.receive(.rread, 0, [0, 0, 0, 0]) == .dropped)
        #expect(fixture.receive(.rflush, 1) == .reply)
        // Both tags are free.
        try fixture.send(.tread, 0, readAt)
        try fixture.send(.tread, 1, readAt)
    }

    @Test("a request that is flushed behind the fence is not sent again")
    func flushBehindFence() throws {
        let fixture = TableFixture()
        try fixture.send(.tread, 0, readAt)
        let tag = fixture.fence()
        try fixture.send(.tflush, 1, [0, 0])
        #expect(fixture.lost(fixture.receive(.rflush, tag)) == [])
        #expect(fixture.table.nextToSend == nil)
        #expect(fixture.receive(.rflush, 1) == .reply)
        #expect(!fixture.table.isAwaitingReplies)
    }

    @Test("what was taken and not sent comes after what is to be sent again")
    func unsent() throws {
        let fixture = TableFixture(messages: 3)
        let first = try fixture.take(TableFixture.frame(.tread, 0, readAt)).place
        let second = try fixture.send(.tread, 1, readAt)
        #expect(fixture.lost(fixture.receive(.rflush, fixture.fence())) == [])
        #expect(fixture.table.nextToSend == second)
        _ = fixture.table.willSend(second)
        #expect(fixture.table.nextToSend == first)
        _ = fixture.table.willSend(first)
        #expect(fixture.table.nextToSend == nil)
    }

    @Test("a Tversion asks for no more than there is room for")
    func version() {
        func limited(_ msize: UInt32, _ type: MessageType = .tversion) -> UInt32 {
            var frame = TableFixture.frame(
                type,
                0xffff,
                withUnsafeBytes(of: msize.littleEndian) { Array($0) } + [8, 0]
            )
            frame.withUnsafeMutableBytes { MessageTable.limitVersion($0, msize: 65536) }
            return frame[7...10].reversed().reduce(0) { $0 << 8 | UInt32($1) }
        }
        #expect(limited(1 << 20) == 65536)
        #expect(limited(8192) == 8192)
        #expect(limited(1 << 20, .tread) == 1 << 20)
    }

    @Test("replies to a client that has gone are nobody's, also where the next one uses their tags")
    func nextClient() throws {
        let fixture = TableFixture(messages: 3)
        try fixture.send(.tread, 0, readAt)
        try fixture.send(.tread, 1, readAt)
        _ = try fixture.take(TableFixture.frame(.tread, 2, readAt))  // not sent yet
        fixture.table.abandonAll()
        try fixture.send(.tversion, 0xffff)
        #expect(fixture.receive(.rread, 0, [0, 0, 0, 0]) == .dropped)
        #expect(fixture.receive(.rversion, 0xffff) == .reply)
        #expect(!fixture.table.isAwaitingReplies)
        try fixture.send(.tread, 1, readAt)
        #expect(fixture.receive(.rread, 1, [0, 0, 0, 0]) == .reply)
    }
}
