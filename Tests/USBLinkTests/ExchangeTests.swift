import P9Wire
import Testing

@testable import USBLink

/// Answers everything with the same bytes.
private final class Canned: Responder {
    private let bytes: [UInt8]
    private let claims: Int?
    /// The room that the last request had for its reply.
    private(set) var room = 0

    init(_ bytes: [UInt8], claims: Int? = nil) {
        self.bytes = bytes
        self.claims = claims
    }

    func respond(to request: RawSpan, into reply: UnsafeMutableRawBufferPointer) -> Int {
        room = reply.count
        reply.copyBytes(from: bytes.prefix(reply.count))
        return claims ?? bytes.count
    }
}

private func message(_ type: UInt8, tag: UInt16, body: [UInt8] = []) -> [UInt8] {
    let size = 7 + body.count
    return (0..<4).map { UInt8(truncatingIfNeeded: size >> (8 * $0)) } + [type, UInt8(tag & 0xff), UInt8(tag >> 8)]
        + body
}

private func answer(
    _ request: [UInt8],
    _ responder: Canned,
    msize: Int = 8192
) -> (outcome: Exchange.Outcome, reply: [UInt8], msize: Int) {
    var reply = [UInt8](repeating: 0xee, count: 65536)
    var exchange = Exchange(maxPacketSize: 512, msize: msize)
    let outcome = reply.withUnsafeMutableBytes { reply in
        exchange.answer(request.span.bytes, with: responder.respond, into: reply)
    }
    return (outcome, Array(reply.prefix(outcome.size ?? 0)), exchange.msize)
}

private let ioError: [UInt8] = [11, 0, 0, 0, 7, 0x34, 0x12, 5, 0, 0, 0]

@Suite struct ExchangeTests {
    @Test(
        arguments: [
            (asked: [0, 0, 1, 0], granted: [0, 0, 1, 0], isTaken: true),
            (asked: [0, 0, 1, 0], granted: [1, 0, 1, 0], isTaken: false),
            (asked: [255, 255, 255, 255], granted: [255, 255, 255, 255], isTaken: false),
        ] as [(asked: [UInt8], granted: [UInt8], isTaken: Bool)]
    )
    func versionWithMoreThanWasAskedMakesNoBuffers(asked: [UInt8], granted: [UInt8], isTaken: Bool) {
        let version: [UInt8] = [8, 0] + Array("9P2000.L".utf8)
        let request = message(100, tag: 0x1234, body: asked + version)
        let result = answer(request, Canned(message(101, tag: 0x1234, body: granted + version)), msize: 0)
        #expect(result.msize == (isTaken ? 65536 : 0))
        if !isTaken { #expect(result.reply == ioError) }
    }

    @Test func validReplyGoesThrough() {
        let reply = message(121, tag: 0x1234)
        let result = answer(message(120, tag: 0x1234, body: [1, 0, 0, 0]), Canned(reply))
        #expect(result.outcome == .answered(size: 7))
        #expect(result.reply == reply)
    }

    @Test(arguments: [
        message(121, tag: 0x1233),  // another tag
        message(119, tag: 0x1234),  // another type
        message(120, tag: 0x1234),  // no reply
        message(7, tag: 0x1234),  // an Rlerror without an errno
        message(7, tag: 0x1234, body: [0, 0, 0, 0]),  // which the client takes for success
        message(7, tag: 0x1234, body: [0, 16, 0, 0]),  // 4096
        message(7, tag: 0x1234, body: [5, 0, 0, 0, 0]),
        [121, 0],
        [],
        [8, 0, 0, 0, 121, 0x34, 0x12],
    ])
    func invalidReplyBecomesEIO(reply: [UInt8]) {
        let result = answer(message(120, tag: 0x1234, body: [1, 0, 0, 0]), Canned(reply))
        #expect(result.outcome == .replaced(size: 11))
        #expect(result.reply == ioError)
    }

    @Test(arguments: [-1, 4097, Int.max])
    func impossibleSizeBecomesEIO(size: Int) {
        let result = answer(message(24, tag: 0x1234), Canned([], claims: size))
        #expect(result.outcome == .replaced(size: 11))
        #expect(result.reply == ioError)
    }

    @Test func requestWithoutHeaderIsUnanswerable() {
        #expect(answer([6, 0, 0, 0, 120, 1], Canned([])).outcome == .unanswerable)
    }

    @Test func responderSeesTheClientsRoom() {
        let responder = Canned([])
        _ = answer(message(116, tag: 1, body: [UInt8](repeating: 0, count: 12) + [0, 1, 0, 0]), responder)
        #expect(responder.room == 11 + 256)
        _ = answer(message(116, tag: 1, body: [UInt8](repeating: 0xff, count: 16)), responder, msize: 4096)
        // One less than msize, for msize is a multiple of the packet size: see Exchange.limit.
        #expect(responder.room == 4095)
        _ = answer(message(100, tag: 0xffff), responder, msize: 0)
        #expect(responder.room == Exchange.initialLimit)
    }

    @Test func msizeIsTheLastRversions() {
        let request = message(100, tag: 0xffff, body: [0, 0, 1, 0, 8, 0] + Array("9P2000.L".utf8))
        let accepted = message(101, tag: 0xffff, body: [0, 64, 0, 0, 8, 0] + Array("9P2000.L".utf8))
        #expect(answer(request, Canned(accepted), msize: 8192).msize == 16384)
        #expect(answer(request, Canned(message(7, tag: 0xffff, body: [22, 0, 0, 0])), msize: 8192).msize == 0)
        #expect(answer(request, Canned([]), msize: 8192).msize == 0)
        // An Rversion does not answer any other request.
        #expect(answer(message(120, tag: 0xffff), Canned(accepted), msize: 8192).msize == 8192)
    }

    @Test func replyNeverFillsTheGadgetsBuffer() {
        #expect(Exchange(maxPacketSize: 512, msize: 16384).limit == 16383)
        #expect(Exchange(maxPacketSize: 512, msize: 16385).limit == 16385)
        let fresh = Exchange(maxPacketSize: 512, msize: 0)
        #expect(fresh.limit == 4096)
        #expect(fresh.needsZeroLengthPacket(replySize: 512))
        #expect(!fresh.needsZeroLengthPacket(replySize: 511))
        #expect(!fresh.needsZeroLengthPacket(replySize: 513))
    }

    @Test func refusals() {
        var reply = [UInt8](repeating: 0, count: 64)
        func refuse(_ tag: UInt16?, _ reason: RequestFraming.Refusal.Reason, msize: Int) -> [UInt8] {
            let exchange = Exchange(maxPacketSize: 512, msize: msize)
            let refusal = RequestFraming.Refusal(tag: tag.map(Tag.init), reason: reason)
            let outcome = reply.withUnsafeMutableBytes { exchange.refuse(refusal, into: $0) }
            return Array(reply.prefix(outcome.size ?? 0))
        }
        #expect(refuse(0x1234, .tooLong, msize: 0) == [11, 0, 0, 0, 7, 0x34, 0x12, 116, 0, 0, 0])
        #expect(refuse(0x1234, .tooLong, msize: 8192) == [11, 0, 0, 0, 7, 0x34, 0x12, 90, 0, 0, 0])
        #expect(refuse(0x1234, .malformed, msize: 8192) == [11, 0, 0, 0, 7, 0x34, 0x12, 71, 0, 0, 0])
        #expect(refuse(nil, .malformed, msize: 8192) == [])
    }
}
