import P9Wire
import Testing

private func message(_ type: MessageType, body: [UInt8] = [], tag: UInt16 = 0x0102) -> [UInt8] {
    let size = 7 + body.count
    return (0..<4).map { UInt8(truncatingIfNeeded: size >> (8 * $0)) }
        + [type.rawValue, UInt8(tag & 0xff), UInt8(tag >> 8)] + body
}

// The testing macros can't take a span, so arrays go in here.
extension ReplyRules {
    fileprivate init?(_ request: [UInt8], limit: Int = 8192) {
        self.init(request: request.span.bytes, limit: limit)
    }

    fileprivate func accepts(_ reply: [UInt8]) -> Bool {
        accepts(reply.span.bytes)
    }
}

private func capacity(_ request: [UInt8], limit: Int = 1 << 20) -> Int? {
    ReplyRules(request, limit: limit)?.capacity
}

/// `fid[4] offset[8] count[4]`
private func reading(_ count: UInt32) -> [UInt8] {
    [UInt8](repeating: 0, count: 12) + (0..<4).map { UInt8(truncatingIfNeeded: count >> (8 * $0)) }
}

/// The client's reservations: `p9_msg_buf_size` in the kernel's net/9p/protocol.c.
@Suite struct ReplyRulesTests {
    @Test(arguments: MessageType.allCases.filter(\.isRequest))
    func everyRequestHasRoomForItsReplyAndForAnError(type: MessageType) throws {
        let request = message(type)
        let rules = try #require(ReplyRules(request, limit: 1 << 20))
        switch type {
        case .tread, .treaddir, .twalk: #expect(rules.capacity == 11)
        case .treadlink: #expect(rules.capacity == 8192)
        default: #expect(rules.capacity == 4096)
        }
        let reply = try #require(type.reply)
        #expect(rules.accepts(message(reply)))
        #expect(rules.accepts(message(.rlerror, body: [2, 0, 0, 0])))
        for other in MessageType.allCases where other != reply {
            #expect(!rules.accepts(message(other)))
        }
        #expect(!rules.accepts(message(reply, tag: 0x0103)))
        #expect(!rules.accepts(message(reply, tag: 0x0201)))
    }

    @Test(arguments: [MessageType.tread, .treaddir])
    func readsHaveRoomForTheCount(type: MessageType) {
        #expect(capacity(message(type, body: reading(0))) == 11)
        #expect(capacity(message(type, body: reading(4096))) == 4107)
        #expect(capacity(message(type, body: reading(131_072)), limit: 131_096) == 131_083)
        #expect(capacity(message(type, body: reading(131_096)), limit: 131_096) == 131_096)
        #expect(capacity(message(type, body: reading(.max)), limit: 8192) == 8192)
    }

    @Test func walksHaveRoomForTheQids() {
        func walk(_ names: UInt8) -> [UInt8] { message(.twalk, body: [0, 0, 0, 0, 1, 0, 0, 0, names, 0]) }
        // Rwalk without a qid has 9 bytes, but an Rlerror has 11.
        #expect(capacity(walk(0)) == 11)
        #expect(capacity(walk(1)) == 22)
        #expect(capacity(walk(16)) == 9 + 16 * 13)
    }

    @Test func replyThatJustFitsAndOneThatDoesNot() throws {
        let request = message(.tread, body: reading(5))
        let rules = try #require(ReplyRules(request))
        #expect(rules.accepts(message(.rread, body: [5, 0, 0, 0, 1, 2, 3, 4, 5])))
        #expect(!rules.accepts(message(.rread, body: [6, 0, 0, 0, 1, 2, 3, 4, 5, 6])))
    }

    @Test func unknownTypesAreAnsweredWithAnErrorOnly() throws {
        var request = message(.tclunk)
        request[4] = 255
        let rules = try #require(ReplyRules(request))
        #expect(rules.accepts(message(.rlerror, body: [95, 0, 0, 0])))
        request[4] = 0
        #expect(!rules.accepts(request))
    }

    @Test func noHeaderNoRules() {
        let request: [UInt8] = [7, 0, 0, 0, 120, 1]
        #expect(ReplyRules(request) == nil)
    }

    @Test(arguments: [(2, 2), (4095, 4095), (0, 5), (-1, 5), (4096, 5), (.max, 5)] as [(Int32, Int32)])
    func errorsAreAlwaysErrors(errno: Int32, written: Int32) throws {
        let request = message(.tclunk)
        let rules = try #require(ReplyRules(request))
        var reply = [UInt8](repeating: 0xee, count: 11)
        let size = reply.withUnsafeMutableBytes { rules.writeError(errno, into: $0) }
        #expect(size == 11)
        #expect(rules.accepts(reply))
        #expect(reply[7...] == [UInt8(written & 0xff), UInt8(written >> 8), 0, 0])
    }
}
